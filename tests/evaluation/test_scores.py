"""The scores of a case, its yardsticks, and the means over cases."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.evaluation.metrics import dice
from automedsam.evaluation.scores import (
    Overlap,
    mean_relative_box,
    mean_scores,
    score_losses,
    score_mask,
    score_volumes,
    score_yardsticks,
)
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.segmenter import Segmenter
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss


@pytest.fixture
def segmenter(tiny_weights: Weights) -> Segmenter:
    return Segmenter(AutoMedSAM(tiny_weights).eval(), Compute(torch.device("cpu"), torch.float32))


def case_with(*boxes: Box, spacing_mm: tuple[float, float, float] | None = None) -> Case:
    return Case("a", "a", "test", 24, 30, boxes, spacing_mm=spacing_mm)


def rectangle(*box: int) -> np.ndarray:
    return fill_boxes([box], (24, 30))  # type: ignore[list-item]


NOTHING = np.zeros((24, 30), bool)
MEAN_BOX = torch.tensor([0.2, 1 / 3, 0.6, 0.75])  # of 24 x 30 pixels: 6, 8, 18, 18
MEAN_BOX_IOU = 54 / 166  # with 5, 4, 15, 14


def test_a_mask_is_scored_against_the_truth() -> None:
    scores = score_mask(
        rectangle(8, 4, 18, 14), rectangle(5, 4, 15, 14), case_with((5, 4, 15, 14)), MEAN_BOX
    )
    assert scores == {
        "dice": pytest.approx(0.7),
        "iou": pytest.approx(70 / 130),
        "hd95_px": pytest.approx(3),
        "hd95_mm": None,
        "box_iou": pytest.approx(70 / 130),
        "mean_box_iou": pytest.approx(MEAN_BOX_IOU),
    }


def test_distances_are_in_mm_too_where_the_spacing_is_known() -> None:
    case = case_with((5, 4, 15, 14), spacing_mm=(9.0, 2.0, 0.5))
    scores = score_mask(rectangle(8, 4, 18, 14), rectangle(5, 4, 15, 14), case, MEAN_BOX)
    assert (scores["hd95_px"], scores["hd95_mm"]) == (pytest.approx(3), pytest.approx(1.5))


def test_box_iou_compares_boxes_not_masks() -> None:
    corners = rectangle(5, 4, 6, 5) | rectangle(14, 13, 15, 14)
    scores = score_mask(corners, rectangle(5, 4, 15, 14), case_with((5, 4, 15, 14)), MEAN_BOX)
    assert scores["box_iou"] == 1
    assert scores["iou"] == pytest.approx(2 / 100)


@pytest.mark.parametrize(("mask", "left_empty"), [(NOTHING, 1), (rectangle(5, 4, 6, 5), 0)])
@pytest.mark.parametrize("truth", [NOTHING, None])
def test_where_the_object_is_absent_it_counts_alone_whether_the_mask_is_empty(
    mask: np.ndarray, truth: np.ndarray | None, left_empty: int
) -> None:
    assert score_mask(mask, truth, case_with(), MEAN_BOX) == {"left_empty": left_empty}


def test_a_missed_object_scores_nothing() -> None:
    scores = score_mask(NOTHING, rectangle(5, 4, 15, 14), case_with((5, 4, 15, 14)), MEAN_BOX)
    assert scores == {"dice": 0, "iou": 0, "hd95_px": None, "hd95_mm": None, "box_iou": 0,
                      "mean_box_iou": pytest.approx(MEAN_BOX_IOU)}  # fmt: skip


def test_without_a_true_mask_the_boxes_alone_are_compared() -> None:
    assert score_mask(rectangle(8, 4, 18, 14), None, case_with((5, 4, 15, 14)), MEAN_BOX) == {
        "box_iou": pytest.approx(70 / 130),
        "mean_box_iou": pytest.approx(MEAN_BOX_IOU),
    }


def test_the_mean_box_is_held_against_the_box_round_all_parts() -> None:
    scores = score_mask(NOTHING, None, case_with((5, 4, 7, 14), (13, 4, 15, 6)), MEAN_BOX)
    assert scores["mean_box_iou"] == pytest.approx(MEAN_BOX_IOU)


def test_the_yardsticks_are_the_bare_backbones_masks_and_the_filled_box(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case, mean_box = cases[4], torch.tensor([0.25, 0.3, 0.7, 0.9])
    truth = fill_boxes([(20, 6, 61, 17)], case.image_size)
    embedding = embeddings.load([case], torch.device("cpu"))
    from_true_box = to_mask(
        segmenter.segment_box(embedding, case.image_size, torch.tensor([20.0, 6.0, 61.0, 27.0]))
    )
    from_mean_box = to_mask(
        segmenter.segment_box(embedding, case.image_size, torch.tensor([18.0, 10.0, 50.0, 30.0]))
    )
    assert not np.array_equal(from_true_box, from_mean_box)
    (scores,) = score_yardsticks(segmenter, embedding, [case], [truth], [mean_box])
    assert scores == {
        "true_box_dice": pytest.approx(dice(from_true_box, truth)),
        "mean_box_dice": pytest.approx(dice(from_mean_box, truth)),
        "box_fill_dice": pytest.approx(2 * 11 / (11 + 21)),
    }


def test_masks_of_several_true_boxes_are_joined(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    left, right = (20, 6, 36, 27), (44, 6, 61, 27)
    case = replace(cases[4], boxes_xyxy=(left, right))
    embedding = embeddings.load([case], torch.device("cpu"))
    of_left, of_right = (
        to_mask(segmenter.segment_box(embedding, case.image_size, torch.tensor(box).float()))
        for box in (left, right)
    )
    assert not np.array_equal(of_left, of_right)
    truth = fill_boxes([left, right], case.image_size)
    (scores,) = score_yardsticks(
        segmenter, embedding, [case], [truth], [torch.tensor([0.25, 0.3, 0.7, 0.9])]
    )
    assert scores["true_box_dice"] == pytest.approx(dice(of_left | of_right, truth))
    assert scores["box_fill_dice"] == 1


def test_without_an_object_there_are_no_yardsticks(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    case = cases[2]
    assert case.boxes_xyxy == ()
    embedding = embeddings.load([case], torch.device("cpu"))
    mean_box = torch.tensor([0.2, 0.2, 0.8, 0.8])
    assert score_yardsticks(
        segmenter, embedding, [case], [np.zeros(case.image_size, bool)], [mean_box]
    ) == [{}]


def test_yardsticks_of_several_classes_are_set_apart_as_predictions_are(
    segmenter: Segmenter, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    """A class within another one: its pixels are not the outer one's, in either yardstick; a third one is absent."""
    outer, inner = (20, 6, 61, 27), (30, 12, 50, 22)
    boxes = [(outer,), (inner,), ()]
    given = [replace(cases[4], boxes_xyxy=of_class) for of_class in boxes]
    truths = [fill_boxes(of_class, cases[4].image_size) for of_class in boxes]
    truths[0] &= ~truths[1]
    embedding = embeddings.load(given[:1], torch.device("cpu"))
    means = [
        torch.tensor([0.25, 0.3, 0.7, 0.9]),
        torch.tensor([0.4, 0.4, 0.6, 0.7]),
        torch.tensor([0.0, 0.0, 0.1, 0.1]),
    ]
    of_outer, of_inner, of_absent = score_yardsticks(segmenter, embedding, given, truths, means)
    assert of_absent == {}
    assert (of_outer["box_fill_dice"], of_inner["box_fill_dice"]) == (1, 1)
    masks = [
        to_mask(segmenter.segment_box(embedding, cases[4].image_size, torch.tensor(b).float()))
        for b in (outer, inner)
    ]
    small, large = sorted(masks, key=np.sum)
    expected = {id(small): small, id(large): large & ~small}
    for found, mask, truth in zip((of_outer, of_inner), masks, truths, strict=False):
        assert found["true_box_dice"] == pytest.approx(dice(expected[id(mask)], truth))


def slice_of(volume: str, number: int, of: int = 3) -> Case:
    name = f"{volume}_s{number:03d}"
    return Case(
        name, volume, "test", 24, 30, (), volume, number, of, True, spacing_mm=(5.0, 2.0, 0.5)
    )


def test_a_volume_is_scored_as_a_whole() -> None:
    cases = [slice_of("v", number) for number in range(3)]
    truths = {
        "v_s000": NOTHING,
        "v_s001": rectangle(5, 4, 15, 14),
        "v_s002": rectangle(5, 4, 15, 14),
    }
    masks = {"v_s000": rectangle(0, 0, 10, 4), "v_s001": rectangle(5, 4, 15, 14), "v_s002": NOTHING}
    overlaps = {name: Overlap.of(masks[name], truths[name]) for name in truths}
    assert overlaps["v_s000"] == Overlap(predicted=40, true=0, common=0)
    assert score_volumes(cases, overlaps) == [
        {
            "volume": "v",
            "slices": 3,
            "volume_dice": pytest.approx(2 * 100 / (140 + 200)),
            "predicted_ml": pytest.approx(140 * 5 / 1000),
            "true_ml": pytest.approx(200 * 5 / 1000),
        }
    ]


def test_a_volume_with_a_slice_or_a_mask_missing_is_not_scored() -> None:
    cases = [slice_of("v", 0), slice_of("v", 2), *(slice_of("w", number) for number in range(3))]
    everything = {case.name: Overlap(3, 4, 2) for case in cases}
    assert [row["volume"] for row in score_volumes(cases, everything)] == ["w"]
    without = {name: overlap for name, overlap in everything.items() if name != "w_s001"}
    assert score_volumes(cases, without) == []


def test_an_empty_volume_that_is_left_empty_is_right() -> None:
    (row,) = score_volumes([slice_of("v", 0, of=1)], {"v_s000": Overlap(0, 0, 0)})
    assert (row["volume_dice"], row["predicted_ml"], row["true_ml"]) == (1, 0, 0)


def test_volumes_of_unknown_spacing_have_no_ml() -> None:
    (row,) = score_volumes(
        [replace(slice_of("v", 0, of=1), spacing_mm=None)], {"v_s000": Overlap(3, 5, 2)}
    )
    assert (row["volume_dice"], row["predicted_ml"], row["true_ml"]) == (0.5, None, None)


def test_volumes_are_sorted_by_name_whatever_the_order_of_their_slices() -> None:
    cases = [slice_of(volume, number, of=2) for number in (1, 0) for volume in "wv"]
    rows = score_volumes(cases, {case.name: Overlap(case.slice or 0, 2, 0) for case in cases})
    assert [(row["volume"], row["slices"], row["true_ml"]) for row in rows] == [
        ("v", 2, 0.02),
        ("w", 2, 0.02),
    ]


def test_an_overlap_counts_each_mask_and_what_they_share() -> None:
    overlap = Overlap.of(rectangle(8, 4, 18, 14), rectangle(5, 4, 15, 12))
    assert overlap == Overlap(predicted=100, true=80, common=56)
    assert {type(count) for count in (overlap.predicted, overlap.true, overlap.common)} == {int}


def test_images_of_their_own_are_no_volumes() -> None:
    assert score_volumes([case_with()], {"a": Overlap(1, 1, 1)}) == []


@pytest.mark.parametrize("index", [0, 2])
def test_the_losses_are_the_trainings(cases: list[Case], index: int) -> None:
    case, criterion = cases[index], AutoMedSAMLoss(lambda_tightness=0.1)
    logits = torch.randn(1, 1, *case.image_size)
    loss = criterion(logits, torch.tensor([[*(case.boxes_xyxy or [(0, 0, 0, 0)])]]))
    assert score_losses(criterion, logits, case) == {
        "loss": loss.total.item(),
        "loss_empty": loss.empty.item(),
        "loss_tightbox": loss.tightbox.item(),
        "loss_size": loss.size.item(),
    }


def test_the_mean_box_goes_round_all_parts_is_relative_and_skips_empty_images() -> None:
    cases = [
        Case("a", "a", "train", 100, 200, ((20, 10, 40, 50), (90, 20, 100, 40))),
        Case("b", "b", "train", 10, 10),
        Case("c", "c", "train", 40, 20, ((6, 12, 16, 36),)),
    ]
    assert mean_relative_box(cases).tolist() == pytest.approx([0.2, 0.2, 0.65, 0.7])


def test_a_mean_is_over_the_rows_that_have_the_score() -> None:
    rows = [
        {"dice": 1.0, "hd95_px": None},
        {"dice": 0.5, "hd95_px": 4.0},
        {"dice": 0.0, "hd95_px": 7.0},
    ]
    assert mean_scores(rows) == {"dice": 0.5, "hd95_px": 5.5}


def test_a_score_that_no_row_has_has_no_mean() -> None:
    assert mean_scores([{"dice": 1.0, "hd95_px": None}, {"dice": 0.0, "hd95_px": None}]) == {
        "dice": 0.5
    }


def test_a_score_that_some_rows_lack_is_averaged_over_the_others() -> None:
    assert mean_scores([{"dice": 1.0}, {"left_empty": 0.0}, {"left_empty": 1.0}]) == {
        "dice": 1.0,
        "left_empty": 0.5,
    }
