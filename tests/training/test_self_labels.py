"""Self-labels: predictions for unlabelled cases, their choice, and the targets made of them."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.prompts import Prompts
from automedsam.training.self_labels import (
    MAX_STORED_MASKS,
    SelfLabel,
    choose_self_labels,
    predict_self_labels,
    self_label_targets,
    to_stored,
)
from training_fixtures import OBJECT, TrainingFixtures

LEFT, RIGHT = ObjectClass("left", 1), ObjectClass("right", 2)
BOX = (10, 10, 30, 30)


def make_case(name: str, *boxes_xyxy: tuple[int, int, int, int]) -> Case:
    return Case(name, name, "unlabelled", 50, 50, {SINGLE_CLASS_VALUE: boxes_xyxy})


def make_label(
    name: str,
    presence: float = 0.9,
    box: tuple[int, int, int, int] | None = BOX,
    cls: ObjectClass = OBJECT[0],
    level: int = 255,
) -> SelfLabel:
    mask = torch.zeros(THUMBNAIL_SIDE, THUMBNAIL_SIDE, dtype=torch.uint8)
    mask[20:60, 20:60] = level
    return SelfLabel(make_case(name), cls, mask, (box,) if box else (), presence)


def rejections(labels: list[SelfLabel], *boxed: Case) -> dict[str, str | None]:
    chosen = choose_self_labels(labels, boxed or [make_case("boxed", BOX)])
    return {label.case.name: label.rejection for label in chosen}


def test_a_prediction_becomes_a_label(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The mask is that of the model, without its smaller parts, in the frame of the thumbnail."""
    context = material.locating().context
    case = cases[3]
    mask = fill_boxes([(12, 10, 32, 41)], case.image_size)
    with_speck = mask | fill_boxes([(1, 1, 3, 3)], case.image_size)
    logits = torch.from_numpy(np.where(with_speck, 3.0, -3.0)).float()[None, None]
    prompts = Prompts(boxes_xyxy=torch.zeros(1, 1, 4), presence=torch.tensor([[0.75]]))
    monkeypatch.setattr(type(context), "predict", lambda self, cases: ([logits], prompts))
    (label,) = predict_self_labels(context, [case], [1])
    assert (label.case, label.object_class, label.presence) == (case, OBJECT[0], 0.75)
    assert label.boxes_xyxy == ((12, 10, 32, 41),)
    expected = torch.from_numpy(mask).float()[None] * torch.tensor(3.0).sigmoid()
    expected = context.model.preprocessing.map_to_input(expected, THUMBNAIL_SIDE)[0]
    torch.testing.assert_close(label.mask / 255, expected, atol=0.5 / 255 + 1e-6, rtol=0)
    (both,) = predict_self_labels(context, [case], [2])
    assert both.boxes_xyxy == ((12, 10, 32, 41), (1, 1, 3, 3))


def test_an_empty_prediction_is_rejected(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = material.locating().context
    logits = torch.full((1, 1, *cases[0].image_size), -2.0)
    prompts = Prompts(boxes_xyxy=torch.zeros(1, 1, 4), presence=torch.tensor([[0.0]]))
    monkeypatch.setattr(type(context), "predict", lambda self, cases: ([logits], prompts))
    labels = predict_self_labels(context, cases[:1], [1])
    assert not labels[0].mask.any()
    assert rejections(labels) == {"a": "was not found"}


def test_the_most_certain_labels_are_used() -> None:
    labels = [make_label(str(n), presence=n / 10) for n in range(10)]
    found = rejections([*labels, make_label("lost", 0.0, box=None)])
    assert [name for name, reason in found.items() if reason is None] == list("456789")
    assert found["3"] == "has a presence below 0.36"
    assert found["lost"] == "was not found"


@pytest.mark.parametrize(
    ("side", "reason"),
    [
        (15, "is smaller than the boxed objects"),
        (16, None),
        (26, None),
        (27, "is larger than the boxed objects"),
    ],
)
def test_the_size_is_like_that_of_the_boxed_objects(side: int, reason: str | None) -> None:
    """A box of 20 px: sides from 15.4 to 26 px are accepted."""
    label = make_label("a", box=(0, 0, side, side))
    assert rejections([label], make_case("boxed", BOX), make_case("empty")) == {"a": reason}


def test_classes_are_compared_with_their_own_kind() -> None:
    boxed = Case("boxed", "g", "train", 50, 50, {1: (BOX,), 2: ((0, 0, 45, 45),)})
    labels = [make_label("a", 0.2, cls=LEFT), make_label("b", 0.9, (0, 0, 45, 45), cls=RIGHT)]
    assert rejections(labels, boxed) == {"a": None, "b": None}


def test_targets_weigh_as_much_as_the_label_is_certain() -> None:
    targets = self_label_targets([make_label("a", level=204)], OBJECT)["a"]
    assert targets.probability.shape == (1, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert targets.probability[0, 30, 30] == pytest.approx(0.8)
    assert targets.weight[0, 30, 30] == pytest.approx(0.6)
    assert (targets.probability[0, 0, 0], targets.weight[0, 0, 0]) == (0, 1)


def test_nothing_is_known_of_a_class_whose_label_is_rejected() -> None:
    used, rejected = make_label("a", cls=LEFT), make_label("a", cls=RIGHT)
    labels = [used, replace(rejected, rejection="is odd")]
    targets = self_label_targets(labels, Classes([LEFT, RIGHT]))["a"]
    assert targets.weight[0].all()
    assert not targets.weight[1].any()


def test_a_case_without_a_label_to_use_has_no_targets() -> None:
    assert self_label_targets([replace(make_label("a"), rejection="is odd")], OBJECT) == {}


def test_masks_of_the_first_labels_of_each_class_and_kind_are_stored(
    material: TrainingFixtures,
) -> None:
    preprocessing = material.locating().context.model.preprocessing
    used = [make_label(f"used {n}", cls=LEFT) for n in range(MAX_STORED_MASKS + 2)]
    lost = [replace(make_label("lost", box=None, cls=LEFT), rejection="was not found")]
    rejected = [replace(make_label(f"rejected {n}", cls=LEFT), rejection="odd") for n in range(3)]
    others = [make_label("other", cls=RIGHT)]
    stored = list(to_stored([*used, *lost, *rejected, *others], preprocessing))
    assert len(stored) == MAX_STORED_MASKS + 7
    with_mask = [label.case for label, mask in stored if mask is not None]
    assert with_mask == [
        *(f"used {n}" for n in range(MAX_STORED_MASKS)),
        *(f"rejected {n}" for n in range(3)),
        "other",
    ]
    label, mask = stored[0]
    assert (label.boxes_xyxy, label.presence, label.rejection) == ((BOX,), 0.9, None)
    assert mask is not None
    assert mask.shape == (50, 50)
    assert mask.max() == 255


def test_masks_of_large_images_are_stored_smaller(material: TrainingFixtures) -> None:
    preprocessing = material.locating().context.model.preprocessing
    large = Case("a", "a", "unlabelled", 700, 1100, {SINGLE_CLASS_VALUE: ()})
    label = replace(make_label("a", box=(30, 60, 90, 150)), case=large)
    ((stored, mask),) = to_stored([label], preprocessing)
    assert mask is not None
    assert (stored.scale, tuple(mask.shape)) == (3, (234, 367))
    assert stored.boxes_xyxy == ((10, 20, 30, 50),)
    full = preprocessing.mask_to_image(label.mask[None, None], large.image_size)[0, 0]
    assert abs(float(mask.float().mean()) - float(full.mean())) < 1


def test_a_class_without_boxes_has_its_own_reason() -> None:
    assert rejections([make_label("a")], make_case("empty")) == {
        "a": "belongs to a class without boxes"
    }


def test_each_class_has_a_label(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    context = material.locating(classes=Classes([LEFT, RIGHT])).context
    logits = torch.full((1, 2, *cases[0].image_size), -3.0)
    logits[0, 0, 5:15, 5:15] = 3
    prompts = Prompts(boxes_xyxy=torch.zeros(1, 2, 4), presence=torch.tensor([[0.75, 0.25]]))
    monkeypatch.setattr(type(context), "predict", lambda self, cases: ([logits], prompts))
    left, right = predict_self_labels(context, cases[:1], [1, 1])
    assert (left.object_class, left.boxes_xyxy, left.presence) == (LEFT, ((5, 5, 15, 15),), 0.75)
    assert (right.object_class, right.boxes_xyxy, right.presence) == (RIGHT, (), 0.25)
