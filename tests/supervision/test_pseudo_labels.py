"""Tests of pseudo-labels: their quality on phantoms, and the reasons to reject them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, fill_boxes, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.runtime.compute import Compute
from automedsam.supervision.pseudo_labels import (
    PseudoLabeler,
    box_agreement,
    filter_labels,
    rejection_reason,
)

CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.mark.parametrize("seed", range(3))
def test_label_of_a_phantom_is_close_to_the_true_mask(seed: int) -> None:
    weights, phantom = Weights("sam_tiny"), draw_phantom(np.random.default_rng([4, seed]))
    boxes_xyxy = [tight_box(phantom.mask)]
    embedding = Encoder(weights, CPU)(phantom.image)[None].float()
    label, agreement = PseudoLabeler(weights, CPU).label_boxes(embedding, boxes_xyxy, (256, 256))
    assert (label.shape, label.dtype) == ((256, 256), np.float32)
    assert dice(label > 0.5, phantom.mask) > 0.9
    assert rejection_reason(label, boxes_xyxy) is None
    assert 0.85 < agreement <= 1


@pytest.mark.parametrize("kind", ["medsam", "sam", "lite_medsam"])
def test_label_is_a_probability_inside_of_the_boxes_and_0_outside(
    tiny_weights: Weights,
    cases: list[Case],
    embeddings: EmbeddingFolder,
    kind: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    preprocessing: Preprocessing = replace(tiny_weights.backbone.preprocessing, kind=kind)
    monkeypatch.setitem(
        BACKBONES, "sam_test", replace(tiny_weights.backbone, preprocessing=preprocessing)
    )
    labeler = PseudoLabeler(tiny_weights, CPU)
    for case in (case for case in cases if case.has_object):
        embedding = embeddings.load([case], CPU.device)
        label, _ = labeler.label_boxes(embedding, case.all_boxes_xyxy, case.image_size)
        inside = fill_boxes(case.all_boxes_xyxy, case.image_size)
        assert label.shape == case.image_size
        assert not label[~inside].any()
        assert ((label[inside] > 0) & (label[inside] < 1)).all()


def test_overlapping_boxes_keep_the_larger_probability(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    left, right = (20, 6, 46, 27), (40, 10, 61, 30)
    labeler, embedding = PseudoLabeler(tiny_weights, CPU), embeddings.load(cases[4:], CPU.device)
    (left_label, left_agreement), (right_label, right_agreement), (label, agreement) = (
        labeler.label_boxes(embedding, boxes, cases[4].image_size)
        for boxes in ([left], [right], [left, right])
    )
    np.testing.assert_array_equal(label, np.maximum(left_label, right_label))
    assert agreement == pytest.approx((left_agreement + right_agreement) / 2)


def test_label_boxes_is_reproducible(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    labeler, embedding = PseudoLabeler(tiny_weights, CPU), embeddings.load(cases[:1], CPU.device)
    one, other = (
        labeler.label_boxes(embedding, cases[0].all_boxes_xyxy, cases[0].image_size)[0]
        for _ in range(2)
    )
    assert np.array_equal(one, other)


def test_label_skips_classes_without_a_box_and_keeps_their_order(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    classes = Classes([ObjectClass("liver", 5), ObjectClass("spleen", 3), ObjectClass("kidney", 9)])
    kidney_box, liver_box = (20, 6, 30, 27), (40, 10, 61, 30)
    case = replace(cases[4], boxes={9: (kidney_box,), 3: (), 5: (liver_box,)})
    embedding = embeddings.load(cases[4:], CPU.device)
    liver, kidney = PseudoLabeler(tiny_weights, CPU).label(embedding, case, classes)
    assert (liver.object_class.name, kidney.object_class.name) == ("liver", "kidney")
    for label, own, other in ((liver, liver_box, kidney_box), (kidney, kidney_box, liver_box)):
        assert label.probability[fill_boxes([own], case.image_size)].all()
        assert not label.probability[fill_boxes([other], case.image_size)].any()


def filled(*boxes: Box, size: tuple[int, int] = (100, 120)) -> np.ndarray:
    return fill_boxes(boxes, size).astype(np.float32)


@pytest.mark.parametrize(
    ("mask", "agreement"),
    [
        pytest.param(filled((20, 30, 30, 40)), 1, id="full"),
        pytest.param(filled((20, 30, 25, 40)), 0.5, id="half"),
        pytest.param(filled((20, 30, 21, 31), (29, 39, 30, 40)), 1, id="two corners"),
        pytest.param(filled((20, 30, 30, 50)), 0.5, id="spills over one side"),
        pytest.param(filled((15, 25, 35, 45)), 0.25, id="spills over all sides"),
        pytest.param(filled((25, 30, 35, 40)), 1 / 3, id="shifted"),
        pytest.param(filled((20, 30, 30, 40), (60, 70, 61, 71)), 1, id="speck outside"),
        pytest.param(filled((20, 30, 30, 40), (29, 35, 40, 36)), 0.5, id="line out of the box"),
        pytest.param(filled((60, 30, 70, 40)), 0, id="outside"),
        pytest.param(filled(), 0, id="empty"),
        pytest.param(0.5 * filled((20, 30, 30, 40)), 0, id="not certain"),
        pytest.param(0.51 * filled((20, 30, 30, 40)), 1, id="barely certain"),
    ],
)
def test_box_agreement_is_the_iou_of_the_box_with_the_tight_box_of_the_mask(
    mask: np.ndarray, agreement: float
) -> None:
    assert box_agreement(mask, (20, 30, 30, 40)) == pytest.approx(agreement)


def test_agreement_is_that_of_the_mask_before_clipping(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    """The random decoder answers with most of the image, whatever the box is."""
    case, embedding, box = cases[0], embeddings.load(cases[:1], CPU.device), (30, 20, 40, 30)
    labeler = PseudoLabeler(tiny_weights, CPU)
    label, agreement = labeler.label_boxes(embedding, [box], case.image_size)
    assert tight_box(label > 0.5) == box
    assert agreement == pytest.approx(100 / (64 * 48))


BOX = (10, 20, 90, 80)  # 80 px wide, 60 high


@pytest.mark.parametrize(
    ("label", "reason"),
    [
        pytest.param(filled(BOX), None, id="full"),
        pytest.param(filled((12, 22, 88, 78)), None, id="almost to each side"),
        pytest.param(0.6 * filled(BOX), None, id="barely certain"),
        pytest.param(filled(), "fills 0% of its box", id="empty"),
        pytest.param(0.4 * filled(BOX), "fills 0% of its box", id="not certain"),
        pytest.param(
            filled((10, 20, 12, 80), (10, 20, 90, 22)), "fills 6% of its box", id="two thin lines"
        ),
        pytest.param(filled((50, 20, 90, 80)), "ends 50% short of a side of its box", id="left"),
        pytest.param(filled((10, 53, 90, 80)), "ends 55% short of a side of its box", id="top"),
        pytest.param(filled((10, 20, 42, 80)), "ends 60% short of a side of its box", id="right"),
        pytest.param(filled((10, 20, 90, 41)), "ends 65% short of a side of its box", id="bottom"),
    ],
)
def test_rejection_reason_of_labels_that_do_not_fill_their_box(
    label: np.ndarray, reason: str | None
) -> None:
    assert rejection_reason(label, [BOX]) == reason


def test_rejection_reason_checks_each_box() -> None:
    boxes = [(10, 20, 40, 80), (60, 20, 100, 80)]
    assert rejection_reason(filled(*boxes), boxes) is None
    assert rejection_reason(filled(boxes[0]), boxes) == "fills 0% of its box"
    assert (
        rejection_reason(filled(boxes[0], (60, 20, 80, 80)), boxes)
        == "ends 50% short of a side of its box"
    )


def test_rejection_reason_accepts_one_pixel_per_side_of_a_small_box() -> None:
    assert rejection_reason(filled((11, 20, 13, 23)), [(10, 20, 13, 23)]) is None
    assert (
        rejection_reason(filled((12, 20, 13, 23)), [(10, 20, 13, 23)])
        == "ends 67% short of a side of its box"
    )


def test_rejection_reason_is_none_without_boxes() -> None:
    assert rejection_reason(filled(), []) is None


DISC, CORE = (10, 10, 30, 30), (14, 14, 26, 26)


def test_filter_labels_rejects_a_label_that_a_smaller_object_covers() -> None:
    """Two names with almost the same box are one object; a ring keeps its rim."""
    disc, inside, core = (
        0.95 * filled(box, size=(40, 40)) for box in (DISC, (10, 10, 29, 30), CORE)
    )
    filtered = filter_labels({1: disc, 3: inside}, {1: (DISC,), 3: ((10, 10, 29, 30),)})
    assert filtered[1][1] == "is covered by a smaller object"
    assert np.array_equal(filtered[1][0], disc)
    assert filtered[3][1] is None
    filtered = filter_labels({1: disc, 3: core}, {1: (DISC,), 3: (CORE,)})
    assert [reason for _, reason in filtered.values()] == [None, None]
    assert filtered[1][0][20, 20] < 0.05
    assert filtered[1][0][12, 12] == disc[12, 12]


def test_filter_labels_ignores_rejected_labels_in_overlaps() -> None:
    disc, speck = (0.95 * filled(box, size=(40, 40)) for box in (DISC, (14, 14, 17, 17)))
    filtered = filter_labels({1: disc, 3: speck}, {1: (DISC,), 3: (CORE,)})
    assert filtered[3][1] == "fills 6% of its box"
    assert filtered[1][1] is None
    assert np.array_equal(filtered[1][0], disc)
