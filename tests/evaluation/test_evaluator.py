"""A test case with and without its true mask: each class has a row of its own."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.cases.masks import to_labels
from automedsam.evaluation.evaluator import CaseEvaluator
from automedsam.evaluation.scores import Overlap
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.segmenter import Segmenter
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss

CLASSES = [ObjectClass("liver", 1), ObjectClass("spleen", 7)]
LIVER, SPLEEN = (20, 6, 30, 27), (40, 10, 61, 30)
LOSSES = {"loss", "loss_empty", "loss_tightbox", "loss_size"}
BOXES = {"box_iou", "mean_box_iou"}
MASKS = {"dice", "iou", "hd95_px", "hd95_mm", "true_box_dice", "mean_box_dice", "box_fill_dice"}


@pytest.fixture
def case(cases: list[Case]) -> Case:
    return replace(cases[4], boxes_xyxy=(LIVER, SPLEEN), box_classes=(1, 7))


@pytest.fixture
def examiner(tiny_weights: Weights, case: Case) -> CaseEvaluator:
    """Its training cases had the boxes of the case itself."""
    segmenter = Segmenter(
        AutoMedSAM(tiny_weights).eval(), Compute(torch.device("cpu"), torch.float32)
    )
    return CaseEvaluator(segmenter, AutoMedSAMLoss(), CLASSES, [case])


def logits_of(case: Case, *boxes: tuple[int, int, int, int]) -> Tensor:
    """(1, K, H, W): surely the boxes, one of each class."""
    logits = torch.full((1, len(boxes), *case.image_size), -9.0)
    for of_class, (x0, y0, x1, y1) in zip(logits[0], boxes, strict=True):
        of_class[y0:y1, x0:x1] = 9
    return logits


def test_with_a_true_mask_all_is_said_of_each_class(
    examiner: CaseEvaluator, case: Case, embeddings: EmbeddingFolder
) -> None:
    embedding = embeddings.load([case], torch.device("cpu"))
    truth = to_labels(logits_of(case, LIVER, SPLEEN), CLASSES)
    logits = logits_of(case, LIVER, (40, 10, 51, 30))  # eleven columns of the spleen's twenty-one
    examined = examiner.evaluate(case, embedding, logits, to_labels(logits, CLASSES), truth)
    liver, spleen = examined.scores
    assert liver.keys() == spleen.keys() == LOSSES | BOXES | MASKS
    assert (liver["dice"], spleen["dice"]) == (1, pytest.approx(2 * 11 / (11 + 21)))
    assert (liver["box_iou"], spleen["box_iou"]) == (1, pytest.approx(11 / 21))
    assert (liver["mean_box_iou"], spleen["box_fill_dice"]) == (1, 1)
    assert liver["loss_tightbox"] < spleen["loss_tightbox"]  # type: ignore[operator]
    assert examined.overlaps == [Overlap(210, 210, 210), Overlap(220, 420, 220)]


def test_without_a_true_mask_boxes_and_losses_remain(
    examiner: CaseEvaluator, case: Case, embeddings: EmbeddingFolder
) -> None:
    logits = logits_of(case, LIVER, SPLEEN)
    embedding = embeddings.load([case], torch.device("cpu"))
    examined = examiner.evaluate(case, embedding, logits, to_labels(logits, CLASSES), None)
    assert [of_class.keys() for of_class in examined.scores] == [LOSSES | BOXES] * 2
    assert examined.overlaps == []


def test_of_a_class_that_is_absent_it_is_said_whether_it_is_left_empty(
    examiner: CaseEvaluator, case: Case, embeddings: EmbeddingFolder
) -> None:
    logits = logits_of(case, LIVER, SPLEEN)
    truth = np.where(to_labels(logits, CLASSES) == 1, 1, 0).astype(np.uint8)
    embedding = embeddings.load([case], torch.device("cpu"))
    liver, spleen = examiner.evaluate(
        case, embedding, logits, to_labels(logits, CLASSES), truth
    ).scores
    assert liver["dice"] == 1
    assert spleen.keys() == LOSSES | {"left_empty"}
    assert spleen["left_empty"] == 0
