"""Resampling, cropping and padding of slices, and mapping masks back."""

from itertools import product

import numpy as np
import pytest
import torch
from scipy.ndimage import binary_dilation, binary_erosion

from automedsam.runtime.errors import InputError
from automedsam.scans.framing import NO_OBJECT, Framing
from combination import combination

SIZES = [(12, 12), (13, 13), (12, 13), (13, 8), (5, 20), (8, 12), (1, 30)]
CANVASES = [4, 5, 10, 11, 31]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(1, 256, shape, dtype=np.uint8)


def logits_of(mask: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(np.where(mask, 5.0, -5.0).astype(np.float32))[None, None]


def disk(height: int, width: int, spacing_mm: tuple[float, float], radius_mm: float) -> np.ndarray:
    y, x = (np.arange(n) - (n - 1) / 2 + 1.3 for n in (height, width))
    return (y[:, None] * spacing_mm[0]) ** 2 + (x * spacing_mm[1]) ** 2 <= radius_mm**2


def test_default_framing_changes_nothing():
    image = noise(7, 9, 3)
    framing = Framing()
    np.testing.assert_array_equal(framing.frame_image(image, None), image)
    np.testing.assert_array_equal(
        framing.frame_mask(image[..., 0] > 99, (1, 2)), image[..., 0] > 99
    )
    logits = torch.randn(1, 1, 7, 9)
    assert torch.equal(framing.unframe(logits, (7, 9), None), logits)


def test_canvas_crops_and_pads_around_the_centre():
    image = np.arange(1, 19, dtype=np.uint8).reshape(6, 3)
    expected = np.zeros((4, 4), np.uint8)
    # One row is cropped above and below; one column is added on the right.
    expected[:, :3] = image[1:5]
    np.testing.assert_array_equal(Framing(canvas_px=4).frame_image(image, None), expected)
    odd = np.zeros((5, 5), np.uint8)
    odd[:, 1:4] = image[1:6]
    np.testing.assert_array_equal(Framing(canvas_px=5).frame_image(image, None), odd)


def test_centre_of_a_slice_is_in_the_centre_of_the_canvas():
    for size, canvas in product(SIZES, CANVASES):
        with combination(size=size, canvas=canvas):
            rows, columns = np.mgrid[: size[0], : size[1]]
            places = np.dstack([rows + 1, columns + 1, np.ones(size)]).astype(np.uint8)
            framed = Framing(canvas_px=canvas).frame_image(places, None)
            assert framed.shape == (canvas, canvas, 3)
            at = np.argwhere(framed[..., 2])
            assert len(at) == min(size[0], canvas) * min(size[1], canvas)
            offsets = at - framed[at[:, 0], at[:, 1], :2] + 1
            assert len(np.unique(offsets, axis=0)) == 1
            assert np.abs(offsets[0] - (canvas - np.array(size)) / 2).max() <= 0.5


def test_unframe_restores_pixels_and_marks_cropped_ones():
    for size, canvas in product(SIZES, CANVASES):
        with combination(size=size, canvas=canvas):
            framing = Framing(canvas_px=canvas)
            mask = noise(*size) > 100
            kept = framing.unframe(torch.ones(1, 1, canvas, canvas), size, None)[0, 0].numpy()
            assert set(np.unique(kept)) <= {1, NO_OBJECT}
            assert (kept == 1).sum() == min(size[0], canvas) * min(size[1], canvas)
            logits = framing.unframe(logits_of(framing.frame_mask(mask, None)), size, None)
            assert logits.shape == (1, 1, *size)
            restored = logits[0, 0].numpy() > 0
            np.testing.assert_array_equal(restored, mask & (kept == 1))
            if canvas >= max(size):
                np.testing.assert_array_equal(restored, mask)


@pytest.mark.parametrize("canvas", [6, 9, 20])
def test_masks_are_framed_like_their_images(canvas):
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
def test_resampling_keeps_the_extent_in_mm(size, spacing_mm, pixel_mm, expected):
    framing = Framing(pixel_mm)
    assert framing.resampled_size(size, spacing_mm) == expected
    assert framing.frame_image(noise(*size), spacing_mm).shape == expected
    assert framing.frame_mask(noise(*size) > 9, spacing_mm).shape == expected
    assert framing.unframe(torch.zeros(1, 1, *expected), size, spacing_mm).shape == (1, 1, *size)


def test_pixels_of_the_right_size_are_unchanged():
    image = noise(20, 31)
    np.testing.assert_array_equal(Framing(0.7).frame_image(image, (0.7, 0.7)), image)


def test_resampled_object_keeps_its_position_in_mm():
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


def test_resampling_is_linear_between_pixel_centres():
    image = np.array([[0, 200]], np.uint8)
    assert Framing(1.0).frame_image(image, (1, 2)).tolist() == [[0, 50, 150, 200]]
    assert Framing(1.0).frame_mask(image > 0, (1, 2)).tolist() == [[False, False, True, True]]
    assert Framing(1.0).unframe(torch.tensor([[[[0.0, 4.0]]]]), (1, 4), (1, 0.5)).tolist() == [
        [[[0, 1, 3, 4]]]
    ]


@pytest.mark.parametrize("spacing_mm", [(1.0, 1.0), (0.8, 1.2), (1.3, 0.7), (1.37, 1.37)])
def test_resampled_mask_is_restored_within_a_pixel(spacing_mm):
    size = (61, 58)
    mask = disk(*size, spacing_mm, radius_mm=14)
    for pixel_mm, canvas in product([0.5, 1.0, 1.4], [None, 64, 65, 120]):
        with combination(pixel_mm=pixel_mm, canvas=canvas):
            framing = Framing(pixel_mm, canvas)
            logits = logits_of(framing.frame_mask(mask, spacing_mm))
            restored = framing.unframe(logits, size, spacing_mm)[0, 0].numpy() > 0
            # One pixel of the frame, in pixels of the slice.
            reach = max(round(pixel_mm / min(spacing_mm) + 0.49), 1)
            around = np.ones((3, 3))
            assert not (restored & ~binary_dilation(mask, around, reach)).any()
            assert not (binary_erosion(mask, around, reach) & ~restored).any()
            assert restored.sum() == pytest.approx(mask.sum(), rel=0.1)


@pytest.mark.parametrize("call", ["image", "mask", "logits"])
def test_unknown_spacing_is_rejected_if_it_is_needed(call):
    framing = Framing(1.5, 64)
    with pytest.raises(
        InputError, match=r"cannot resample to 1\.5 mm, because the pixel spacing is unknown"
    ):
        {
            "image": lambda: framing.frame_image(noise(9, 9), None),
            "mask": lambda: framing.frame_mask(noise(9, 9) > 9, None),
            "logits": lambda: framing.unframe(torch.zeros(1, 1, 64, 64), (9, 9), None),
        }[call]()
    assert Framing(canvas_px=64).frame_image(noise(9, 9), None).shape == (64, 64)


def test_unframe_accepts_logits_of_half_precision():
    logits = logits_of(noise(8, 8) > 128).to(torch.bfloat16)
    back = Framing(canvas_px=8).unframe(logits, (6, 10), None)
    np.testing.assert_array_equal(back[0, 0, :, 1:9] > 0, logits[0, 0, 1:7] > 0)


def test_frame_mask_keeps_label_values():
    labels = np.array([[0, 0, 3, 3], [7, 7, 0, 0]], np.uint8)
    framed = Framing(1.0, 6).frame_mask(labels, (2, 1))
    expected = np.zeros((6, 6), np.uint8)
    expected[1:5, 1:5] = labels.repeat(2, axis=0)
    np.testing.assert_array_equal(framed, expected)


def test_unframe_treats_each_class_alone():
    framing, logits = Framing(1.0, 9), torch.randn(1, 3, 9, 9)
    back = framing.unframe(logits, (5, 12), (2.0, 0.5))
    assert back.shape == (1, 3, 5, 12)
    for number in range(3):
        alone = framing.unframe(logits[:, number : number + 1], (5, 12), (2.0, 0.5))
        torch.testing.assert_close(back[:, number : number + 1], alone)


def test_boxes_follow_the_pixels_of_their_image():
    framing = Framing(pixel_mm=1.0, canvas_px=20)
    mask = np.zeros((10, 12), bool)
    mask[4:6, 3:8] = True  # pixels of 2 x 1.5 mm: 20 rows and 18 columns
    framed = framing.frame_box((3, 4, 8, 6), (10, 12), (2.0, 1.5))
    assert framed == (5, 8, 13, 12)
    rows, columns = np.nonzero(framing.frame_mask(mask, (2.0, 1.5)))
    assert framed[1] <= rows.min() <= rows.max() < framed[3]
    assert framed[0] <= columns.min() <= columns.max() < framed[2]


def test_boxes_are_cut_at_the_frame_and_lost_outside_of_it():
    framing = Framing(canvas_px=4)
    assert framing.frame_box((0, 0, 10, 10), (10, 10), None) == (0, 0, 4, 4)
    assert framing.frame_box((2, 4, 5, 6), (10, 10), None) == (0, 1, 2, 3)
    assert framing.frame_box((0, 4, 3, 6), (10, 10), None) is None
    assert Framing().frame_box((2, 4, 5, 6), (10, 10), None) == (2, 4, 5, 6)
