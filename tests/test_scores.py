"""The scores of a case, its yardsticks, and the means over cases."""

import numpy as np
import pytest
import torch

from automedsam.boxes import EMPTY, fill_box
from automedsam.cases import Case
from automedsam.device import Compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.losses import AutoMedSAMLoss
from automedsam.metrics import dice
from automedsam.model import AutoMedSAM
from automedsam.sam import Weights
from automedsam.scores import mean_relative_box, mean_scores, score_losses, score_mask, score_yardsticks
from automedsam.segmenter import Segmenter, to_mask


@pytest.fixture
def segmenter(tiny_weights: Weights) -> Segmenter:
    return Segmenter(AutoMedSAM(tiny_weights).eval(), Compute(torch.device("cpu"), torch.float32))


def test_a_mask_is_scored_against_the_truth() -> None:
    scores = score_mask(fill_box((8, 4, 18, 14), (24, 30)), fill_box((5, 4, 15, 14), (24, 30)))
    assert scores == {
        "dice": pytest.approx(0.7),
        "iou": pytest.approx(70 / 130),
        "hd95_px": pytest.approx(3),
        "box_iou": pytest.approx(70 / 130),
    }


def test_box_iou_compares_boxes_not_masks() -> None:
    corners = fill_box((5, 4, 6, 5), (24, 30)) | fill_box((14, 13, 15, 14), (24, 30))
    scores = score_mask(corners, fill_box((5, 4, 15, 14), (24, 30)))
    assert scores["box_iou"] == 1
    assert scores["iou"] == pytest.approx(2 / 100)


def test_two_empty_masks_score_full_marks_and_have_no_distance() -> None:
    nothing = np.zeros((24, 30), bool)
    assert score_mask(nothing, nothing) == {"dice": 1, "iou": 1, "hd95_px": None, "box_iou": 1}


def test_a_missed_object_scores_nothing() -> None:
    scores = score_mask(np.zeros((24, 30), bool), fill_box((5, 4, 15, 14), (24, 30)))
    assert scores == {"dice": 0, "iou": 0, "hd95_px": None, "box_iou": 0}


def test_the_yardsticks_are_the_bare_backbones_masks_and_the_filled_box(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case, mean_box = cases[4], torch.tensor([0.25, 0.3, 0.7, 0.9])
    truth = fill_box((20, 6, 61, 17), case.image_size)
    embedding = embeddings.load([case], torch.device("cpu"))
    from_true_box = to_mask(segmenter.segment_box(embedding, case.image_size, torch.tensor([20.0, 6.0, 61.0, 27.0])))
    from_mean_box = to_mask(
        segmenter.segment_box(embedding, case.image_size, torch.tensor([0.25 * 71, 0.3 * 33, 0.7 * 71, 0.9 * 33]))
    )
    assert not np.array_equal(from_true_box, from_mean_box)
    assert score_yardsticks(segmenter, embedding, case, truth, mean_box) == {
        "true_box_dice": pytest.approx(dice(from_true_box, truth)),
        "mean_box_dice": pytest.approx(dice(from_mean_box, truth)),
        "box_fill_dice": pytest.approx(2 * 11 / (11 + 21)),
    }


def test_without_an_object_the_true_box_yardsticks_are_full_marks(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case = cases[2]
    assert case.box_xyxy == EMPTY
    embedding = embeddings.load([case], torch.device("cpu"))
    scores = score_yardsticks(
        segmenter, embedding, case, np.zeros(case.image_size, bool), torch.tensor([0.2, 0.2, 0.8, 0.8])
    )
    assert (scores["true_box_dice"], scores["box_fill_dice"]) == (1, 1)


@pytest.mark.parametrize("index", [0, 2])
def test_the_losses_are_the_trainings(cases: list[Case], index: int) -> None:
    case, criterion = cases[index], AutoMedSAMLoss(lambda_tightness=0.1)
    logits = torch.randn(1, 1, *case.image_size)
    loss = criterion(logits, torch.tensor([case.box_xyxy]))
    assert score_losses(criterion, logits, case) == {
        "loss": loss.total.item(),
        "loss_empty": loss.empty.item(),
        "loss_tightbox": loss.tightbox.item(),
        "loss_size": loss.size.item(),
    }


def test_the_mean_box_is_relative_to_each_image_and_skips_empty_ones() -> None:
    cases = [
        Case("a", "a", "train", 100, 200, (20, 10, 100, 50)),
        Case("b", "b", "train", 10, 10, EMPTY),
        Case("c", "c", "train", 40, 20, (6, 12, 16, 36)),
    ]
    assert mean_relative_box(cases).tolist() == pytest.approx([0.2, 0.2, 0.65, 0.7])


def test_a_mean_is_over_the_rows_that_have_the_score() -> None:
    rows = [{"dice": 1.0, "hd95_px": None}, {"dice": 0.5, "hd95_px": 4.0}, {"dice": 0.0, "hd95_px": 7.0}]
    assert mean_scores(rows) == {"dice": 0.5, "hd95_px": 5.5}


def test_a_score_that_no_row_has_has_no_mean() -> None:
    assert mean_scores([{"dice": 1.0, "hd95_px": None}, {"dice": 0.0, "hd95_px": None}]) == {"dice": 0.5}
