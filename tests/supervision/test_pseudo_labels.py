"""Pseudo-labels: close to the truth on phantoms, nothing outside of the boxes, dropped where they do not fit them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automedsam.backbone.architectures import BACKBONES
from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, fill_boxes, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.runtime.compute import Compute
from automedsam.supervision.pseudo_labels import PseudoLabeler, filter_labels, rejection_reason

CPU = Compute(torch.device("cpu"), torch.float32)


def case_with(*boxes: Box, size: tuple[int, int] = (20, 30)) -> Case:
    return Case("a", "a", "train", *size, boxes)


@pytest.mark.parametrize("seed", range(3))
def test_on_a_phantom_with_its_true_box_it_is_nearly_the_truth(seed: int) -> None:
    weights, phantom = Weights("sam_tiny"), draw_phantom(np.random.default_rng([4, seed]))
    case = case_with(tight_box(phantom.mask), size=(256, 256))
    embedding = Encoder(weights, CPU)(phantom.image)[None].float()
    label = PseudoLabeler(weights, CPU).label_boxes(embedding, case)
    assert (label.shape, label.dtype) == ((256, 256), np.float32)
    assert dice(label > 0.5, phantom.mask) > 0.9
    assert rejection_reason(label, case.boxes_xyxy) is None


@pytest.mark.parametrize("kind", ["medsam", "sam"])
def test_it_is_a_probability_inside_of_the_boxes_and_nothing_outside(
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
    labeller = PseudoLabeler(tiny_weights, CPU)
    for case in cases:
        label = labeller.label_boxes(embeddings.load([case], CPU.device), case)
        inside = fill_boxes(case.boxes_xyxy, case.image_size)
        assert label.shape == case.image_size
        assert not label[~inside].any()
        assert ((label[inside] > 0) & (label[inside] < 1)).all()


def test_of_boxes_that_overlap_the_greater_answer_counts(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    left, right = (20, 6, 46, 27), (40, 10, 61, 30)
    labeller, embedding = PseudoLabeler(tiny_weights, CPU), embeddings.load(cases[4:], CPU.device)
    of_left, of_right, of_both = (
        labeller.label_boxes(embedding, replace(cases[4], boxes_xyxy=boxes))
        for boxes in ((left,), (right,), (left, right))
    )
    np.testing.assert_array_equal(of_both, np.maximum(of_left, of_right))


def test_a_label_is_the_same_each_time(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    labeller, embedding = PseudoLabeler(tiny_weights, CPU), embeddings.load(cases[:1], CPU.device)
    assert np.array_equal(
        labeller.label_boxes(embedding, cases[0]), labeller.label_boxes(embedding, cases[0])
    )


def test_classes_without_a_box_have_no_label(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    """And the others come in the order in which they are sought."""
    classes = [ObjectClass("liver", 5), ObjectClass("spleen", 3), ObjectClass("kidney", 9)]
    case = replace(cases[4], boxes_xyxy=((20, 6, 30, 27), (40, 10, 61, 30)), box_classes=(9, 5))
    found = PseudoLabeler(tiny_weights, CPU).label(
        embeddings.load(cases[4:], CPU.device), case, classes
    )
    assert [of.name for of, _, _ in found] == ["liver", "kidney"]
    kidney_box, liver_box = case.boxes_xyxy
    for (_, label, _), own, other in zip(
        found, (liver_box, kidney_box), (kidney_box, liver_box), strict=True
    ):
        assert label[fill_boxes([own], case.image_size)].all()
        assert not label[fill_boxes([other], case.image_size)].any()


def filled(*boxes: Box, size: tuple[int, int] = (100, 120)) -> np.ndarray:
    return fill_boxes(boxes, size).astype(np.float32)


BOX = (10, 20, 90, 80)  # 80 px wide, 60 high


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        pytest.param(filled(BOX), None, id="all of it"),
        pytest.param(filled((12, 22, 88, 78)), None, id="almost to each side"),
        pytest.param(0.6 * filled(BOX), None, id="just sure"),
        pytest.param(filled(), "fills 0% of its box", id="empty"),
        pytest.param(0.4 * filled(BOX), "fills 0% of its box", id="not sure"),
        pytest.param(
            filled((10, 20, 12, 80), (10, 20, 90, 22)), "fills 6% of its box", id="two thin lines"
        ),
        pytest.param(filled((50, 20, 90, 80)), "ends 50% short of a side", id="left"),
        pytest.param(filled((10, 53, 90, 80)), "ends 55% short of a side", id="top"),
        pytest.param(filled((10, 20, 42, 80)), "ends 60% short of a side", id="right"),
        pytest.param(filled((10, 20, 90, 41)), "ends 65% short of a side", id="bottom"),
    ],
)
def test_a_label_must_fill_its_box_to_its_sides(label: np.ndarray, fault: str | None) -> None:
    assert rejection_reason(label, [BOX]) == fault


def test_each_box_is_looked_at() -> None:
    boxes = [(10, 20, 40, 80), (60, 20, 100, 80)]
    assert rejection_reason(filled(*boxes), boxes) is None
    assert rejection_reason(filled(boxes[0]), boxes) == "fills 0% of its box"
    assert rejection_reason(filled(boxes[0], (60, 20, 80, 80)), boxes) == "ends 50% short of a side"


def test_a_box_of_few_pixels_forgives_one_a_side() -> None:
    assert rejection_reason(filled((11, 20, 13, 23)), [(10, 20, 13, 23)]) is None
    assert (
        rejection_reason(filled((12, 20, 13, 23)), [(10, 20, 13, 23)]) == "ends 67% short of a side"
    )


def test_without_boxes_there_is_no_fault() -> None:
    assert rejection_reason(filled(), []) is None


DISC, CORE = (10, 10, 30, 30), (14, 14, 26, 26)


def test_a_label_that_a_smaller_object_swallows_is_dropped_and_shown_as_it_was() -> None:
    """Two names on nearly one box; and a ring, which keeps its rim."""
    disc, within, core = (
        0.95 * filled(box, size=(40, 40)) for box in (DISC, (10, 10, 29, 30), CORE)
    )
    found = filter_labels({1: disc, 3: within}, {1: (DISC,), 3: ((10, 10, 29, 30),)})
    assert found[1][1] == "is lost to a smaller object's"
    assert np.array_equal(found[1][0], disc)
    assert found[3][1] is None
    found = filter_labels({1: disc, 3: core}, {1: (DISC,), 3: (CORE,)})
    assert [fault for _, fault in found.values()] == [None, None]
    assert found[1][0][20, 20] < 0.05
    assert found[1][0][12, 12] == disc[12, 12]


def test_a_label_that_does_not_fit_its_box_takes_nothing_from_others() -> None:
    disc, speck = (0.95 * filled(box, size=(40, 40)) for box in (DISC, (14, 14, 17, 17)))
    found = filter_labels({1: disc, 3: speck}, {1: (DISC,), 3: (CORE,)})
    assert found[3][1] == "fills 6% of its box"
    assert found[1][1] is None
    assert np.array_equal(found[1][0], disc)
