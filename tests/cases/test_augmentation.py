"""Tests of augmentation: effect of each kind, alignment of image and label, reproducibility."""

import math
from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from automedsam.cases.augmentation import (
    AUGMENTATIONS,
    View,
    embedded_view,
    embedded_view_count,
    sample_view,
)
from automedsam.runtime.options import Augmentation

GEOMETRY: tuple[Augmentation, ...] = ("flip", "turn", "rotate", "scale", "shift")
IDENTITY = sample_view(np.random.default_rng(0), [])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def rotation(degrees: float) -> View:
    angle = math.radians(degrees)
    matrix = torch.tensor([[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]])
    return replace(IDENTITY, matrix=matrix)


@pytest.mark.parametrize("shape", [(32, 32), (20, 47), (20, 47, 3), (1, 5), (30, 9, 3)])
def test_view_without_augmentations_keeps_the_image(shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    for seed in range(5):
        seen = sample_view(np.random.default_rng(seed), []).apply_to_uint8(image)
        assert seen.dtype == np.uint8
        assert np.array_equal(seen, image)


@pytest.mark.parametrize("shape", [(32, 32), (20, 47), (20, 47, 3)])
def test_flip_mirrors_about_half_of_the_views(shape: tuple[int, ...]) -> None:
    image, is_flipped = noise(*shape), []
    for seed in range(20):
        seen = sample_view(np.random.default_rng(seed), ["flip"]).apply_to_uint8(image)
        is_flipped.append(np.array_equal(seen, image[:, ::-1]))
        assert is_flipped[-1] or np.array_equal(seen, image)
    assert 4 < sum(is_flipped) < 16


def test_turn_is_one_of_four_quarter_turns() -> None:
    image, counts = noise(33, 33), [0] * 4
    for seed in range(40):
        seen = sample_view(np.random.default_rng(seed), ["turn"]).apply_to_uint8(image)
        (quarters,) = [
            quarters for quarters in range(4) if np.array_equal(seen, np.rot90(image, quarters))
        ]
        counts[quarters] += 1
    assert min(counts) > 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_image_and_map_rotate_in_the_same_direction(quarters: int) -> None:
    image = noise(24, 24)
    view = rotation(90 * quarters)
    assert np.array_equal(view.apply_to_uint8(image), np.rot90(image, quarters))
    moved = view.apply_to_map(torch.tensor(image, dtype=torch.float32)[None])[0].numpy()
    np.testing.assert_allclose(moved, np.rot90(image, quarters), atol=0.01)


@pytest.mark.parametrize("degrees", [90, 30, -20])
def test_rotation_keeps_lengths_in_an_image_that_is_not_square(degrees: float) -> None:
    """The image is twice as wide as high, and shows a bar of 40 px in its middle."""
    values = torch.zeros(1, 60, 120)
    values[0, 28:32, 40:80] = 1
    moved = rotation(degrees).apply_to_map(values)[0]
    rows, columns = np.indices(moved.shape)
    weights = moved.numpy() / moved.sum().item()
    centre = (weights * rows).sum(), (weights * columns).sum()
    assert centre == pytest.approx((29.5, 59.5), abs=0.2)
    spread = (weights * ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)).sum()
    assert moved.sum().item() == pytest.approx(160, rel=0.03)
    assert spread == pytest.approx((40**2 - 1) / 12 + (4**2 - 1) / 12, rel=0.03)
    slope = (weights * (rows - centre[0]) * (columns - centre[1])).sum()
    x_variance = (weights * (columns - centre[1]) ** 2).sum()
    y_variance = (weights * (rows - centre[0]) ** 2).sum()
    angle = math.degrees(0.5 * math.atan2(2 * slope, x_variance - y_variance))
    assert abs(angle) == pytest.approx(abs(degrees), abs=1)


def test_shift_moves_pixels_and_fills_with_black() -> None:
    image = noise(20, 40)
    # In halves of the image's width and height: 10 px to the right and 2 px down.
    view = replace(IDENTITY, shift=torch.tensor([0.5, 0.2]))
    seen = view.apply_to_uint8(image)
    assert np.array_equal(seen[:18, :30], image[2:, 10:])
    assert not seen[18:].any()
    assert not seen[:, 30:].any()


def test_scale_keeps_the_centre() -> None:
    view = replace(IDENTITY, matrix=torch.eye(2) / 2)
    values = torch.zeros(1, 40, 80)
    values[0, 15:25, 30:50] = 1
    assert view.apply_to_map(values).sum().item() == pytest.approx(4 * 200, rel=0.01)
    assert view.apply_to_map(values)[0, 12:28, 22:58].min() == 1


def test_apply_to_map_is_0_outside_of_the_image() -> None:
    """Probability and weight of a label are both 0 where the view shows no part of the image."""
    targets = torch.ones(2, 30, 30)
    moved = rotation(45).apply_to_map(targets)
    assert not moved[:, 0, 0].any()
    assert (moved[:, 15, 15] == 1).all()
    assert torch.equal(moved[0], moved[1])


def test_image_and_mask_stay_aligned() -> None:
    """Thirty views with all kinds of geometry move bright pixels and their mask."""
    image = np.zeros((50, 90), np.uint8)
    image[20:32, 35:60] = 200
    mask = torch.tensor(image > 0).float()[None]
    for seed in range(30):
        view = sample_view(np.random.default_rng(seed), GEOMETRY)
        seen, moved = view.apply_to_uint8(image), view.apply_to_map(mask)[0].numpy()
        np.testing.assert_allclose(seen, 200 * moved, atol=1)


def test_view_moves_a_smaller_copy_alike() -> None:
    view = embedded_view("a", 3, GEOMETRY)
    rows, columns = torch.meshgrid(
        torch.linspace(0, 3, 120), torch.linspace(0, 5, 200), indexing="ij"
    )
    # So smooth that a copy of half the size loses nothing.
    values = (rows.sin() + columns.cos())[None] + 2
    halved = F.avg_pool2d(values, 2)
    then_halved = F.avg_pool2d(view.apply_to_map(values), 2)
    outside = 1 - view.apply_to_map(torch.ones(1, 60, 100))
    inside = F.max_pool2d(outside, 5, stride=1, padding=2) == 0
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(
        view.apply_to_map(halved)[inside], then_halved[inside], atol=0.02, rtol=0
    )


def test_apply_to_uint8_treats_all_channels_alike() -> None:
    grey = noise(30, 40)
    view = embedded_view("a", 1, AUGMENTATIONS)
    seen = view.apply_to_uint8(np.repeat(grey[..., None], 3, axis=2))
    assert seen.shape == (30, 40, 3)
    for channel in range(3):
        assert np.array_equal(seen[..., channel], view.apply_to_uint8(grey))


def test_apply_to_uint8_keeps_the_order_of_channels() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[..., 1] = noise(20, 20)
    seen = sample_view(np.random.default_rng(1), GEOMETRY).apply_to_uint8(image)
    assert seen[..., 1].any()
    assert not seen[..., [0, 2]].any()


def test_gamma_contrast_and_brightness_equal_values_by_hand() -> None:
    view = replace(IDENTITY, gamma=2.0, contrast=0.5, brightness=0.1)
    seen = view.apply_to_image(torch.tensor([[[0.0, 0.5, 0.8, 1.0]]]))
    expected = [
        (0 - 0.5) * 0.5 + 0.6,
        (0.25 - 0.5) * 0.5 + 0.6,
        (0.64 - 0.5) * 0.5 + 0.6,
        0.5 * 0.5 + 0.6,
    ]
    assert seen.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_noise_has_the_given_std_and_is_reproducible() -> None:
    view = replace(IDENTITY, noise_std=0.05, noise_seed=7)
    grey = torch.full((1, 100, 100), 0.5)
    seen = view.apply_to_image(grey)
    assert (seen - 0.5).std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(view.apply_to_image(grey), seen)
    assert not torch.equal(replace(view, noise_seed=8).apply_to_image(grey), seen)


@pytest.mark.parametrize("value", [0, 255])
def test_apply_to_image_stays_within_0_and_1(value: int) -> None:
    for seed in range(20):
        view = sample_view(np.random.default_rng(seed), AUGMENTATIONS)
        seen = view.apply_to_image(torch.full((1, 16, 16), value / 255))
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert seen.dtype == torch.float32


def test_intensity_does_not_change_maps() -> None:
    mask = torch.tensor(noise(20, 30) > 127).float()[None]
    torch.testing.assert_close(
        sample_view(np.random.default_rng(2), ["intensity"]).apply_to_map(mask),
        mask,
        atol=1e-4,
        rtol=0,
    )


def test_embedded_view_is_reproducible() -> None:
    image = noise(30, 40)
    one, other = (embedded_view("case_1", 2, AUGMENTATIONS) for _ in range(2))
    assert one.describe() == other.describe()
    assert np.array_equal(one.apply_to_uint8(image), other.apply_to_uint8(image))


@pytest.mark.parametrize(("case", "number"), [("case_1", 3), ("case_2", 2), ("case_12", 2)])
def test_embedded_view_depends_on_number_and_case(case: str, number: int) -> None:
    assert (
        embedded_view(case, number, AUGMENTATIONS).describe()
        != embedded_view("case_1", 2, AUGMENTATIONS).describe()
    )


def test_embedded_view_ignores_the_order_of_augmentations() -> None:
    assert (
        embedded_view("a", 1, AUGMENTATIONS).describe()
        == embedded_view("a", 1, AUGMENTATIONS[::-1]).describe()
    )


def test_embedded_view_accepts_names_that_are_not_ascii() -> None:
    assert embedded_view("été 心臓", 1, AUGMENTATIONS).describe()


@pytest.mark.parametrize("omitted", AUGMENTATIONS)
def test_one_more_augmentation_does_not_change_the_others(omitted: Augmentation) -> None:
    fields_of_kind = {
        "shift": ["shift"],
        "intensity": ["gamma", "contrast", "brightness", "noise_std", "bias_grid"],
    }
    for seed in range(5):
        view = sample_view(np.random.default_rng(seed), AUGMENTATIONS)
        others = [kind for kind in AUGMENTATIONS if kind != omitted]
        view_of_others = sample_view(np.random.default_rng(seed), others)
        changed = fields_of_kind.get(omitted, ["matrix"])
        for name in {field.name for field in fields(View)} - set(changed):
            value, value_of_others = getattr(view, name), getattr(view_of_others, name)
            assert torch.equal(torch.as_tensor(value), torch.as_tensor(value_of_others)), name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("matrix", torch.eye(2) / 2),
        ("shift", torch.ones(2)),
        ("gamma", 1.5),
        ("contrast", 0.9),
        ("brightness", 0.01),
        ("noise_std", 0.02),
        ("bias_grid", torch.ones(1, 1, 4, 4)),
        ("noise_seed", 3),
    ],
)
def test_describe_contains_every_field(field: str, value: object) -> None:
    assert replace(IDENTITY, **{field: value}).describe() != IDENTITY.describe()


def test_embedded_view_count_is_0_without_augmentations() -> None:
    assert embedded_view_count(3, ["flip"]) == 3
    assert embedded_view_count(3, []) == 0
