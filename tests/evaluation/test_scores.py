"""Scores of one class in one case, and means over cases."""

import numpy as np
import pytest
import torch

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.evaluation.scores import (
    COLUMNS,
    Scores,
    mean_scores,
    score_losses,
    score_mask,
)
from automedsam.supervision.box_losses import AutoMedSAMLoss, boxes_tensor


def rectangle(x0: int, y0: int, x1: int, y1: int) -> np.ndarray:
    return fill_boxes([(x0, y0, x1, y1)], (24, 30))


NOTHING = np.zeros((24, 30), bool)
BOX = (5, 4, 15, 14)
MEAN_BOX = torch.tensor([0.2, 1 / 3, 0.6, 0.75])  # 6, 8, 18, 18 in 24 x 30 pixels
MEAN_BOX_IOU = 54 / 166  # with BOX


def test_a_mask_is_compared_with_the_true_mask_and_the_boxes() -> None:
    scores = score_mask(rectangle(8, 4, 18, 14), rectangle(*BOX), [BOX], MEAN_BOX, None)
    assert scores.hd95_mm is None
    assert scores.row() == {
        "dice": pytest.approx(0.7),
        "iou": pytest.approx(70 / 130),
        "hd95_px": pytest.approx(3),
        "box_iou": pytest.approx(70 / 130),
        "mean_box_iou": pytest.approx(MEAN_BOX_IOU),
    }


def test_distances_are_also_in_mm_if_the_spacing_is_known() -> None:
    spacing_mm = (9.0, 2.0, 0.5)
    scores = score_mask(rectangle(8, 4, 18, 14), rectangle(*BOX), [BOX], MEAN_BOX, spacing_mm)
    assert (scores.hd95_px, scores.hd95_mm) == (pytest.approx(3), pytest.approx(1.5))


def test_box_iou_compares_boxes_not_masks() -> None:
    corners = rectangle(5, 4, 6, 5) | rectangle(14, 13, 15, 14)
    scores = score_mask(corners, rectangle(*BOX), [BOX], MEAN_BOX, None)
    assert scores.box_iou == 1
    assert scores.iou == pytest.approx(2 / 100)


@pytest.mark.parametrize(("mask", "left_empty"), [(NOTHING, 1), (rectangle(5, 4, 6, 5), 0)])
@pytest.mark.parametrize("truth", [NOTHING, None])
def test_an_absent_object_is_scored_by_left_empty_only(
    mask: np.ndarray, truth: np.ndarray | None, left_empty: int
) -> None:
    scores = score_mask(mask, truth, [], MEAN_BOX, None)
    assert scores == Scores(left_empty=left_empty)
    assert scores.row() == {"left_empty": left_empty}


def test_a_missed_object_has_scores_of_0_and_no_distance() -> None:
    scores = score_mask(NOTHING, rectangle(*BOX), [BOX], MEAN_BOX, None)
    assert (scores.hd95_px, scores.hd95_mm) == (None, None)
    assert scores.row() == {
        "dice": 0,
        "iou": 0,
        "box_iou": 0,
        "mean_box_iou": pytest.approx(MEAN_BOX_IOU),
    }


def test_without_a_true_mask_only_boxes_are_compared() -> None:
    scores = score_mask(rectangle(8, 4, 18, 14), None, [BOX], MEAN_BOX, None)
    assert scores.row() == {
        "box_iou": pytest.approx(70 / 130),
        "mean_box_iou": pytest.approx(MEAN_BOX_IOU),
    }


def test_the_mean_box_is_compared_with_the_box_around_all_parts() -> None:
    scores = score_mask(NOTHING, None, [(5, 4, 7, 14), (13, 4, 15, 6)], MEAN_BOX, None)
    assert scores.mean_box_iou == pytest.approx(MEAN_BOX_IOU)


def test_joined_scores_are_those_of_both() -> None:
    one, other = Scores(dice=0.5, iou=0.4), Scores(iou=0.6, loss=2.0)
    assert one.joined(other) == Scores(dice=0.5, iou=0.6, loss=2.0)
    assert one.joined(Scores()) == one


def test_columns_are_the_names_of_all_scores() -> None:
    scores = Scores(**dict.fromkeys(COLUMNS, 0.0))
    assert scores.row().keys() == set(COLUMNS)
    assert len(COLUMNS) == len(set(COLUMNS))
    assert Scores.__dataclass_fields__.keys() == set(COLUMNS)


@pytest.mark.parametrize("index", [0, 2])
def test_losses_are_those_of_the_training(cases: list[Case], index: int) -> None:
    case, criterion = cases[index], AutoMedSAMLoss(lambda_tightness=0.1)
    logits = torch.randn(1, 1, *case.image_size)
    loss = criterion(logits, boxes_tensor(case.all_boxes_xyxy, logits.device))
    assert score_losses(criterion, logits, case.all_boxes_xyxy) == Scores(
        loss=loss.total.item(),
        loss_empty=loss.empty.item(),
        loss_tightbox=loss.tightbox.item(),
        loss_size=loss.size.item(),
    )


def test_a_mean_is_over_the_rows_that_define_the_score() -> None:
    rows = [
        Scores(dice=1.0, hd95_px=None),
        Scores(dice=0.5, hd95_px=4.0),
        Scores(dice=0.0, hd95_px=7.0),
    ]
    assert mean_scores([scores.row() for scores in rows]) == {"dice": 0.5, "hd95_px": 5.5}
    assert mean_scores([{"dice": 1.0}, {"left_empty": 0.0}, {"left_empty": 1.0}]) == {
        "dice": 1.0,
        "left_empty": 0.5,
    }


def test_a_score_that_no_row_defines_has_no_mean() -> None:
    rows = [Scores(dice=1.0, hd95_px=None), Scores(dice=0.0, hd95_px=None)]
    assert mean_scores([scores.row() for scores in rows]) == {"dice": 0.5}
    assert mean_scores([]) == {}
