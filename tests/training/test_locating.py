"""Training on pseudo-labels: which views of which cases in which order, the running mean, and when a mask is empty."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.cases.augmentation import embedded_view
from automedsam.cases.boxes import box_iou, largest_box
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locators import SIDE
from automedsam.model.prompts import Prompts
from automedsam.runtime.image_files import write_image
from automedsam.supervision.targets import pseudo_label_loss, read_targets
from automedsam.training.locating import (
    MAX_OVERLAP_LOSS,
    VIEWS_PER_CASE,
    LocatingTraining,
    choose_presence_threshold,
)
from training_fixtures import CPU, LOCATING, RECIPE, TrainingFixtures, equal, module_state, run


def loaded_by(
    training: LocatingTraining, monkeypatch: pytest.MonkeyPatch
) -> list[list[tuple[str, int]]]:
    """Case and view of each embedding of each step to come."""
    loaded: list[list[tuple[str, int]]] = []
    load = training.inputs.embeddings.load

    def record(batch: list[Case], device: torch.device, views: list[int] | None = None) -> Tensor:
        if views is not None:
            loaded.append([(case.name, view) for case, view in zip(batch, views, strict=True)])
        return load(batch, device, views)

    monkeypatch.setattr(training.inputs.embeddings, "load", record)
    return loaded


def test_an_epoch_takes_as_many_steps_as_asked_and_each_case_as_often_as_any_other(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = material.locating(source="embedding", steps_per_epoch=4)
    loaded = loaded_by(training, monkeypatch)
    run(training, cases, 2)
    assert [len(batch) for batch in loaded] == [2 * VIEWS_PER_CASE] * 8
    epochs = [[name for batch in loaded[at : at + 4] for name, _ in batch[:2]] for at in (0, 4)]
    assert all(
        [name for name, _ in batch] == [name for name, _ in batch[:2]] * VIEWS_PER_CASE
        for batch in loaded
    )
    for names in epochs:
        assert sorted(names[:3]) == sorted(names[3:6]) == ["a", "b", "c"]
        assert max(Counter(names).values()) == 3
    assert epochs[0] != epochs[1]


def test_every_stored_view_is_drawn_from(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = material.locating(source="embedding", steps_per_epoch=10, batch_size=3)
    loaded = loaded_by(training, monkeypatch)
    run(training, cases, 1)
    assert {sight for batch in loaded for sight in batch} == {
        (name, view) for name in "abc" for view in range(3)
    }


def test_with_no_views_the_images_as_they_are_suffice(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in cases[:3]:
        for view in (1, 2):
            material.embeddings.path(case, view).unlink()
    training = material.locating(source="embedding", views=0)
    loaded = loaded_by(training, monkeypatch)
    run(training, cases, 2)
    assert {view for batch in loaded for _, view in batch} == {0}


@pytest.mark.parametrize(
    ("source", "terms"),
    [
        ("embedding", ["loss_embedding"]),
        ("image", ["loss_image"]),
        ("both", ["loss_embedding", "loss_image"]),
    ],
)
def test_each_source_learns_from_a_loss_of_its_own(
    material: TrainingFixtures, cases: list[Case], source: str, terms: list[str]
) -> None:
    (row,) = run(material.locating(source=source), cases, 1).history
    assert list(row) == ["epoch", "loss", *terms, "val_loss", "val_box_iou", "learning_rate"]
    assert row["loss"] == pytest.approx(sum(row[term] for term in terms))


def test_an_embedded_view_is_held_against_the_label_moved_alike(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """With nothing dropped, one step on one case: its loss by hand."""
    training = material.locating(source="embedding", batch_size=1, steps_per_epoch=1)
    training.learner.eval()
    loaded = loaded_by(training, monkeypatch)
    before = {key: value.clone() for key, value in training.learner.state_dict().items()}
    training.run_epoch(cases[:1], cases[3:])
    names, views = zip(*loaded[0], strict=True)
    assert set(names) == {"a"}
    label = read_targets(material.pseudo_labels, cases[0])
    moved = [
        embedded_view("a", view, training.augmentations).apply_to_map(label) if view else label
        for view in views
    ]
    known = torch.stack([training.model.preprocessing.map_to_input(of, 8) for of in moved])
    training.learner.load_state_dict(before)
    logits = training.learner.locators["embedding"](
        torch.cat([material.embeddings.load(cases[:1], CPU.device, [view]) for view in views])
    )
    assert training.history[0]["loss"] == pytest.approx(
        pseudo_label_loss(logits, known).item(), rel=1e-5
    )


def test_without_augmentations_the_image_locator_sees_the_thumbnails_themselves(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.locating(
        source="image", batch_size=3, steps_per_epoch=1, augmentations=[], learning_rate=0
    )
    (row,) = run(training, cases, 1).history
    known = [read_targets(material.pseudo_labels, case) for case in cases[:3]]
    known_small = torch.stack([training.model.preprocessing.map_to_input(of, SIDE) for of in known])
    seen = torch.stack([training.inputs.thumbnail(case) for case in cases[:3]])
    expected = pseudo_label_loss(training.learner.locators["image"](seen), known_small)
    assert row["loss"] == pytest.approx(expected.item(), rel=1e-3)


def test_the_model_is_the_running_mean_of_what_learns(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    """After t steps it keeps (1 + t) / (10 + t) of itself."""
    training = material.locating(source="embedding", steps_per_epoch=1)
    for step in (1, 2, 3):
        mean = {
            name: value.clone() for name, value in training.model.prompt_module.named_parameters()
        }
        run(training, cases, 1)
        kept = (1 + step) / (10 + step)
        learned = dict(training.learner.named_parameters())
        for name, value in training.model.prompt_module.named_parameters():
            torch.testing.assert_close(value, kept * mean[name] + (1 - kept) * learned[name])


def test_the_learner_drops_channels_and_the_model_that_is_asked_does_not(
    material: TrainingFixtures,
) -> None:
    training = material.locating(source="embedding")
    assert training.learner.training
    assert not any(module.training for module in training.model.modules())


def test_the_learning_rate_rises_and_falls_to_almost_nothing(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.locating(source="embedding", epochs=10)
    rates = [row["learning_rate"] for row in run(training, cases, 10).history]
    assert rates[0] < max(rates) <= 0.01
    assert rates[-1] < 0.1 * max(rates)
    assert training.schedule.get_last_lr()[0] < rates[-1]


def test_the_shortest_training_is_one_step(material: TrainingFixtures, cases: list[Case]) -> None:
    training = run(material.locating(source="embedding", epochs=1, steps_per_epoch=1), cases, 1)
    training.finish(cases[3:])
    assert len(training.history) == 1


@pytest.mark.parametrize("source", ["embedding", "image"])
def test_it_learns_where_the_boxes_are(
    material: TrainingFixtures, cases: list[Case], source: str
) -> None:
    """What is bright, in pictures of bright boxes."""
    training = material.locating(
        source=source, epochs=3, steps_per_epoch=12, batch_size=2, augmentations=["flip"]
    )
    for _ in range(3):
        training.run_epoch([cases[0], cases[2]], cases[:1])
    assert training.history[-1]["loss"] < 0.7 * training.history[0]["loss"]
    with torch.inference_mode():
        (logits,), _ = training.judge(cases[:1])
    probability = logits[0, 0].sigmoid()
    x0, y0, x1, y1 = cases[0].boxes_xyxy[0]
    assert probability[y0:y1, x0:x1].mean() > 2 * probability[:, :x0].mean()


def test_a_dropped_label_says_nothing_of_the_inside(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    """Case b has a box and no label: whatever the map says in it costs nothing."""
    known = read_targets(material.pseudo_labels, cases[1])[None]
    low = torch.full((1, 1, *cases[1].image_size), -10.0)
    high = low.clone()
    x0, y0, x1, y1 = cases[1].boxes_xyxy[0]
    high[..., y0:y1, x0:x1] = 10
    assert pseudo_label_loss(high, known).item() == pseudo_label_loss(low, known).item()


def test_the_validation_overlap_is_that_of_the_maps_largest_part(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = run(material.locating(), cases, 1)
    overlaps = []
    for case in cases[3:]:
        with torch.inference_mode():
            found = training.model.prompt_module(*training.inputs.load([case]))
        mask = (
            training.model.preprocessing.mask_to_image(found.logit(eps=1e-4), case.image_size)[
                0, 0
            ].numpy()
            > 0
        )
        overlaps.append(box_iou(largest_box(mask), case.boxes_xyxy[0]))
    assert training.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 2)


@pytest.mark.parametrize(
    ("found", "threshold"),
    [
        pytest.param([(0.9, 0.8, True), (0.1, 0.5, True)], 0.0, id="an object in each"),
        pytest.param(
            [(0.9, 0.8, True), (0.3, 0.0, False), (0.5, 0.6, True)],
            0.3,
            id="absent below all present",
        ),
        pytest.param(
            [(0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.6, True)],
            0.0,
            id="an object would be lost",
        ),
        pytest.param(
            [(0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.0, True)],
            0.6,
            id="what is lost was missed anyway",
        ),
        pytest.param(
            [(0.9, 0.8, True), (0.6, 0.0, False), (0.5, 0.6, True), (0.2, 0.0, False)],
            0.2,
            id="one of two",
        ),
        pytest.param([(0.2, 0.0, False), (0.7, 0.0, False)], 0.0, id="no object at all"),
        pytest.param([(0.7, 0.0, False), (0.6, 0.0, True)], 0.0, id="no object found"),
    ],
)
def test_the_threshold_is_the_highest_that_loses_no_object(
    found: list[tuple[float, float, bool]], threshold: float
) -> None:
    assert choose_presence_threshold(found) == pytest.approx(threshold, abs=1e-5)


@pytest.mark.parametrize(("share", "threshold"), [(0.9, 0.6), (1.1, 0.0)])
def test_a_little_of_the_overlap_may_be_lost(share: float, threshold: float) -> None:
    little = share * MAX_OVERLAP_LOSS
    found = [(0.9, 1 - little, True), (0.5, little, True), (0.6, 0.0, False)]
    assert choose_presence_threshold(found) == pytest.approx(threshold, abs=1e-5)


def test_the_threshold_parts_present_from_absent() -> None:
    found = [(0.9, 0.8, True), (0.3, 0.0, False), (0.5, 0.6, True)]
    assert [presence >= choose_presence_threshold(found) for presence, _, _ in found] == [
        True,
        False,
        True,
    ]


def test_finishing_settles_the_threshold_by_the_validation_boxes(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Case d is surely found where its box is; e, with nothing in it, with a presence of 0.4."""
    training = run(material.locating(), cases, 1)
    best = {key: value.clone() for key, value in training.best.items()}
    presence = {"d": 0.8, "e": 0.4}
    boxes = {case.name: torch.tensor([[[12.0, 10, 32, 41]]]) for case in cases}
    preprocessing, asked = training.model.preprocessing, iter(cases[3:])

    def answer(*_: Any) -> tuple[None, Prompts]:
        case = next(asked)
        box = preprocessing.box_to_input(boxes[case.name], case.image_size)
        return None, Prompts(boxes_xyxy=box, presence=torch.tensor([[presence[case.name]]]))

    monkeypatch.setattr(training.model, "forward", answer)
    training.finish([cases[3], replace(cases[4], boxes_xyxy=())])
    assert 0.4 < training.best["presence_threshold"].item() < 0.41
    assert equal(module_state(training), training.best)
    assert equal(
        {key: value for key, value in training.best.items() if key != "presence_threshold"},
        {key: value for key, value in best.items() if key != "presence_threshold"},
    )


def test_a_model_that_does_not_locate_is_refused(material: TrainingFixtures) -> None:
    model = AutoMedSAM(material.weights, "direct")
    with pytest.raises(TypeError, match="expected a model that locates"):
        LocatingTraining(material.set_up(model), **RECIPE | LOCATING)


def test_the_padding_of_a_frame_is_surely_no_object(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.locating()
    wide = replace(cases[0], height=30, width=60, boxes_xyxy=((0, 0, 60, 30),), name="no label")
    training.model.preprocessing = replace(training.model.preprocessing, kind="sam")
    known = training._make_known(wide, 0, 32)
    assert known.shape == (2, 32, 32)
    assert (known[0] == 0).all()
    assert (known[1, :15] < 0.01).all()  # inside the box, of which nothing is known
    assert (known[1, 17:] == 1).all()


TWO = [ObjectClass("left", 1), ObjectClass("right", 2)]


@pytest.fixture
def two(cases: list[Case], pseudo_labels: Path) -> list[Case]:
    """The cases with their boxes as the first class's, and two or one of the second; a label of each class of `a`."""
    for value in (1, 2):
        write_image(
            pseudo_labels / f"{value}/a.png", np.full(cases[0].image_size, 120 * value, np.uint8)
        )
    others = {
        "a": ((0, 0, 5, 5), (50, 40, 60, 46)),
        "b": (),
        "c": ((3, 3, 9, 9),),
        "d": (),
        "e": ((1, 1, 9, 30),),
    }
    return [
        replace(
            case,
            boxes_xyxy=(*case.boxes_xyxy, *others[case.name]),
            box_classes=(1,) * len(case.boxes_xyxy) + (2,) * len(others[case.name]),
        )
        for case in cases
    ]


def test_each_class_learns_from_its_own_labels(material: TrainingFixtures, two: list[Case]) -> None:
    training = material.locating(
        source="image",
        batch_size=3,
        steps_per_epoch=1,
        augmentations=[],
        learning_rate=0,
        classes=TWO,
    )
    (row,) = run(training, two, 1).history
    logits = training.learner.locators["image"](
        torch.stack([training.inputs.thumbnail(case) for case in two[:3]])
    )
    losses = []
    for number, value in enumerate((1, 2)):
        known = [
            read_targets(material.pseudo_labels / str(value), case.of_class(value))
            for case in two[:3]
        ]
        known_small = torch.stack(
            [training.model.preprocessing.map_to_input(of, SIDE) for of in known]
        )
        losses.append(pseudo_label_loss(logits[:, number : number + 1], known_small).item())
    assert row["loss"] == pytest.approx(sum(losses) / 2, rel=1e-3)
    assert losses[0] != losses[1]


def test_most_parts_and_overlaps_are_those_of_each_class(
    material: TrainingFixtures, two: list[Case]
) -> None:
    training = run(material.locating(classes=TWO), two, 1)
    assert training.mean.max_parts.tolist() == [1, 2]
    masks, overlaps = training.judge(two[3:])
    assert [mask.shape for mask in masks] == [(1, 2, *case.image_size) for case in two[3:]]
    assert len(overlaps) == 4
    assert training.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 4, rel=1e-5)


def test_each_class_has_a_threshold_of_its_own(
    material: TrainingFixtures, two: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first is in d and not in e, where its presence is 0.4; the second is in e and not in d: there it is 0.1."""
    training = run(material.locating(classes=TWO), two, 1)
    val_cases = [two[3], replace(two[4], boxes_xyxy=two[4].boxes_xyxy[1:], box_classes=(2,))]
    presences, asked = iter([[0.8, 0.1], [0.4, 0.9]]), iter(val_cases)

    def answer(*_: Any) -> tuple[None, Prompts]:
        case = next(asked)
        boxes = torch.tensor([[[12.0, 10, 32, 41], [1.0, 1, 9, 30]]])
        placed = training.model.preprocessing.box_to_input(boxes, case.image_size)
        return None, Prompts(boxes_xyxy=placed, presence=torch.tensor([next(presences)]))

    monkeypatch.setattr(training.model, "forward", answer)
    training.finish(val_cases)
    assert training.best["presence_threshold"].tolist() == pytest.approx([0.4, 0.1], abs=1e-4)
