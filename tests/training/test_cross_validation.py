"""Cross-validation: its models learn from other folds, and together they choose the epoch."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automedsam.cases.boxes import fill_boxes, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.cases.masks import to_labels, to_mask
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.image_files import write_image
from automedsam.training.cross_validation import CrossValidation
from automedsam.training.direct import DirectRecipe
from automedsam.training.locating import LocatingRecipe
from automedsam.training.presence import PresenceScore
from automedsam.training.trainer import Trainer
from training_fixtures import LOCATING, OBJECT, RECIPE, TrainingFixtures, equal, prompter_state

TWO_CLASSES = Classes([ObjectClass("left", 1), ObjectClass("right", 2)])
SETTINGS = {"direct": RECIPE, "locate": RECIPE | LOCATING | {"views": 0}}
RECIPES: dict[str, Any] = {"direct": DirectRecipe, "locate": LocatingRecipe}
CrossValidate = Callable[..., CrossValidation]


@pytest.fixture
def boxed(cases: list[Case], pseudo_labels: Path) -> list[Case]:
    """Four boxed training cases with pseudo-labels: a, b, d and e."""
    chosen = [replace(case, split="train") for case in cases if case.has_object]
    for case in chosen:
        label = (230 * fill_boxes(case.all_boxes_xyxy, case.image_size)).astype(np.uint8)
        write_image(pseudo_labels / f"{case.name}.png", label)
    return chosen


def fold_cases(cases: Sequence[Case]) -> list[list[Case]]:
    """Two folds: every second case."""
    return [list(cases[::2]), list(cases[1::2])]


@pytest.fixture(params=["direct", "locate"])
def prompting(request: pytest.FixtureRequest) -> str:
    return request.param


def create(
    material: TrainingFixtures,
    prompting: Any,
    folds: Sequence[Sequence[Case]] = (),
    start: int = 0,
    classes: Classes = OBJECT,
) -> Any:
    """A cross-validation, or without folds a plain training, from the same initial weights."""
    torch.manual_seed(start)
    model = AutoMedSAM(material.weights, prompting, classes=len(classes))
    context = material.context(model, classes=classes)
    create_recipe = partial(RECIPES[prompting], **SETTINGS[prompting])
    if folds:
        return CrossValidation(context, create_recipe, folds)
    return Trainer(context, create_recipe(context))


def run(trainer: Trainer, train_cases: list[Case], val_cases: list[Case], epochs: int) -> Trainer:
    for _ in range(epochs):
        trainer.run_epoch(train_cases, val_cases)
    return trainer


def test_validation_pools_the_trainings_without_each_fold(
    material: TrainingFixtures, boxed: list[Case], prompting: str
) -> None:
    folds = [boxed[:1], boxed[1:]]
    trainer = run(create(material, prompting, folds), boxed, boxed, 2)
    first = run(create(material, prompting), boxed[1:], boxed[:1], 2)
    second = run(create(material, prompting), boxed[:1], boxed[1:], 2)
    for row, one, three in zip(trainer.history, first.history, second.history, strict=True):
        for key in ("val_box_iou", "val_loss"):  # means over one and over three cases
            assert row[key] == pytest.approx((one[key] + 3 * three[key]) / 4)
    assert equal(prompter_state(trainer.trainers[0]), prompter_state(first))
    assert equal(prompter_state(trainer.trainers[1]), prompter_state(second))


def test_the_model_of_all_cases_is_trained_as_without_folds(
    material: TrainingFixtures, boxed: list[Case], prompting: str
) -> None:
    trainer = run(create(material, prompting, fold_cases(boxed)), boxed, boxed, 3)
    plain = create(material, prompting)
    states = [prompter_state(run(plain, boxed, boxed, 1)) for _ in range(3)]
    for row, expected in zip(trainer.history, plain.history, strict=True):
        assert row.keys() == expected.keys()
        assert row["loss"] == expected["loss"]
    best = trainer.best_row["epoch"]
    assert equal(trainer.best, states[int(best) - 1])


def test_the_pooled_overlap_chooses_the_epoch_of_all_models(
    material: TrainingFixtures, boxed: list[Case], prompting: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fold 1 alone would choose epoch 1, fold 2 alone epoch 3; together they choose epoch 2."""
    trainer = create(material, prompting, fold_cases(boxed))
    states = []
    for overlaps in ((0.9, 0.0), (0.7, 0.5), (0.1, 0.8)):
        for of_fold, overlap in zip(trainer.trainers, overlaps, strict=True):
            validate = type(of_fold.recipe).validate_batch

            def fixed(
                batch: list[Case], recipe: Any = of_fold.recipe, value: float = overlap,
                validate: Any = validate,
            ) -> Any:  # fmt: skip
                return validate(recipe, batch)[0], [value] * len(batch)

            monkeypatch.setattr(of_fold.recipe, "validate_batch", fixed)
        run(trainer, boxed, boxed, 1)
        states.append([prompter_state(one) for one in (trainer, *trainer.trainers)])
    assert [row["val_box_iou"] for row in trainer.history] == pytest.approx([0.45, 0.6, 0.45])
    assert trainer.best_row["epoch"] == 2
    trainer.finish(boxed)
    for one, state in zip((trainer, *trainer.trainers), states[1], strict=True):
        assert equal(one.best, state)
        assert equal(prompter_state(one), state)


def test_a_fold_learns_nothing_of_its_own_cases(
    material: TrainingFixtures, boxed: list[Case], prompting: str
) -> None:
    folds = fold_cases(boxed)
    before = run(create(material, prompting, folds), boxed, boxed, 1)
    write_image(material.pseudo_labels / "a.png", np.zeros(boxed[0].image_size, np.uint8))
    moved = [replace(boxed[0], boxes={SINGLE_CLASS_VALUE: ((0, 0, 9, 9),)}), *boxed[1:]]
    after = run(create(material, prompting, fold_cases(moved)), moved, moved, 1)
    holding_out, learning = range(2)
    for number, expected in ((holding_out, True), (learning, False)):
        states = [prompter_state(one.trainers[number]) for one in (before, after)]
        assert equal(*states) is expected
    assert not equal(prompter_state(before), prompter_state(after))


def test_a_resumed_run_ends_like_an_uninterrupted_one(
    material: TrainingFixtures, boxed: list[Case], prompting: str, tmp_path: Path
) -> None:
    folds = fold_cases(boxed)
    whole, again = (run(create(material, prompting, folds), boxed, boxed, 3) for _ in range(2))
    stopped = run(create(material, prompting, folds), boxed, boxed, 1)
    torch.save(stopped.state_dict(), tmp_path / "state.pt")
    resumed = create(material, prompting, folds, start=99)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(resumed, boxed, boxed, 2)
    for trainer in (whole, again, resumed):
        trainer.finish(boxed)
    for other in (again, resumed):
        assert other.history == whole.history
        assert other.figures() == whole.figures()
        assert equal(other.best, whole.best)


def test_masks_of_a_case_are_those_of_the_model_that_has_not_seen_it(
    material: TrainingFixtures, boxed: list[Case], prompting: str
) -> None:
    folds = fold_cases(boxed)
    trainer = run(create(material, prompting, folds), boxed, boxed, 1)
    masks = trainer.segment(boxed)
    for number, fold in enumerate(folds):
        for case, expected in zip(fold, trainer.trainers[number].segment(fold), strict=True):
            torch.testing.assert_close(masks[boxed.index(case)], expected)
    assert not torch.equal(masks[0], trainer.trainers[1].segment(boxed[:1])[0])


def test_the_final_masks_of_held_out_cases_are_measured(
    material: TrainingFixtures, boxed: list[Case], prompting: str
) -> None:
    trainer = run(create(material, prompting, fold_cases(boxed)), boxed, boxed, 2)
    assert trainer.figures() == {"folds": 2}
    trainer.finish(boxed)
    overlaps = [
        mask_box_iou(to_mask(mask), case.all_boxes_xyxy)
        for mask, case in zip(trainer.segment(boxed), boxed, strict=True)
    ]
    figures = trainer.figures()
    assert figures.keys() == {"folds", "cv_box_iou", "cv_mean_box_iou", "cv_missed"}
    assert figures["cv_box_iou"] == pytest.approx(np.mean(overlaps))
    assert figures["cv_missed"] == np.mean(
        [not to_mask(mask).any() for mask in trainer.segment(boxed)]
    )
    assert f"{np.mean(overlaps):.3f} of the final masks" in trainer.describe_best()
    assert "in 2 folds of 2 and 2 boxed images from 4 groups" in trainer.describe_best()


def test_the_mean_box_is_that_of_the_other_folds(
    material: TrainingFixtures, boxed: list[Case]
) -> None:
    """Each case is alone in its fold or with one that has the same box."""
    sides = [(0, 0, 10, 10), (0, 0, 20, 10), (0, 0, 20, 10)]
    cases = [
        replace(case, height=20, width=40, boxes={SINGLE_CLASS_VALUE: (side,)})
        for case, side in zip(boxed[:3], sides, strict=True)
    ]
    trainer = create(material, "direct", [cases[:1], cases[1:]])
    masks = [np.zeros((20, 40), bool)] * 3
    scores = [
        trainer._score(case, mask, SINGLE_CLASS_VALUE)
        for case, mask in zip(cases, masks, strict=True)
    ]
    assert [one["mean_box_iou"] for one in scores] == [0.5, 0.5, 0.5]
    assert [(one["box_iou"], one["missed"]) for one in scores] == [(0.0, 1.0)] * 3


def test_each_class_counts_equally_and_absent_objects_apart(
    material: TrainingFixtures, boxed: list[Case]
) -> None:
    case_a, case_b, case_d, case_e = boxed
    cases = [
        replace(case_a, boxes={1: case_a.all_boxes_xyxy, 2: ((0, 0, 5, 5),)}),
        replace(case_b, boxes={1: case_b.all_boxes_xyxy, 2: ()}),
        replace(case_d, boxes={1: case_d.all_boxes_xyxy, 2: ((1, 1, 8, 8),)}),
        replace(case_e, boxes={1: (), 2: ()}),
    ]
    trainer = create(material, "locate", [cases[:2], cases[2:]], classes=TWO_CLASSES)
    run(trainer, cases, cases, 1).finish(cases)
    labels = [to_labels(logits, TWO_CLASSES) for logits in trainer.segment(cases)]
    overlaps = {
        (case.name, value): mask_box_iou(mask == value, case.boxes[value])
        for case, mask in zip(cases, labels, strict=True)
        for value in (1, 2)
    }
    left = (overlaps["a", 1] + overlaps["b", 1] + overlaps["d", 1]) / 3
    right = (overlaps["a", 2] + overlaps["d", 2]) / 2
    left_empty = (overlaps["e", 1] + (overlaps["b", 2] + overlaps["e", 2]) / 2) / 2
    figures = trainer.figures()
    expected = {
        "folds": 2,
        "cv_box_iou": (left + right) / 2,
        "cv_left_empty": left_empty,
        "cv_box_iou_of_left": left,
        "cv_box_iou_of_right": right,
        "cv_left_empty_of_left": overlaps["e", 1],
        "cv_left_empty_of_right": (overlaps["b", 2] + overlaps["e", 2]) / 2,
    }
    assert {key: figures[key] for key in expected} == pytest.approx(expected)
    assert figures.keys() - expected.keys() == {
        f"cv_{score}{of}"
        for score in ("mean_box_iou", "missed")
        for of in ("", "_of_left", "_of_right")
    }
    assert "absent objects left empty" in trainer.describe_best()


def test_the_threshold_of_a_fold_is_chosen_on_the_other_folds(
    material: TrainingFixtures, boxed: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The threshold is just above the presence of absent objects; all folds decide the last one."""
    absent = replace(boxed[3], boxes={SINGLE_CLASS_VALUE: ()})
    cases = [*boxed[:3], absent]
    trainer = run(create(material, "locate", [[case] for case in cases]), cases, cases, 1)
    scores = {
        "a": PresenceScore(0.8, 0.5, True),
        "b": PresenceScore(0.9, 0.5, True),
        "d": PresenceScore(0.3, 0.5, True),
        "e": PresenceScore(0.4, 0.0, False),
    }
    for of_fold in trainer.trainers:
        monkeypatch.setattr(
            of_fold.recipe,
            "score_presence",
            lambda held_out: [[scores[case.name] for case in held_out]],
        )
    trainer.finish(cases)
    # Without d, 0.4 rejects the absent object and loses nothing; with d, it would lose a third.
    # Without e, no object is absent.
    thresholds = [one.best["presence_threshold"].item() for one in trainer.trainers]
    assert thresholds == pytest.approx([0, 0, 0.4, 0], abs=1e-4)
    assert trainer.best["presence_threshold"].item() == 0
    scores["d"] = PresenceScore(0.7, 0.5, True)
    trainer.finish(cases)
    assert trainer.best["presence_threshold"].item() == pytest.approx(0.4, abs=1e-4)


def test_a_class_that_the_other_folds_lack_is_not_an_error(
    material: TrainingFixtures, boxed: list[Case]
) -> None:
    boxes_of_right = [((0, 0, 5, 5),), ((0, 0, 5, 5),), (), ()]
    cases = [
        replace(case, boxes={1: case.all_boxes_xyxy, 2: right})
        for case, right in zip(boxed, boxes_of_right, strict=True)
    ]
    trainer = create(material, "locate", [cases[:2], cases[2:]], classes=TWO_CLASSES)
    run(trainer, cases, cases, 1).finish(cases)
    assert trainer.trainers[0].context.model.prompter.max_parts.tolist() == [1, 1]
    assert 0 <= trainer.figures()["cv_box_iou"] <= 1


def test_the_model_of_a_fold_sees_no_unlabelled_case_of_its_groups(
    material: TrainingFixtures, boxed: list[Case]
) -> None:
    unlabelled = [
        replace(boxed[0], name="u", split="unlabelled", group=boxed[0].group),
        replace(boxed[0], name="v", split="unlabelled", group="another"),
    ]
    model = AutoMedSAM(material.weights, "locate")
    context = replace(material.context(model), unlabelled=unlabelled)
    trainer = CrossValidation(
        context, partial(LocatingRecipe, **SETTINGS["locate"]), fold_cases(boxed)
    )
    names = [[case.name for case in one.context.unlabelled] for one in trainer.trainers]
    assert names == [["v"], ["u", "v"]]
    assert [case.name for case in trainer.context.unlabelled] == ["u", "v"]
