"""The baselines: the bare backbone with a true or a mean box, and a filled box."""

import numpy as np
import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.evaluation.baselines import score_baselines
from automedsam.evaluation.metrics import dice
from automedsam.evaluation.scores import Scores
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.segmenter import Segmenter
from automedsam.runtime.compute import Compute

MEAN_BOX = torch.tensor([0.25, 0.3, 0.7, 0.9])


@pytest.fixture
def segmenter(tiny_weights: Weights) -> Segmenter:
    return Segmenter(AutoMedSAM(tiny_weights).eval(), Compute(torch.device("cpu"), torch.float32))


def test_baselines_are_masks_of_the_backbone_and_the_filled_box(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case = cases[4]
    truth = fill_boxes([(20, 6, 61, 17)], case.image_size)
    embedding = embeddings.load([case], torch.device("cpu"))
    from_true_box = to_mask(
        segmenter.segment_box(embedding, case.image_size, torch.tensor([20.0, 6.0, 61.0, 27.0]))
    )
    from_mean_box = to_mask(
        segmenter.segment_box(embedding, case.image_size, torch.tensor([18.0, 10.0, 50.0, 30.0]))
    )
    assert not np.array_equal(from_true_box, from_mean_box)
    (scores,) = score_baselines(segmenter, embedding, [case.all_boxes_xyxy], [truth], [MEAN_BOX])
    assert scores.row() == {
        "true_box_dice": pytest.approx(dice(from_true_box, truth)),
        "mean_box_dice": pytest.approx(dice(from_mean_box, truth)),
        "box_fill_dice": pytest.approx(2 * 11 / (11 + 21)),
    }


def test_masks_of_several_true_boxes_are_joined(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    left, right = (20, 6, 36, 27), (44, 6, 61, 27)
    case = cases[4]
    embedding = embeddings.load([case], torch.device("cpu"))
    left_mask, right_mask = (
        to_mask(segmenter.segment_box(embedding, case.image_size, torch.tensor(box).float()))
        for box in (left, right)
    )
    assert not np.array_equal(left_mask, right_mask)
    truth = fill_boxes([left, right], case.image_size)
    (scores,) = score_baselines(segmenter, embedding, [(left, right)], [truth], [MEAN_BOX])
    assert scores.true_box_dice == pytest.approx(dice(left_mask | right_mask, truth))
    assert scores.box_fill_dice == 1


def test_a_case_without_an_object_has_no_baselines(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case = cases[2]
    assert not case.has_object
    embedding = embeddings.load([case], torch.device("cpu"))
    truth = np.zeros(case.image_size, bool)
    assert score_baselines(segmenter, embedding, [()], [truth], [MEAN_BOX]) == [Scores()]


def test_overlaps_of_classes_are_resolved_as_in_predictions(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    """The pixels of an inner class do not belong to the outer one; a third class is absent."""
    case, outer, inner = cases[4], (20, 6, 61, 27), (30, 12, 50, 22)
    boxes = [(outer,), (inner,), ()]
    truths = [fill_boxes(class_boxes, case.image_size) for class_boxes in boxes]
    truths[0] &= ~truths[1]
    embedding = embeddings.load([case], torch.device("cpu"))
    mean_boxes = [
        MEAN_BOX,
        torch.tensor([0.4, 0.4, 0.6, 0.7]),
        torch.tensor([0.0, 0.0, 0.1, 0.1]),
    ]
    scores = score_baselines(segmenter, embedding, boxes, truths, mean_boxes)
    assert scores[2] == Scores()
    assert (scores[0].box_fill_dice, scores[1].box_fill_dice) == (1, 1)
    masks = [
        to_mask(segmenter.segment_box(embedding, case.image_size, torch.tensor(box).float()))
        for box in (outer, inner)
    ]
    small, large = sorted(masks, key=np.sum)
    expected = {id(small): small, id(large): large & ~small}
    for class_scores, mask, truth in zip(scores[:2], masks, truths[:2], strict=True):
        assert class_scores.true_box_dice == pytest.approx(dice(expected[id(mask)], truth))
