"""Dice, IoU and Hausdorff distance against values computed by hand, including empty masks."""

from collections.abc import Callable

import numpy as np
import pytest
import torch

from automedsam.cases.boxes import Box, fill_boxes
from automedsam.evaluation.metrics import compute_dice_score, dice, hd95, iou

SIZE = (24, 30)
NOTHING = np.zeros(SIZE, bool)


def square(x0: int, y0: int, side: int = 10) -> np.ndarray:
    return fill_boxes([(x0, y0, x0 + side, y0 + side)], SIZE)


@pytest.mark.parametrize(
    ("x0", "expected_dice", "expected_iou"),
    [(5, 1, 1), (8, 0.7, 70 / 130), (14, 0.1, 10 / 190), (15, 0, 0)],
)
def test_dice_and_iou_of_shifted_squares(
    x0: int, expected_dice: float, expected_iou: float
) -> None:
    assert dice(square(x0, 4), square(5, 4)) == pytest.approx(expected_dice)
    assert iou(square(x0, 4), square(5, 4)) == pytest.approx(expected_iou)


def test_dice_and_iou_of_a_mask_inside_another() -> None:
    assert dice(square(5, 4, 4), square(5, 4, 8)) == pytest.approx(2 * 16 / 80)
    assert iou(square(5, 4, 4), square(5, 4, 8)) == pytest.approx(16 / 64)


@pytest.mark.parametrize("score", [dice, iou])
def test_two_empty_masks_score_1_and_one_empty_mask_0(
    score: Callable[[np.ndarray, np.ndarray], float],
) -> None:
    assert score(NOTHING, NOTHING) == 1
    assert score(square(5, 4), NOTHING) == 0
    assert score(NOTHING, square(5, 4)) == 0


@pytest.mark.parametrize(
    ("shift", "expected"), [((0, 0), 0), ((3, 0), 3), ((0, 3), 3), ((15, 0), 15)]
)
def test_hd95_of_a_shifted_square_is_the_shift(shift: tuple[int, int], expected: float) -> None:
    distance = hd95(square(1 + shift[0], 2 + shift[1]), square(1, 2))
    assert distance == pytest.approx(expected)


def test_hd95_ignores_a_twentieth_of_the_contour() -> None:
    speck = square(1, 2) | fill_boxes([(28, 20, 29, 21)], SIZE)
    assert hd95(speck, square(1, 2)) == 0


def test_hd95_is_the_larger_of_both_directions() -> None:
    both = square(0, 0, 6) | square(20, 0, 6)
    assert hd95(both, square(0, 0, 6)) == hd95(square(0, 0, 6), both) == pytest.approx(20)


@pytest.mark.parametrize("boxes", [((0, 0, 30, 24), (1, 1, 29, 23)), ((0, 0, 1, 1), (1, 0, 2, 1))])
def test_hd95_counts_contours_at_the_image_border(boxes: tuple[Box, Box]) -> None:
    one, other = (fill_boxes([box], SIZE) for box in boxes)
    assert hd95(one, other) == pytest.approx(1)


def test_hd95_of_an_empty_mask_is_none() -> None:
    assert hd95(NOTHING, square(5, 4)) is None
    assert hd95(square(5, 4), NOTHING) is None
    assert hd95(NOTHING, NOTHING) is None


@pytest.mark.parametrize(("shift", "expected"), [((3, 0), 1.5), ((0, 3), 6)])
def test_hd95_in_mm_distinguishes_rows_from_columns(
    shift: tuple[int, int], expected: float
) -> None:
    moved = square(1 + shift[0], 2 + shift[1])
    assert hd95(moved, square(1, 2), pixel_mm=(2.0, 0.5)) == pytest.approx(expected)


def test_dice_of_volumes_counts_voxels() -> None:
    one = np.stack([square(5, 4), square(5, 4), NOTHING])
    other = np.stack([square(5, 4), NOTHING, NOTHING])
    assert dice(one, other) == pytest.approx(2 * 100 / 300)


@pytest.mark.parametrize("as_logits", [True, False])
def test_compute_dice_score_accepts_logits_or_masks(as_logits: bool) -> None:
    pairs = [
        (square(5, 4), square(8, 4)),
        (NOTHING, NOTHING),
        (square(5, 4), NOTHING),
        (NOTHING, square(5, 4)),
    ]
    masks, truth = (
        torch.from_numpy(np.stack(stack))[:, None] for stack in zip(*pairs, strict=True)
    )
    predicted = torch.where(masks, 0.1, -40.0) if as_logits else masks
    assert compute_dice_score(predicted, truth).tolist() == pytest.approx([0.7, 1, 0, 0])
    assert compute_dice_score(predicted, 255 * truth.long()).tolist() == pytest.approx(
        [0.7, 1, 0, 0]
    )


def test_a_logit_of_zero_is_background() -> None:
    assert compute_dice_score(torch.zeros(1, 1, 4, 4), torch.zeros(1, 1, 4, 4)).tolist() == [1]
