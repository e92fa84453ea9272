"""Training of the locators: batches of views, losses, the running average, and the calibration."""

from collections import Counter
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.backbone.architectures import Backbone
from automedsam.cases.augmentation import embedded_view
from automedsam.cases.boxes import box_iou, largest_box
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.embedding_reduction import EmbeddingReduction
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.prompts import Prompts
from automedsam.runtime.image_files import write_image
from automedsam.supervision.targets import (
    Targets,
    pseudo_label_loss,
    read_targets,
    stack_targets,
)
from automedsam.training.locating import LocatingRecipe
from automedsam.training.trainer import Trainer
from automedsam.training.views import VIEWS_PER_CASE
from tiny_sam import TINY, TINY_LITE
from training_fixtures import (
    CPU,
    LOCATING,
    OBJECT,
    RECIPE,
    TrainingFixtures,
    equal,
    prompter_state,
    run,
)

LEFT, RIGHT = ObjectClass("left", 1), ObjectClass("right", 2)
TWO_CLASSES = Classes([LEFT, RIGHT])


def record_loads(trainer: Trainer, monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, int]]:
    """A list that receives case and view of each embedding that is read from now on."""
    loaded: list[tuple[str, int]] = []
    embeddings = trainer.context.inputs.embeddings
    load = embeddings.load

    def record(batch: list[Case], device: torch.device, views: list[int] | None = None) -> Tensor:
        numbers = [0] * len(batch) if views is None else views
        loaded.extend((case.name, view) for case, view in zip(batch, numbers, strict=True))
        return load(batch, device, views)

    monkeypatch.setattr(embeddings, "load", record)
    return loaded


def record_training_views(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch
) -> list[tuple[str, int]]:
    """A list that receives case and view of each embedding that a step trains on, cached or not."""
    used: list[tuple[str, int]] = []
    views = recipe_of(trainer).views
    features = views.features

    def record(case: Case, view: int) -> Tensor:
        if case.split == "train":
            used.append((case.name, view))
        return features(case, view)

    monkeypatch.setattr(views, "features", record)
    return used


def recipe_of(trainer: Trainer) -> LocatingRecipe:
    assert isinstance(trainer.recipe, LocatingRecipe)
    return trainer.recipe


def to_input(trainer: Trainer, targets: Targets, side: int) -> Targets:
    """Targets in the input frame; the backbone of these tests does not pad."""
    map_to_input = trainer.context.model.preprocessing.map_to_input
    return targets.warp(lambda values: map_to_input(values, side))


def thumbnails(trainer: Trainer, cases: list[Case]) -> Tensor:
    return torch.stack([trainer.context.inputs.thumbnail(case) for case in cases])


def test_an_epoch_has_the_given_steps_with_each_case_equally_often(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = material.locating(source="embedding", steps_per_epoch=4)
    used = record_training_views(trainer, monkeypatch)
    run(trainer, cases, 2)
    size = 2 * VIEWS_PER_CASE
    steps = [[name for name, _ in used[at : at + size]] for at in range(0, len(used), size)]
    assert len(steps) == 8
    assert all(names == names[:2] * VIEWS_PER_CASE for names in steps)
    epochs = [[name for names in steps[at : at + 4] for name in names[:2]] for at in (0, 4)]
    for names in epochs:
        assert sorted(names[:3]) == sorted(names[3:6]) == ["a", "b", "c"]
        assert max(Counter(names).values()) == 3
    assert epochs[0] != epochs[1]


def test_all_stored_views_are_sampled(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = material.locating(source="embedding", steps_per_epoch=10, batch_size=3)
    used = record_training_views(trainer, monkeypatch)
    run(trainer, cases, 1)
    assert set(used) == {(name, view) for name in "abc" for view in range(3)}


def test_without_views_only_the_images_themselves_are_loaded(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    for case in cases[:3]:
        for view in (1, 2):
            material.embeddings.path(case, view).unlink()
    trainer = material.locating(source="embedding", views=0)
    used = record_training_views(trainer, monkeypatch)
    run(trainer, cases, 2)
    assert {view for _, view in used} == {0}


@pytest.mark.parametrize("tiny_backbone", [TINY, TINY_LITE])
def test_an_embedding_is_read_once_per_training(
    tiny_backbone: Backbone,
    material: TrainingFixtures,
    cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The fit of the reduction, which small embeddings do not need, reads each once more."""
    trainer = material.locating(source="embedding", steps_per_epoch=10)
    loaded = record_loads(trainer, monkeypatch)
    run(trainer, cases, 3)
    of_training = [(name, view) for name in "abc" for view in range(3)]
    if tiny_backbone is TINY_LITE:
        assert loaded[:9] == of_training
        del loaded[:9]
    assert sorted(loaded) == [*of_training, ("d", 0), ("e", 0)]


def test_the_image_locator_needs_embeddings_for_predictions_only(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = material.locating(source="image")
    loaded = record_loads(trainer, monkeypatch)
    run(trainer, cases, 2)
    trainer.finish(cases[3:])
    assert loaded == []
    trainer.segment(cases[3:])
    assert loaded == [("d", 0), ("e", 0)]


@pytest.mark.parametrize("tiny_backbone", [TINY_LITE])
@pytest.mark.parametrize("source", ["embedding", "both"])
def test_the_reduction_is_fitted_once_to_training_images_and_their_views(
    material: TrainingFixtures, cases: list[Case], source: str
) -> None:
    trainer = material.locating(source=source)
    reduction = recipe_of(trainer).average.reduction
    trainer.run_epoch(cases[:3], cases[3:])
    expected = EmbeddingReduction(80)
    expected.fit(
        material.embeddings.load([case], CPU.device, [view])
        for case in cases[:3]
        for view in range(3)
    )
    assert equal(dict(reduction.state_dict()), dict(expected.state_dict()))
    trainer.run_epoch(cases[:1], cases[3:])
    assert equal(dict(reduction.state_dict()), dict(expected.state_dict()))
    assert torch.equal(trainer.best["reduction.components"], expected.components)
    assert torch.equal(trainer.best["reduction.centre"], expected.centre)


@pytest.mark.parametrize("tiny_backbone", [TINY_LITE])
@pytest.mark.parametrize("source", ["embedding", "both"])
@pytest.mark.parametrize("max_grid", [32, 8])
def test_validation_gives_the_maps_that_the_prompter_predicts(
    material: TrainingFixtures,
    cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
    source: str,
    max_grid: int,
) -> None:
    """The embeddings have 16 x 16 cells; with `max_grid` 8, the locators see averages of them."""
    monkeypatch.setattr("automedsam.model.embedding_reduction.MAX_GRID", max_grid)
    trainer = run(material.locating(source=source), cases, 2)
    model = trainer.context.model
    with torch.inference_mode():
        maps = model.prompter(*trainer.context.inputs.load(cases[3:]))
        found, _ = trainer.recipe.validate_batch(cases[3:])
    assert maps.shape == (2, 1, 64, 64)
    expected = trainer.context.to_images(maps.logit(eps=1e-4), cases[3:])
    for mask, expected_mask in zip(found, expected, strict=True):
        torch.testing.assert_close(mask, expected_mask)
        assert mask.std() > 0


@pytest.mark.parametrize(
    ("source", "terms"),
    [
        ("embedding", ["loss_embedding"]),
        ("image", ["loss_image"]),
        ("both", ["loss_embedding", "loss_image"]),
    ],
)
def test_each_source_has_its_own_loss(
    material: TrainingFixtures, cases: list[Case], source: str, terms: list[str]
) -> None:
    (row,) = run(material.locating(source=source), cases, 1).history
    assert list(row) == ["epoch", "loss", *terms, "val_loss", "val_box_iou", "learning_rate"]
    assert row["loss"] == pytest.approx(sum(row[term] for term in terms))


def test_the_label_of_an_embedded_view_is_warped_like_the_view(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss of one step on one case, without dropout, equals one that is computed by hand."""
    trainer = material.locating(source="embedding", batch_size=1, steps_per_epoch=1)
    recipe = recipe_of(trainer)
    recipe.learner.eval()
    used = record_training_views(trainer, monkeypatch)
    before = {key: value.clone() for key, value in recipe.learner.state_dict().items()}
    trainer.run_epoch(cases[:1], cases[3:])
    names, views = zip(*used, strict=True)
    assert len(views) == VIEWS_PER_CASE
    assert set(names) == {"a"}
    targets = read_targets(material.pseudo_labels, cases[0], OBJECT)
    warped = [
        targets.warp(embedded_view("a", view, recipe.views.augmentations).apply_to_map)
        if view
        else targets
        for view in views
    ]
    small = stack_targets([to_input(trainer, one, 8) for one in warped])
    recipe.learner.load_state_dict(before)
    logits = recipe.learner.locators["embedding"](
        torch.cat([material.embeddings.load(cases[:1], CPU.device, [view]) for view in views])
    )
    expected = pseudo_label_loss(logits, small).item()
    assert trainer.history[0]["loss"] == pytest.approx(expected, rel=1e-5)


def test_without_augmentations_the_image_locator_gets_the_thumbnails(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.locating(
        source="image", batch_size=3, steps_per_epoch=1, augmentations=[], learning_rate=0
    )
    (row,) = run(trainer, cases, 1).history
    targets = [read_targets(material.pseudo_labels, case, OBJECT) for case in cases[:3]]
    small = stack_targets([to_input(trainer, one, THUMBNAIL_SIDE) for one in targets])
    logits = recipe_of(trainer).learner.locators["image"](thumbnails(trainer, cases[:3]))
    assert row["loss"] == pytest.approx(pseudo_label_loss(logits, small).item(), rel=1e-3)


def test_the_prompter_is_the_running_average_of_the_learner(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    """After t steps the average keeps (1 + t) / (10 + t) of itself."""
    trainer = material.locating(source="embedding", steps_per_epoch=1)
    prompter = trainer.context.model.prompter
    for step in (1, 2, 3):
        average = {name: value.clone() for name, value in prompter.named_parameters()}
        run(trainer, cases, 1)
        kept = (1 + step) / (10 + step)
        learned = dict(recipe_of(trainer).learner.named_parameters())
        for name, value in prompter.named_parameters():
            torch.testing.assert_close(value, kept * average[name] + (1 - kept) * learned[name])


def test_dropout_is_active_in_the_learner_only(material: TrainingFixtures) -> None:
    trainer = material.locating(source="embedding")
    assert recipe_of(trainer).learner.training
    assert not any(module.training for module in trainer.context.model.modules())


def test_the_learning_rate_rises_and_then_falls_close_to_0(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.locating(source="embedding", epochs=10)
    rates = [row["learning_rate"] for row in run(trainer, cases, 10).history]
    assert rates[0] < max(rates) <= 0.01
    assert rates[-1] < 0.1 * max(rates)
    assert trainer.recipe.schedule.get_last_lr()[0] < rates[-1]


def test_the_shortest_training_has_one_step(material: TrainingFixtures, cases: list[Case]) -> None:
    trainer = run(material.locating(source="embedding", epochs=1, steps_per_epoch=1), cases, 1)
    trainer.finish(cases[3:])
    assert len(trainer.history) == 1


@pytest.mark.parametrize("source", ["embedding", "image"])
def test_the_locator_learns_where_the_boxes_are(
    material: TrainingFixtures, cases: list[Case], source: str
) -> None:
    """The objects are bright boxes."""
    trainer = material.locating(
        source=source, epochs=3, steps_per_epoch=12, batch_size=2, augmentations=["flip"]
    )
    for _ in range(3):
        trainer.run_epoch([cases[0], cases[2]], cases[:1])
    assert trainer.history[-1]["loss"] < 0.7 * trainer.history[0]["loss"]
    with torch.inference_mode():
        (logits,), _ = trainer.recipe.validate_batch(cases[:1])
    probability = logits[0, 0].sigmoid()
    x0, y0, x1, y1 = cases[0].all_boxes_xyxy[0]
    assert probability[y0:y1, x0:x1].mean() > 2 * probability[:, :x0].mean()


def test_a_rejected_label_leaves_the_inside_of_its_box_undetermined(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    """Case b has a box and no label, so the map inside of its box has no effect on the loss."""
    targets = read_targets(material.pseudo_labels, cases[1], OBJECT).unsqueeze(0)
    low = torch.full((1, 1, *cases[1].image_size), -10.0)
    high = low.clone()
    x0, y0, x1, y1 = cases[1].all_boxes_xyxy[0]
    high[..., y0:y1, x0:x1] = 10
    assert pseudo_label_loss(high, targets).item() == pseudo_label_loss(low, targets).item()


def test_the_validation_overlap_uses_the_largest_part_of_the_map(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = run(material.locating(), cases, 1)
    model, overlaps = trainer.context.model, []
    for case in cases[3:]:
        with torch.inference_mode():
            maps = model.prompter(*trainer.context.inputs.load([case]))
        logits = model.preprocessing.mask_to_image(maps.logit(eps=1e-4), case.image_size)
        overlaps.append(box_iou(largest_box(logits[0, 0].numpy() > 0), case.all_boxes_xyxy[0]))
    assert trainer.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 2)


def test_calibration_chooses_the_threshold_by_validation_boxes(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The box of case d is located exactly; in e, without an object, something has presence 0.4."""
    trainer = run(material.locating(), cases, 1)
    best = {key: value.clone() for key, value in trainer.best.items()}
    presence = {"d": 0.8, "e": 0.4}
    boxes = {case.name: torch.tensor([[[12.0, 10, 32, 41]]]) for case in cases}
    model, remaining = trainer.context.model, iter(cases[3:])

    def predict(*_: Any) -> tuple[None, Prompts]:
        case = next(remaining)
        box = model.preprocessing.box_to_input(boxes[case.name], case.image_size)
        return None, Prompts(boxes_xyxy=box, presence=torch.tensor([[presence[case.name]]]))

    monkeypatch.setattr(model, "forward", predict)
    trainer.finish([cases[3], replace(cases[4], boxes={SINGLE_CLASS_VALUE: ()})])
    assert 0.4 < trainer.best["presence_threshold"].item() < 0.41
    assert equal(prompter_state(trainer), trainer.best)
    assert equal(
        {key: value for key, value in trainer.best.items() if key != "presence_threshold"},
        {key: value for key, value in best.items() if key != "presence_threshold"},
    )


def test_calibration_predicts_nothing_if_every_image_shows_the_object(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = run(material.locating(), cases, 1)
    monkeypatch.delattr(AutoMedSAM, "forward")
    trainer.finish(cases[3:])
    assert trainer.best["presence_threshold"].tolist() == [0]


def test_a_model_without_locators_is_rejected(material: TrainingFixtures) -> None:
    context = material.context(AutoMedSAM(material.weights, "direct"))
    with pytest.raises(TypeError, match="requires a model that was created with prompting: locate"):
        LocatingRecipe(context, **RECIPE | LOCATING)


def test_padding_of_the_input_frame_is_known_background(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.locating()
    wide = replace(
        cases[0],
        height=30,
        width=60,
        boxes={SINGLE_CLASS_VALUE: ((0, 0, 60, 30),)},
        name="no label",
    )
    model = trainer.context.model
    model.preprocessing = replace(model.preprocessing, kind="sam")
    targets = recipe_of(trainer).views._make_targets(wide, 0, 32)
    assert targets.probability.shape == targets.weight.shape == (1, 32, 32)
    assert (targets.probability == 0).all()
    assert (targets.weight[0, :15] < 0.01).all()  # inside the box nothing is known
    assert (targets.weight[0, 17:] == 1).all()


@pytest.fixture
def two_class_cases(cases: list[Case], pseudo_labels: Path) -> list[Case]:
    """The cases with their boxes as `left`, and others as `right`; case a has labels of both."""
    for value in TWO_CLASSES.values:
        label = np.full(cases[0].image_size, 120 * value, np.uint8)
        write_image(pseudo_labels / f"{value}/a.png", label)
    right_boxes = {
        "a": ((0, 0, 5, 5), (50, 40, 60, 46)),
        "b": (),
        "c": ((3, 3, 9, 9),),
        "d": (),
        "e": ((1, 1, 9, 30),),
    }
    return [
        replace(case, boxes={1: case.all_boxes_xyxy, 2: right_boxes[case.name]}) for case in cases
    ]


def test_each_class_has_its_own_labels(
    material: TrainingFixtures, two_class_cases: list[Case]
) -> None:
    trainer = material.locating(
        source="image",
        batch_size=3,
        steps_per_epoch=1,
        augmentations=[],
        learning_rate=0,
        classes=TWO_CLASSES,
    )
    (row,) = run(trainer, two_class_cases, 1).history
    train_cases = two_class_cases[:3]
    logits = recipe_of(trainer).learner.locators["image"](thumbnails(trainer, train_cases))
    losses = []
    for number, cls in enumerate(TWO_CLASSES):
        folder = TWO_CLASSES.folder_of(material.pseudo_labels, cls)
        targets = [read_targets(folder, case, Classes([cls])) for case in train_cases]
        small = stack_targets([to_input(trainer, one, THUMBNAIL_SIDE) for one in targets])
        losses.append(pseudo_label_loss(logits[:, number : number + 1], small).item())
    assert row["loss"] == pytest.approx(sum(losses) / 2, rel=1e-3)
    assert losses[0] != losses[1]


def test_each_class_has_its_own_part_count_and_overlap(
    material: TrainingFixtures, two_class_cases: list[Case]
) -> None:
    trainer = run(material.locating(classes=TWO_CLASSES), two_class_cases, 1)
    val_cases = two_class_cases[3:]
    assert recipe_of(trainer).average.max_parts.tolist() == [1, 2]
    masks, overlaps = trainer.recipe.validate_batch(val_cases)
    assert [mask.shape for mask in masks] == [(1, 2, *case.image_size) for case in val_cases]
    left_d, right_d, left_e, right_e = overlaps
    assert not val_cases[0].boxes[2]
    row = trainer.history[0]
    assert row["val_box_iou"] == pytest.approx((left_d + left_e + right_e) / 3, rel=1e-5)
    assert row["val_left_empty"] == right_d


def test_each_class_has_its_own_presence_threshold(
    material: TrainingFixtures, two_class_cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """`left` is in case d only and has presence 0.4 in e; `right` is in e only and has 0.1 in d."""
    trainer = run(material.locating(classes=TWO_CLASSES), two_class_cases, 1)
    case_d, case_e = two_class_cases[3:]
    val_cases = [case_d, replace(case_e, boxes={1: (), 2: case_e.boxes[2]})]
    presences, remaining = iter([[0.8, 0.1], [0.4, 0.9]]), iter(val_cases)
    model = trainer.context.model

    def predict(*_: Any) -> tuple[None, Prompts]:
        case = next(remaining)
        boxes = torch.tensor([[[12.0, 10, 32, 41], [1.0, 1, 9, 30]]])
        in_frame = model.preprocessing.box_to_input(boxes, case.image_size)
        return None, Prompts(boxes_xyxy=in_frame, presence=torch.tensor([next(presences)]))

    monkeypatch.setattr(model, "forward", predict)
    trainer.finish(val_cases)
    assert trainer.best["presence_threshold"].tolist() == pytest.approx([0.4, 0.1], abs=1e-4)
