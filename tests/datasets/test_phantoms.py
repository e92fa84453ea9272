"""Phantoms over many seeds: their objects, their placement and their reproducibility."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, distance_transform_edt, label

from automedsam.datasets.phantoms import MARGIN, SIZE, TARGET, draw_phantom

SEEDS = range(20)


@pytest.fixture(scope="module")
def phantoms():
    return [draw_phantom(np.random.default_rng(seed)) for seed in SEEDS]


def test_a_seed_determines_the_phantom(phantoms):
    again = draw_phantom(np.random.default_rng(SEEDS[3]))
    assert np.array_equal(again.image, phantoms[3].image)
    assert np.array_equal(again.labels, phantoms[3].labels)


def test_different_seeds_draw_different_phantoms(phantoms):
    assert len({phantom.image.tobytes() for phantom in phantoms}) == len(SEEDS)
    assert len({phantom.labels.tobytes() for phantom in phantoms}) == len(SEEDS)


def test_image_and_labels_are_8_bit_squares(phantoms):
    for phantom in phantoms:
        for pixels in (phantom.image, phantom.labels):
            assert (pixels.shape, pixels.dtype) == ((SIZE, SIZE), np.uint8)
    assert SIZE == 256


def test_image_has_contrast_and_little_saturation(phantoms):
    for phantom in phantoms:
        assert np.ptp(phantom.image) > 100
        assert np.isin(phantom.image, (0, 255)).mean() < 0.05


def test_one_target_and_two_to_four_distractors_are_connected(phantoms):
    counts = set()
    for phantom in phantoms:
        values = np.unique(phantom.labels)
        assert values.tolist() == list(range(len(values)))
        assert all(label(phantom.labels == value, np.ones((3, 3)))[1] == 1 for value in values[1:])
        counts.add(len(values) - 2)
    assert counts == {2, 3, 4}


def test_objects_keep_their_distance_from_each_other(phantoms):
    for phantom in phantoms:
        for value in range(TARGET, phantom.labels.max() + 1):
            near = binary_dilation(phantom.labels == value, iterations=MARGIN)
            assert set(np.unique(phantom.labels[near])) == {0, value}


def test_objects_keep_their_distance_from_the_border(phantoms):
    for phantom in phantoms:
        inner = phantom.labels[MARGIN:-MARGIN, MARGIN:-MARGIN]
        assert np.count_nonzero(inner) == np.count_nonzero(phantom.labels)


def test_mask_contains_the_target_only(phantoms):
    for phantom in phantoms:
        assert phantom.mask.any()
        assert np.array_equal(phantom.mask, phantom.labels == 1)


def test_rim_is_brighter_than_inside_and_outside(phantoms):
    for phantom in phantoms:
        depth = distance_transform_edt(phantom.mask)
        rim, inside = phantom.image[(depth > 0) & (depth <= 5)], phantom.image[depth > 9]
        outside = phantom.image[binary_dilation(phantom.mask, iterations=5) & (phantom.labels == 0)]
        assert rim.mean() > inside.mean() + 30
        assert rim.mean() > outside.mean()


def test_no_distractor_is_a_ring(phantoms):
    for phantom in phantoms:
        for value in range(TARGET + 1, phantom.labels.max() + 1):
            depth = distance_transform_edt(phantom.labels == value)
            rim, inside = phantom.image[(depth > 2) & (depth <= 5)], phantom.image[depth > 5]
            assert abs(rim.mean() - inside.mean()) < 30
