"""Views: what each kind does, by numpy's own turns and flips; image and label move alike; the same each time."""

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional as F

from automedsam.cases.augmentation import AUGMENTATIONS, View, embedded_view, sample_view
from automedsam.runtime.options import Augmentation

GEOMETRY: tuple[Augmentation, ...] = ("flip", "turn", "rotate", "scale", "shift")
AS_IT_IS = sample_view(np.random.default_rng(0), [])


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def turned(degrees: float) -> View:
    angle = math.radians(degrees)
    turning = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    return replace(AS_IT_IS, turning=turning)


@pytest.mark.parametrize("shape", [(32, 32), (20, 47), (20, 47, 3), (1, 5), (30, 9, 3)])
def test_with_no_kinds_an_image_stays_as_it_is(shape: tuple[int, ...]) -> None:
    image = noise(*shape)
    for seed in range(5):
        seen = sample_view(np.random.default_rng(seed), []).apply_to_uint8(image)
        assert seen.dtype == np.uint8
        assert np.array_equal(seen, image)


@pytest.mark.parametrize("shape", [(32, 32), (20, 47), (20, 47, 3)])
def test_a_flip_is_numpys_or_none(shape: tuple[int, ...]) -> None:
    image, flipped = noise(*shape), []
    for seed in range(20):
        seen = sample_view(np.random.default_rng(seed), ["flip"]).apply_to_uint8(image)
        flipped.append(np.array_equal(seen, image[:, ::-1]))
        assert flipped[-1] or np.array_equal(seen, image)
    assert 4 < sum(flipped) < 16


def test_a_turn_is_one_of_numpys_four() -> None:
    image, counts = noise(33, 33), [0] * 4
    for seed in range(40):
        seen = sample_view(np.random.default_rng(seed), ["turn"]).apply_to_uint8(image)
        (quarters,) = [
            quarters for quarters in range(4) if np.array_equal(seen, np.rot90(image, quarters))
        ]
        counts[quarters] += 1
    assert min(counts) > 3


@pytest.mark.parametrize("quarters", [1, 2, 3])
def test_image_and_map_turn_the_same_way(quarters: int) -> None:
    image = noise(24, 24)
    view = turned(90 * quarters)
    assert np.array_equal(view.apply_to_uint8(image), np.rot90(image, quarters))
    moved = view.apply_to_map(torch.tensor(image, dtype=torch.float32)[None])[0].numpy()
    np.testing.assert_allclose(moved, np.rot90(image, quarters), atol=0.01)


@pytest.mark.parametrize("degrees", [90, 30, -20])
def test_turning_keeps_lengths_in_an_image_that_is_no_square(degrees: float) -> None:
    """A bar 40 px long, in the middle of an image twice as wide as high."""
    values = torch.zeros(1, 60, 120)
    values[0, 28:32, 40:80] = 1
    moved = turned(degrees).apply_to_map(values)[0]
    rows, columns = np.indices(moved.shape)
    weights = moved.numpy() / moved.sum().item()
    centre = (weights * rows).sum(), (weights * columns).sum()
    assert centre == pytest.approx((29.5, 59.5), abs=0.2)
    spread = (weights * ((rows - centre[0]) ** 2 + (columns - centre[1]) ** 2)).sum()
    assert moved.sum().item() == pytest.approx(160, rel=0.03)
    assert spread == pytest.approx((40**2 - 1) / 12 + (4**2 - 1) / 12, rel=0.03)
    slope = (weights * (rows - centre[0]) * (columns - centre[1])).sum()
    along, across = (
        (weights * (columns - centre[1]) ** 2).sum(),
        (weights * (rows - centre[0]) ** 2).sum(),
    )
    angle = math.degrees(0.5 * math.atan2(2 * slope, along - across))
    assert abs(angle) == pytest.approx(abs(degrees), abs=1)


def test_a_shift_looks_elsewhere_and_past_the_edge_is_black() -> None:
    image = noise(20, 40)
    view = replace(
        AS_IT_IS, shift=torch.tensor([0.5, 0.2])
    )  # of halves: 10 px to the right, 2 px down
    seen = view.apply_to_uint8(image)
    assert np.array_equal(seen[:18, :30], image[2:, 10:])
    assert not seen[18:].any()
    assert not seen[:, 30:].any()


def test_a_zoom_keeps_the_centre() -> None:
    view = replace(AS_IT_IS, turning=torch.eye(2) / 2)
    values = torch.zeros(1, 40, 80)
    values[0, 15:25, 30:50] = 1
    assert view.apply_to_map(values).sum().item() == pytest.approx(4 * 200, rel=0.01)
    assert view.apply_to_map(values)[0, 12:28, 22:58].min() == 1


def test_past_the_edge_nothing_is_known() -> None:
    """A label of ones, and how sure it is: where the view shows no image, both are 0."""
    known = torch.ones(2, 30, 30)
    moved = turned(45).apply_to_map(known)
    assert not moved[:, 0, 0].any()
    assert (moved[:, 15, 15] == 1).all()
    assert torch.equal(moved[0], moved[1])


def test_an_object_is_where_its_label_is() -> None:
    """Bright pixels, and their mask, through thirty views of all kinds of geometry."""
    image = np.zeros((50, 90), np.uint8)
    image[20:32, 35:60] = 200
    mask = torch.tensor(image > 0).float()[None]
    for seed in range(30):
        view = sample_view(np.random.default_rng(seed), GEOMETRY)
        seen, moved = view.apply_to_uint8(image), view.apply_to_map(mask)[0].numpy()
        np.testing.assert_allclose(seen, 200 * moved, atol=1)


def test_a_smaller_copy_moves_as_the_image_does() -> None:
    view = embedded_view("a", 3, GEOMETRY)
    rows, columns = torch.meshgrid(
        torch.linspace(0, 3, 120), torch.linspace(0, 5, 200), indexing="ij"
    )
    values = (rows.sin() + columns.cos())[
        None
    ] + 2  # so smooth that a copy of half the size holds it all
    halved = F.avg_pool2d(values, 2)
    then_halved = F.avg_pool2d(view.apply_to_map(values), 2)
    outside = 1 - view.apply_to_map(torch.ones(1, 60, 100))
    inside = F.max_pool2d(outside, 5, stride=1, padding=2) == 0
    assert inside.float().mean() > 0.3
    torch.testing.assert_close(
        view.apply_to_map(halved)[inside], then_halved[inside], atol=0.02, rtol=0
    )


def test_channels_move_and_brighten_together() -> None:
    grey = noise(30, 40)
    view = embedded_view("a", 1, AUGMENTATIONS)
    seen = view.apply_to_uint8(np.repeat(grey[..., None], 3, axis=2))
    assert seen.shape == (30, 40, 3)
    for channel in range(3):
        assert np.array_equal(seen[..., channel], view.apply_to_uint8(grey))


def test_channels_keep_their_order() -> None:
    image = np.zeros((20, 20, 3), np.uint8)
    image[..., 1] = noise(20, 20)
    seen = sample_view(np.random.default_rng(1), GEOMETRY).apply_to_uint8(image)
    assert seen[..., 1].any()
    assert not seen[..., [0, 2]].any()


def test_gamma_contrast_and_brightness_are_those_by_hand() -> None:
    view = replace(AS_IT_IS, gamma=2.0, contrast=0.5, brightness=0.1)
    seen = view.apply_to_image(torch.tensor([[[0.0, 0.5, 0.8, 1.0]]]))
    expected = [
        (0 - 0.5) * 0.5 + 0.6,
        (0.25 - 0.5) * 0.5 + 0.6,
        (0.64 - 0.5) * 0.5 + 0.6,
        0.5 * 0.5 + 0.6,
    ]
    assert seen.flatten().tolist() == pytest.approx(expected, abs=1e-5)


def test_noise_has_its_strength_and_is_the_same_each_time() -> None:
    view = replace(AS_IT_IS, noise=0.05, seed=7)
    grey = torch.full((1, 100, 100), 0.5)
    seen = view.apply_to_image(grey)
    assert (seen - 0.5).std().item() == pytest.approx(0.05, rel=0.05)
    assert torch.equal(view.apply_to_image(grey), seen)
    assert not torch.equal(replace(view, seed=8).apply_to_image(grey), seen)


@pytest.mark.parametrize("value", [0, 255])
def test_values_stay_between_black_and_white(value: int) -> None:
    for seed in range(20):
        view = sample_view(np.random.default_rng(seed), AUGMENTATIONS)
        seen = view.apply_to_image(torch.full((1, 16, 16), value / 255))
        assert seen.min() >= 0
        assert seen.max() <= 1
        assert seen.dtype == torch.float32


def test_intensity_leaves_labels_alone() -> None:
    mask = torch.tensor(noise(20, 30) > 127).float()[None]
    torch.testing.assert_close(
        sample_view(np.random.default_rng(2), ["intensity"]).apply_to_map(mask),
        mask,
        atol=1e-4,
        rtol=0,
    )


def test_a_view_is_the_same_whenever_it_is_asked_for() -> None:
    image = noise(30, 40)
    one, again = (embedded_view("case_1", 2, AUGMENTATIONS) for _ in range(2))
    assert one.describe() == again.describe()
    assert np.array_equal(one.apply_to_uint8(image), again.apply_to_uint8(image))


@pytest.mark.parametrize(("case", "number"), [("case_1", 3), ("case_2", 2), ("case_12", 2)])
def test_other_numbers_and_other_cases_have_other_views(case: str, number: int) -> None:
    assert (
        embedded_view(case, number, AUGMENTATIONS).describe()
        != embedded_view("case_1", 2, AUGMENTATIONS).describe()
    )


def test_the_order_of_the_kinds_does_not_matter() -> None:
    assert (
        embedded_view("a", 1, AUGMENTATIONS).describe()
        == embedded_view("a", 1, AUGMENTATIONS[::-1]).describe()
    )


def test_names_in_any_script_have_views() -> None:
    assert embedded_view("été 心臓", 1, AUGMENTATIONS).describe()


@pytest.mark.parametrize("left_out", AUGMENTATIONS)
def test_one_kind_more_does_not_change_the_others(left_out: Augmentation) -> None:
    fields_of = {
        "shift": ["shift"],
        "intensity": ["gamma", "contrast", "brightness", "noise", "bias"],
    }
    for seed in range(5):
        every, fewer = (
            sample_view(np.random.default_rng(seed), kinds)
            for kinds in (AUGMENTATIONS, [kind for kind in AUGMENTATIONS if kind != left_out])
        )
        changed = fields_of.get(left_out, ["turning"])
        for name in {
            "turning",
            "shift",
            "gamma",
            "contrast",
            "brightness",
            "noise",
            "bias",
            "seed",
        } - set(changed):
            assert torch.equal(
                torch.as_tensor(getattr(every, name)), torch.as_tensor(getattr(fewer, name))
            ), name


@pytest.mark.parametrize(
    ("change", "value"),
    [("turning", torch.eye(2) / 2), ("shift", torch.ones(2)), ("gamma", 1.5), ("contrast", 0.9), ("brightness", 0.01),
     ("noise", 0.02), ("bias", torch.ones(1, 1, 4, 4)), ("seed", 3)],
)  # fmt: skip
def test_every_number_of_a_view_is_in_its_description(change: str, value: object) -> None:
    assert replace(AS_IT_IS, **{change: value}).describe() != AS_IT_IS.describe()
