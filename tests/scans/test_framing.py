"""Slices resampled, cropped and padded to their frame, and masks brought back from it."""

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from automedsam.runtime.errors import InputError
from automedsam.scans.framing import NO_OBJECT, Framing

SIZES = [(12, 12), (13, 13), (12, 13), (13, 8), (5, 20), (8, 12), (1, 30)]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)


def logits_of(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.where(mask, 5.0, -5.0).astype(np.float32))[None, None]


def disk(height: int, width: int, spacing_mm: tuple[float, float], radius_mm: float) -> np.ndarray:
    y, x = (np.arange(n) - (n - 1) / 2 + 1.3 for n in (height, width))
    return (y[:, None] * spacing_mm[0]) ** 2 + (x * spacing_mm[1]) ** 2 <= radius_mm**2


def test_no_framing_leaves_a_slice_as_it_is():
    image = noise(7, 9, 3)
    framing = Framing()
    np.testing.assert_array_equal(framing.frame_image(image, None), image)
    np.testing.assert_array_equal(
        framing.frame_mask(image[..., 0] > 99, (1, 2)), image[..., 0] > 99
    )
    logits = torch.randn(1, 1, 7, 9)
    assert torch.equal(framing.unframe(logits, (7, 9), None), logits)


def test_a_canvas_crops_and_pads_about_the_centre():
    image = np.arange(1, 19, dtype=np.uint8).reshape(6, 3)
    expected = np.zeros((4, 4), np.uint8)
    expected[:, :3] = image[1:5]  # one row off above and below, one column more on the right
    np.testing.assert_array_equal(Framing(canvas_px=4).frame_image(image, None), expected)
    odd = np.zeros((5, 5), np.uint8)
    odd[:, 1:4] = image[1:6]
    np.testing.assert_array_equal(Framing(canvas_px=5).frame_image(image, None), odd)


@pytest.mark.parametrize("canvas", [4, 5, 10, 11, 31])
@pytest.mark.parametrize("size", SIZES)
def test_the_middle_of_a_slice_lies_in_the_middle_of_the_canvas(size, canvas):
    rows, columns = np.mgrid[: size[0], : size[1]]
    places = np.dstack([rows + 1, columns + 1, np.ones(size)]).astype(np.uint8)
    framed = Framing(canvas_px=canvas).frame_image(places, None)
    assert framed.shape == (canvas, canvas, 3)
    at = np.argwhere(framed[..., 2])
    assert len(at) == min(size[0], canvas) * min(size[1], canvas)
    offsets = at - framed[at[:, 0], at[:, 1], :2] + 1
    assert (
        len(np.unique(offsets, axis=0)) == 1
    )  # moved as a whole, by what brings one centre to the other
    assert np.abs(offsets[0] - (canvas - np.array(size)) / 2).max() <= 0.5


@pytest.mark.parametrize("canvas", [4, 5, 10, 11, 31])
@pytest.mark.parametrize("size", SIZES)
def test_what_lies_on_the_canvas_comes_back_to_the_pixel_and_what_does_not_is_no_object(
    size, canvas
):
    framing = Framing(canvas_px=canvas)
    mask = noise(*size) > 100
    seen = framing.unframe(torch.ones(1, 1, canvas, canvas), size, None)[0, 0].numpy()
    assert set(np.unique(seen)) <= {1, NO_OBJECT}
    assert (seen == 1).sum() == min(size[0], canvas) * min(size[1], canvas)
    back = framing.unframe(logits_of(framing.frame_mask(mask, None)), size, None)
    assert back.shape == (1, 1, *size)
    np.testing.assert_array_equal(back[0, 0].numpy() > 0, mask & (seen == 1))
    if canvas >= max(size):
        np.testing.assert_array_equal(back[0, 0].numpy() > 0, mask)


@pytest.mark.parametrize("canvas", [6, 9, 20])
def test_masks_are_framed_as_their_images_are(canvas):
    mask = noise(11, 14) > 128
    framing = Framing(canvas_px=canvas)
    framed = framing.frame_mask(mask, None)
    assert framed.dtype == bool
    np.testing.assert_array_equal(
        framed, framing.frame_image(mask.astype(np.uint8) * 255, None) > 0
    )


@pytest.mark.parametrize(
    ("size", "spacing_mm", "pixel_mm", "expected"),
    [
        ((100, 80), (1.5, 0.75), 1.0, (150, 60)),
        ((100, 80), (1.5, 0.75), 0.5, (300, 120)),
        ((101, 81), (1.0, 1.0), 2.0, (50, 40)),  # halves to even
        ((101, 81), (1.0, 1.0), None, (101, 81)),
        ((2, 300), (0.1, 0.1), 1.0, (1, 30)),
    ],
)
def test_a_slice_keeps_its_extent_in_mm(size, spacing_mm, pixel_mm, expected):
    framing = Framing(pixel_mm)
    assert framing.resampled_size(size, spacing_mm) == expected
    assert framing.frame_image(noise(*size), spacing_mm).shape == expected
    assert framing.frame_mask(noise(*size) > 9, spacing_mm).shape == expected
    assert framing.unframe(torch.zeros(1, 1, *expected), size, spacing_mm).shape == (1, 1, *size)


def test_pixels_that_already_have_the_size_are_not_touched():
    image = noise(20, 31)
    np.testing.assert_array_equal(Framing(0.7).frame_image(image, (0.7, 0.7)), image)


def test_a_resampled_object_lies_where_it_lay_in_mm():
    image = np.zeros((60, 100), np.uint8)
    image[30:40, 20:60] = 200
    spacing_mm = (2.0, 0.5)
    for framed in (
        Framing(1.0).frame_image(image, spacing_mm),
        Framing(1.0).frame_mask(image > 0, spacing_mm) * 200.0,
    ):
        rows, columns = np.nonzero(framed > 100)
        assert (rows.min(), rows.max() + 1) == (60, 80)
        assert (columns.min(), columns.max() + 1) == (10, 30)


def test_resampling_is_linear_between_the_centres_of_pixels():
    image = np.array([[0, 200]], np.uint8)
    assert Framing(1.0).frame_image(image, (1, 2)).tolist() == [[0, 50, 150, 200]]
    assert Framing(1.0).frame_mask(image > 0, (1, 2)).tolist() == [[False, False, True, True]]
    assert Framing(1.0).unframe(torch.tensor([[[[0.0, 4.0]]]]), (1, 4), (1, 0.5)).tolist() == [
        [[[0, 1, 3, 4]]]
    ]


@pytest.mark.parametrize("canvas", [None, 64, 65, 120])
@pytest.mark.parametrize("pixel_mm", [0.5, 1.0, 1.4])
@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (0.8, 1.2), (1.3, 0.7), (1.37, 1.37)])
def test_a_resampled_mask_comes_back_within_a_pixel(spacing_mm, pixel_mm, canvas):
    size = (61, 58)
    mask = disk(*size, spacing_mm, radius_mm=14)
    framing = Framing(pixel_mm, canvas)
    back = (
        framing.unframe(logits_of(framing.frame_mask(mask, spacing_mm)), size, spacing_mm)[
            0, 0
        ].numpy()
        > 0
    )
    reach = max(
        round(pixel_mm / min(spacing_mm) + 0.49), 1
    )  # a pixel of the frame, in those of the slice
    around = np.ones((3, 3))
    assert not (back & ~binary_dilation(mask, around, reach)).any()
    assert not (binary_erosion(mask, around, reach) & ~back).any()
    assert back.sum() == pytest.approx(mask.sum(), rel=0.1)


@pytest.mark.parametrize("call", ["image", "mask", "logits"])
def test_an_unknown_spacing_is_refused_where_it_is_needed(call):
    framing = Framing(1.5, 64)
    with pytest.raises(
        InputError, match=r"expected a known spacing, to resample to 1\.5 mm, found none"
    ):
        {
            "image": lambda: framing.frame_image(noise(9, 9), None),
            "mask": lambda: framing.frame_mask(noise(9, 9) > 9, None),
            "logits": lambda: framing.unframe(torch.zeros(1, 1, 64, 64), (9, 9), None),
        }[call]()
    assert Framing(canvas_px=64).frame_image(noise(9, 9), None).shape == (64, 64)


def test_logits_of_half_precision_come_back():
    logits = logits_of(noise(8, 8) > 128).to(torch.bfloat16)
    back = Framing(canvas_px=8).unframe(logits, (6, 10), None)
    np.testing.assert_array_equal(back[0, 0, :, 1:9] > 0, logits[0, 0, 1:7] > 0)


def test_labels_keep_their_values():
    labels = np.array([[0, 0, 3, 3], [7, 7, 0, 0]], np.uint8)
    framed = Framing(1.0, 6).frame_mask(labels, (2, 1))
    expected = np.zeros((6, 6), np.uint8)
    expected[1:5, 1:5] = labels.repeat(2, axis=0)
    np.testing.assert_array_equal(framed, expected)


def test_masks_of_several_classes_come_back_each_like_one():
    framing, logits = Framing(1.0, 9), torch.randn(1, 3, 9, 9)
    back = framing.unframe(logits, (5, 12), (2.0, 0.5))
    assert back.shape == (1, 3, 5, 12)
    for number in range(3):
        alone = framing.unframe(logits[:, number : number + 1], (5, 12), (2.0, 0.5))
        torch.testing.assert_close(back[:, number : number + 1], alone)
