"""Evaluation of one test case, with and without a true mask, class by class."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.masks import to_labels
from automedsam.evaluation.evaluator import CaseEvaluator, CaseResult
from automedsam.evaluation.volumes import Overlap
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.segmenter import Segmenter
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss

CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)])
LIVER, SPLEEN = (20, 6, 30, 27), (40, 10, 61, 30)
LOSSES = {"loss", "loss_empty", "loss_tightbox", "loss_size"}
BOXES = {"box_iou", "mean_box_iou"}
MASKS = {"dice", "iou", "hd95_px", "true_box_dice", "mean_box_dice", "box_fill_dice"}


@pytest.fixture
def case(cases: list[Case]) -> Case:
    return replace(cases[4], boxes={1: (LIVER,), 7: (SPLEEN,)})


@pytest.fixture
def evaluator(tiny_weights: Weights, case: Case) -> CaseEvaluator:
    """An evaluator whose only training case has the boxes of the test case."""
    segmenter = Segmenter(
        AutoMedSAM(tiny_weights).eval(), Compute(torch.device("cpu"), torch.float32)
    )
    return CaseEvaluator(segmenter, AutoMedSAMLoss(), CLASSES, [case])


@pytest.fixture
def embedding(embeddings: EmbeddingFolder, case: Case) -> Tensor:
    return embeddings.load([case], torch.device("cpu"))


def logits_of(case: Case, *boxes: Box) -> Tensor:
    """Logits (1, K, H, W) of certain boxes, one of each class."""
    logits = torch.full((1, len(boxes), *case.image_size), -9.0)
    for class_logits, (x0, y0, x1, y1) in zip(logits[0], boxes, strict=True):
        class_logits[y0:y1, x0:x1] = 9
    return logits


def test_with_a_true_mask_each_class_has_all_scores(
    evaluator: CaseEvaluator, case: Case, embedding: Tensor
) -> None:
    truth = to_labels(logits_of(case, LIVER, SPLEEN), CLASSES)
    logits = logits_of(case, LIVER, (40, 10, 51, 30))  # eleven columns of the spleen's twenty-one
    results = evaluator.evaluate(case, embedding, logits, to_labels(logits, CLASSES), truth)
    liver, spleen = (result.scores for result in results)
    assert liver.row().keys() == spleen.row().keys() == LOSSES | BOXES | MASKS
    assert (liver.dice, spleen.dice) == (1, pytest.approx(2 * 11 / (11 + 21)))
    assert (liver.box_iou, spleen.box_iou) == (1, pytest.approx(11 / 21))
    assert (liver.mean_box_iou, spleen.box_fill_dice) == (1, 1)
    assert liver.loss_tightbox is not None
    assert spleen.loss_tightbox is not None
    assert liver.loss_tightbox < spleen.loss_tightbox
    overlaps = [result.overlap for result in results]
    assert overlaps == [Overlap(210, 210, 210), Overlap(220, 420, 220)]
    assert not any(result.is_empty for result in results)
    assert CaseResult(case, [], results).has_mask


def test_known_spacing_adds_distances_in_mm(
    evaluator: CaseEvaluator, case: Case, embedding: Tensor
) -> None:
    logits = logits_of(case, LIVER, SPLEEN)
    labels = to_labels(logits, CLASSES)
    case = replace(case, spacing_mm=(5.0, 2.0, 2.0))
    results = evaluator.evaluate(case, embedding, logits, labels, labels)
    assert [result.scores.hd95_mm for result in results] == [0, 0]


def test_without_a_true_mask_only_boxes_and_losses_are_scored(
    evaluator: CaseEvaluator, case: Case, embedding: Tensor
) -> None:
    logits = logits_of(case, LIVER, SPLEEN)
    results = evaluator.evaluate(case, embedding, logits, to_labels(logits, CLASSES), None)
    assert [result.scores.row().keys() for result in results] == [LOSSES | BOXES] * 2
    assert [result.overlap for result in results] == [None, None]
    assert not CaseResult(case, [], results).has_mask


def test_an_absent_class_is_scored_by_left_empty(
    evaluator: CaseEvaluator, case: Case, embedding: Tensor
) -> None:
    logits = logits_of(case, LIVER, SPLEEN)
    labels = to_labels(logits, CLASSES)
    truth = np.where(labels == 1, 1, 0).astype(np.uint8)
    results = evaluator.evaluate(case, embedding, logits, labels, truth)
    liver, spleen = (result.scores for result in results)
    assert liver.dice == 1
    assert spleen.row().keys() == LOSSES | {"left_empty"}
    assert spleen.left_empty == 0
    assert [result.is_present for result in results] == [True, False]


def test_an_empty_mask_of_a_present_object_is_no_absent_object(
    evaluator: CaseEvaluator, case: Case, embedding: Tensor
) -> None:
    truth = to_labels(logits_of(case, LIVER, SPLEEN), CLASSES)
    logits = logits_of(case, LIVER, (0, 0, 0, 0))
    for true_labels in (truth, None):
        results = evaluator.evaluate(
            case, embedding, logits, to_labels(logits, CLASSES), true_labels
        )
        assert [result.is_empty for result in results] == [False, True]
        assert [result.is_present for result in results] == [True, True]
