"""Conversion to the input frame and back, as MedSAM, SAM and LiteMedSAM expect it."""

import json

import numpy as np
import pytest
import torch

from automedsam.backbone.preprocessing import Kind, Preprocessing, average_areas
from automedsam.cases.boxes import Box, tight_box
from stock_sam import ResizeLongestSide

MEDSAM = Preprocessing("medsam", 64, mean=(0.0,) * 3, std=(1.0,) * 3)
SAM = Preprocessing("sam", 64, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
LITE = Preprocessing("lite_medsam", 64, mean=(0.0,) * 3, std=(1.0,) * 3)
ALL = [
    pytest.param(MEDSAM, id="medsam"),
    pytest.param(SAM, id="sam"),
    pytest.param(LITE, id="lite_medsam"),
]


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_medsam_scales_values_to_0_and_1() -> None:
    pixels = MEDSAM((60 + noise(40, 90) // 4).astype(np.uint8))
    assert pixels.shape == (3, 64, 64)
    assert (pixels.min(), pixels.max()) == (0, 1)


def test_medsam_stretches_the_image_to_the_square() -> None:
    image = np.zeros((32, 100), np.uint8)
    image[:16, 50:] = 255
    pixels = MEDSAM(image)
    assert (pixels[:, :28, 36:] > 0.99).all()
    assert (pixels[:, :28, :28] < 0.01).all()
    assert (pixels[:, 36:] < 0.01).all()


def test_mean_and_std_are_applied_after_the_scaling() -> None:
    image = noise(40, 90)
    shifted = Preprocessing("medsam", 64, mean=(0.4, 0.5, 0.6), std=(0.25, 0.5, 0.1))(image)
    for channel, (mean, std) in enumerate([(0.4, 0.25), (0.5, 0.5), (0.6, 0.1)]):
        torch.testing.assert_close(shifted[channel], (MEDSAM(image)[channel] - mean) / std)


@pytest.mark.parametrize(
    ("size", "content"), [((32, 64), (32, 64)), ((200, 100), (64, 32)), ((30, 40), (48, 64))]
)
def test_sam_keeps_the_aspect_ratio_and_pads_with_zeros(
    size: tuple[int, int], content: tuple[int, int]
) -> None:
    pixels = SAM(np.full((*size, 3), 124, np.uint8))
    height, width = content
    expected = [(124 - 123.675) / 58.395, (124 - 116.28) / 57.12, (124 - 103.53) / 57.375]
    for channel in range(3):
        inside = pixels[channel, :height, :width]
        torch.testing.assert_close(
            inside, torch.full(content, expected[channel]), rtol=0, atol=1e-4
        )
    assert not pixels[:, height:].any()
    assert not pixels[:, :, width:].any()


def test_sam_does_not_stretch_values() -> None:
    low, high = (SAM(np.full((64, 64, 3), value, np.uint8)) for value in (100, 110))
    torch.testing.assert_close(
        high - low, (10 / 255 / torch.tensor(SAM.std))[:, None, None].expand(3, 64, 64)
    )


@pytest.mark.parametrize("kind", ["sam", "lite_medsam"])
@pytest.mark.parametrize("side", [256, 1024])
def test_content_size_equals_segment_anything(kind: Kind, side: int) -> None:
    rng = np.random.default_rng(0)
    for height, width in rng.integers(20, 1500, (200, 2)).tolist():
        expected = ResizeLongestSide.get_preprocess_shape(height, width, side)
        preprocessing = Preprocessing(kind, side, SAM.mean, SAM.std)
        assert preprocessing.content_size((height, width)) == expected
    assert preprocessing.content_size((1, 10_000)) == (1, side)


def test_area_averages_of_3_pixels_on_2() -> None:
    found = average_areas(torch.tensor([[[0.0, 60.0, 240.0]]]), (1, 2))
    torch.testing.assert_close(found, torch.tensor([[[(0 + 30) / 1.5, (30 + 240) / 1.5]]]))


def test_area_averages_of_2_pixels_on_3() -> None:
    found = average_areas(torch.tensor([[[0.0], [60.0]]]), (3, 1))
    torch.testing.assert_close(found, torch.tensor([[[0.0], [30.0], [60.0]]]))


def test_area_averages_of_blocks_are_their_means() -> None:
    values = torch.tensor([[[1.0, 3, 0, 8], [5, 7, 4, 4]], [[0, 0, 2, 2], [0, 4, 2, 2]]])
    torch.testing.assert_close(
        average_areas(values, (1, 2)), torch.tensor([[[4.0, 4.0]], [[1.0, 2.0]]])
    )


def test_area_averages_at_the_same_size_are_the_pixels() -> None:
    values = torch.rand(3, 7, 5)
    assert torch.equal(average_areas(values, (7, 5)), values)


@pytest.mark.parametrize("size", [(4, 9), (7, 5), (1, 1), (20, 3)])
def test_area_averages_equal_a_loop_over_overlapping_pixels(size: tuple[int, int]) -> None:
    values = np.random.default_rng(0).random((2, 11, 6))
    expected = np.zeros((2, *size))
    down, across = 11 / size[0], 6 / size[1]  # source pixels per pixel
    for y, x in np.ndindex(size):
        for row, column in np.ndindex(11, 6):
            height = min((y + 1) * down, row + 1) - max(y * down, row)
            width = min((x + 1) * across, column + 1) - max(x * across, column)
            if height > 0 and width > 0:
                share = height * width / (down * across)
                expected[:, y, x] += share * values[:, row, column]
    found = average_areas(torch.tensor(values), size)
    assert found.numpy() == pytest.approx(expected, abs=1e-12)


def test_lite_medsam_scales_values_after_the_resizing_over_all_channels() -> None:
    image = np.zeros((128, 128, 3), np.uint8)
    image[:] = (50, 90, 60)
    image[:64, ::2, 0], image[:64, 1::2, 0] = 0, 255  # 127.5 on average
    pixels = LITE(image)
    expected = torch.tensor([0.0, 40, 10])[:, None, None].repeat(1, 64, 64) / 77.5
    expected[0, :32] = 1
    torch.testing.assert_close(pixels, expected)


@pytest.mark.parametrize("size", [(20, 40), (90, 50), (70, 140)])
def test_lite_medsam_pads_with_zeros_after_the_scaling(size: tuple[int, int]) -> None:
    image = (100 + noise(*size) // 4).astype(np.uint8)
    shifted = Preprocessing("lite_medsam", 64, mean=(2.0,) * 3, std=(0.5,) * 3)
    height, width = LITE.content_size(size)
    for preprocessing, limits in ((LITE, (0, 1)), (shifted, (-4, -2))):
        pixels = preprocessing(image)
        inside = pixels[:, :height, :width]
        assert (inside.min(), inside.max()) == limits
        assert not pixels[:, height:].any()
        assert not pixels[:, :, width:].any()


def test_lite_medsam_does_not_round_the_scale_of_boxes() -> None:
    box = LITE.box_to_input(torch.tensor([0.0, 11.0, 71.0, 33.0]), (33, 71))
    assert box.tolist() == pytest.approx([0, 64 * 11 / 71, 64, 64 * 33 / 71])
    assert LITE.content_size((33, 71)) == (30, 64)  # 64 * 33 / 71 = 29.7
    tall = LITE.box_to_input(torch.tensor([33.0, 0.0, 33.0, 71.0]), (71, 33))
    assert tall.tolist() == pytest.approx([64 * 33 / 71, 0, 64 * 33 / 71, 64])


def interpolated(values: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Interpolate (height, width) linearly between the centres of its pixels, along each side."""
    for axis, side in enumerate(size):
        source = values.shape[axis]
        centres = (np.arange(side) + 0.5) * source / side - 0.5
        values = np.apply_along_axis(
            lambda line, at=centres: np.interp(at, np.arange(len(line)), line), axis, values
        )
    return values


@pytest.mark.parametrize("size", [(33, 71), (130, 90), (64, 64)])
@pytest.mark.parametrize("preprocessing", ALL[1:])
def test_mask_to_image_crops_the_padding_before_the_last_interpolation(
    preprocessing: Preprocessing, size: tuple[int, int]
) -> None:
    logits = np.random.default_rng(0).normal(size=(16, 16))
    height, width = preprocessing.content_size(size)
    expected = interpolated(interpolated(logits, (64, 64))[:height, :width], size)
    found = preprocessing.mask_to_image(torch.tensor(logits)[None, None], size)[0, 0]
    assert found.numpy() == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("preprocessing", ALL)
def test_grey_image_becomes_three_equal_channels(preprocessing: Preprocessing) -> None:
    grey = noise(50, 30)
    assert torch.equal(preprocessing(grey), preprocessing(np.repeat(grey[..., None], 3, axis=2)))


@pytest.mark.parametrize("preprocessing", ALL)
def test_channels_keep_their_order(preprocessing: Preprocessing) -> None:
    image = np.zeros((64, 64, 3), np.uint8)
    image[8:40, 8:40, 1] = 255
    changed = preprocessing(image) - preprocessing(np.zeros_like(image))
    assert changed[1, 8:40, 8:40].min() > 0.9
    assert not changed[[0, 2]].any()


@pytest.mark.parametrize("value", [0, 7, 255])
@pytest.mark.parametrize("preprocessing", ALL)
def test_constant_image_gives_finite_values(preprocessing: Preprocessing, value: int) -> None:
    pixels = preprocessing(np.full((50, 30), value, np.uint8))
    assert pixels.isfinite().all()
    assert pixels.abs().max() < 10


@pytest.mark.parametrize("preprocessing", ALL)
def test_boxes_survive_a_round_trip(preprocessing: Preprocessing) -> None:
    rng = np.random.default_rng(0)
    for height, width in rng.integers(3, 900, (100, 2)).tolist():
        low, high = rng.uniform(0, 0.5, (5, 2)), rng.uniform(0.5, 1, (5, 2))
        boxes = torch.tensor(np.concatenate([low, high], axis=1) * [width, height, width, height])
        there = preprocessing.box_to_input(boxes, (height, width))
        torch.testing.assert_close(preprocessing.box_to_image(there, (height, width)), boxes)


@pytest.mark.parametrize("preprocessing", ALL[:2])
@pytest.mark.parametrize("size", [(33, 71), (71, 33), (64, 64), (640, 480)])
def test_box_around_the_image_becomes_the_content_size(
    preprocessing: Preprocessing, size: tuple[int, int]
) -> None:
    height, width = size
    content_height, content_width = preprocessing.content_size(size)
    box = preprocessing.box_to_input(torch.tensor([0.0, 0.0, width, height]), size)
    assert box.tolist() == pytest.approx([0, 0, content_width, content_height])


@pytest.mark.parametrize(
    ("preprocessing", "size", "box_xyxy"),
    [
        pytest.param(MEDSAM, (64, 128), (32, 8, 96, 24), id="medsam wide"),
        pytest.param(MEDSAM, (192, 32), (8, 24, 24, 72), id="medsam tall"),
        pytest.param(SAM, (64, 128), (32, 16, 96, 48), id="sam wide"),
        pytest.param(SAM, (192, 96), (48, 24, 96, 72), id="sam tall"),
        pytest.param(LITE, (64, 128), (32, 16, 96, 48), id="lite_medsam wide"),
        pytest.param(LITE, (192, 96), (48, 24, 96, 72), id="lite_medsam tall"),
    ],
)
def test_mask_to_image_maps_a_rectangle_to_its_place(
    preprocessing: Preprocessing, size: tuple[int, int], box_xyxy: Box
) -> None:
    logits = torch.full((1, 1, 16, 16), -10.0)
    logits[..., 2:6, 4 : 12 if size[1] > 96 or preprocessing is MEDSAM else 8] = 10
    mask = preprocessing.mask_to_image(logits.half(), size)
    assert mask.shape == (1, 1, *size)
    assert mask.dtype == torch.float32
    assert tight_box(mask[0, 0].numpy() > 0) == box_xyxy


@pytest.mark.parametrize("preprocessing", ALL)
@pytest.mark.parametrize("size", [(45, 150), (150, 45)])
def test_mask_to_image_inverts_the_preprocessing(
    preprocessing: Preprocessing, size: tuple[int, int]
) -> None:
    image = np.zeros(size, np.uint8)
    image[12:33, 9:39] = 255
    shown = preprocessing(image)[None, :1]
    half = (shown.max() + shown.min()) / 2
    found = tight_box(preprocessing.mask_to_image(shown - half, size)[0, 0].numpy() > 0)
    assert found == pytest.approx((9, 12, 39, 33), abs=1)


@pytest.mark.parametrize("preprocessing", ALL)
@pytest.mark.parametrize("shape", [(50, 90), (90, 50, 3)])
def test_thumbnail_is_a_smaller_frame_in_0_to_1(
    preprocessing: Preprocessing, shape: tuple[int, ...]
) -> None:
    image = noise(*shape)
    thumbnail = preprocessing.thumbnail(image, 32)
    assert thumbnail.shape == (3, 32, 32)
    assert thumbnail.dtype == torch.float32
    assert 0 <= thumbnail.min() <= thumbnail.max() <= 1
    full_size = preprocessing.thumbnail(image, preprocessing.size)
    mean, std = (
        torch.tensor(values)[:, None, None] for values in (preprocessing.mean, preprocessing.std)
    )
    height, width = preprocessing.content_size(image.shape[:2])
    torch.testing.assert_close(
        ((full_size - mean) / std)[:, :height, :width], preprocessing(image)[:, :height, :width]
    )


def test_thumbnail_pads_like_the_input_frame() -> None:
    padded = SAM.thumbnail(np.full((20, 40), 200, np.uint8), 32)
    expected = torch.full((3, 16, 32), 200 / 255)
    torch.testing.assert_close(padded[:, :16], expected, atol=1e-4, rtol=0)
    assert not padded[:, 16:].any()
    black_and_white = np.repeat(np.array([[10], [90]], np.uint8), 40, axis=0).repeat(30, axis=1)
    stretched = MEDSAM.thumbnail(black_and_white, 32)
    assert (stretched.min(), stretched.max()) == (0, 1)


@pytest.mark.parametrize("preprocessing", ALL)
@pytest.mark.parametrize(
    ("size", "box_xyxy"),
    [((64, 128), (32, 16, 96, 48)), ((128, 64), (16, 64, 48, 112)), ((64, 64), (8, 16, 40, 64))],
)
def test_map_to_input_agrees_with_box_to_input(
    preprocessing: Preprocessing, size: tuple[int, int], box_xyxy: Box
) -> None:
    values = torch.zeros(2, *size)
    values[1] = 1
    x0, y0, x1, y1 = box_xyxy
    values[0, y0:y1, x0:x1] = 1
    found = preprocessing.map_to_input(values, 32)
    assert found.shape == (2, 32, 32)
    expected = preprocessing.box_to_input(torch.tensor(box_xyxy).float(), size) / (
        preprocessing.size / 32
    )
    assert tight_box(found[0].numpy() > 0.5) == tuple(expected.int().tolist())
    height, width = (
        side // (preprocessing.size // 32) for side in preprocessing.content_size(size)
    )
    torch.testing.assert_close(found[1, :height, :width], torch.ones(height, width))
    assert found[1].sum().item() == pytest.approx(height * width)


@pytest.mark.parametrize("preprocessing", ALL)
def test_map_to_input_agrees_with_thumbnail(preprocessing: Preprocessing) -> None:
    image = np.zeros((45, 150), np.uint8)
    image[12:33, 30:99] = 255
    mask = preprocessing.map_to_input(torch.tensor(image > 0).float()[None], 32)[0]
    assert torch.equal(preprocessing.thumbnail(image, 32)[0] > 0.5, mask > 0.5)


@pytest.mark.parametrize("preprocessing", ALL)
def test_header_identifies_the_preprocessing(preprocessing: Preprocessing) -> None:
    header = json.loads(json.dumps(preprocessing.header()))
    assert header.keys() == {"kind", "size", "mean", "std"}
    assert header["kind"] == preprocessing.kind
    assert (
        Preprocessing(header["kind"], header["size"], tuple(header["mean"]), tuple(header["std"]))
        == preprocessing
    )
