"""Training of direct prompting: box losses, and optionally pseudo-labels and boxes of prompts."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from automedsam.cases.boxes import box_iou, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.model.automedsam import AutoMedSAM
from automedsam.supervision.box_losses import AutoMedSAMLoss, boxes_tensor
from automedsam.supervision.targets import pseudo_label_loss, read_targets
from automedsam.training.direct import DirectRecipe
from automedsam.training.trainer import Trainer
from training_fixtures import CPU, OBJECT, RECIPE, TrainingFixtures, equal, prompter_state, run

NO_CHANGE: dict[str, Any] = {"batch_size": 3, "learning_rate": 0, "weight_decay": 0}


def generalized_iou(one: Sequence[float], other: Sequence[float]) -> float:
    """Generalised IoU of two boxes x0, y0, x1, y1, by its definition."""

    def area(x0: float, y0: float, x1: float, y1: float) -> float:
        return max(x1 - x0, 0) * max(y1 - y0, 0)

    common = area(*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    hull = area(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))
    union = area(*one) + area(*other) - common
    return common / union - (hull - union) / hull


def test_each_epoch_takes_each_case_once_in_a_new_order(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer = material.direct(batch_size=5)
    load, loaded = material.embeddings.load, []

    def record(
        batch: list[Case], device: torch.device, views: Sequence[int] | None = None
    ) -> Tensor:
        loaded.append([case.name for case in batch])
        return load(batch, device, views)

    monkeypatch.setattr(material.embeddings, "load", record)
    for _ in range(4):
        trainer.run_epoch(cases, cases[3:])
    orders = loaded[::2]
    assert all(sorted(order) == [case.name for case in cases] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_the_learning_rate_drops_after_half_of_the_epochs(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    history = run(material.direct(), cases, 4).history
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_a_single_epoch_has_the_full_learning_rate(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    assert run(material.direct(epochs=1), cases, 1).history[0]["learning_rate"] == 0.01


def test_the_best_epoch_has_the_most_box_overlap(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    torch.manual_seed(0)
    context = replace(
        material.context(AutoMedSAM(material.weights, "direct")),
        criterion=AutoMedSAMLoss(lambda_size=10, size_lower=0.95, size_upper=1),
    )
    trainer = Trainer(context, DirectRecipe(context, **RECIPE))
    corner = [replace(case, boxes={SINGLE_CLASS_VALUE: ((0, 0, 1, 1),)}) for case in cases[3:]]
    whole = [
        replace(case, boxes={SINGLE_CLASS_VALUE: ((0, 0, case.width, case.height),)})
        for case in cases[3:]
    ]
    states = []
    for val_cases in (corner, whole, corner, corner):
        trainer.run_epoch(cases[:3], val_cases)
        states.append(prompter_state(trainer))
    overlaps = [row["val_box_iou"] for row in trainer.history]
    assert overlaps.index(max(overlaps)) == 1
    assert trainer.best_row is trainer.history[1]
    assert equal(trainer.best, states[1])


def test_the_first_of_equal_epochs_is_the_best(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = run(material.direct(learning_rate=0), cases, 3)
    assert len({row["val_box_iou"] for row in trainer.history}) == 1
    assert trainer.best_row["epoch"] == 1


def test_the_validation_overlap_compares_the_boxes_of_masks(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = run(material.direct(), cases, 1)
    overlaps = []
    for case in cases[3:]:
        embedding = material.embeddings.load([case], CPU.device)
        output = trainer.context.model.forward_with_embeddings(
            embedding, image_size=case.image_size
        )
        mask = output["masks"][0, 0].detach().numpy() > 0
        overlaps.append(box_iou(tight_box(mask), case.all_boxes_xyxy[0]))
    assert trainer.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 2)


def test_losses_are_computed_for_each_mask_in_its_own_size(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.direct(**NO_CHANGE)
    masks = trainer.segment(cases)
    losses = [
        AutoMedSAMLoss()(mask, boxes_tensor(case.all_boxes_xyxy, CPU.device))
        for mask, case in zip(masks, cases, strict=True)
    ]
    (row,) = run(trainer, cases, 1).history
    columns = {
        "loss": "total",
        "loss_empty": "empty",
        "loss_tightbox": "tightbox",
        "loss_size": "size",
    }
    for column, term in columns.items():
        expected = sum(getattr(loss, term).item() for loss in losses[:3]) / 3
        assert row[column] == pytest.approx(expected, rel=1e-4)
    assert row["val_loss"] == pytest.approx(
        sum(loss.total.item() for loss in losses[3:]) / 2, rel=1e-4
    )
    assert "loss_pseudo" not in row


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_lambda_pseudo_weights_the_pseudo_label_loss(
    material: TrainingFixtures, cases: list[Case], weight: float
) -> None:
    trainer = material.direct(**NO_CHANGE, lambda_pseudo=weight)
    masks = trainer.segment(cases[:3])
    losses = []
    for mask, case in zip(masks, cases[:3], strict=True):
        targets = read_targets(material.pseudo_labels, case, OBJECT).unsqueeze(0)
        losses.append(pseudo_label_loss(mask, targets).item())
    (row,) = run(trainer, cases, 1).history
    (without,) = run(material.direct(**NO_CHANGE), cases, 1).history
    assert row["loss_pseudo"] == pytest.approx(sum(losses) / 3, rel=1e-4)
    assert row["loss"] == pytest.approx(without["loss"] + weight * row["loss_pseudo"], rel=1e-4)


def test_pseudo_labels_of_weight_0_are_not_read(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    with_labels = run(material.direct(lambda_pseudo=0), cases, 1)
    (material.pseudo_labels / "a.png").write_bytes(b"not an image")
    with_damaged_labels = run(material.direct(lambda_pseudo=0), cases, 1)
    assert equal(prompter_state(with_damaged_labels), prompter_state(with_labels))


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_lambda_box_weights_the_loss_of_predicted_boxes(
    material: TrainingFixtures, cases: list[Case], weight: float
) -> None:
    """Boxes are compared in the input frame of 64 px; case c, without an object, does not count."""
    trainer = material.direct(**NO_CHANGE, lambda_box=weight)
    with torch.inference_mode():
        _, prompts = trainer.context.predict(cases[:2])
    assert prompts.boxes_xyxy is not None
    given = [(10, 8 * 64 / 48, 40, 36 * 64 / 48), (5 * 64 / 40, 20, 30 * 64 / 40, 60)]
    expected = [
        1 - generalized_iou(*pair)
        for pair in zip(prompts.boxes_xyxy[:, 0].tolist(), given, strict=True)
    ]
    (row,) = run(trainer, cases, 1).history
    (without,) = run(material.direct(**NO_CHANGE), cases, 1).history
    assert row["loss_box"] == pytest.approx(sum(expected) / 2, rel=1e-4)
    assert row["loss"] == pytest.approx(without["loss"] + weight * row["loss_box"], rel=1e-4)
    assert "loss_box" not in without


def test_predicted_boxes_approach_the_given_ones(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.direct(lambda_box=1.0, epochs=20)
    losses = [row["loss_box"] for row in run(trainer, cases, 12).history]
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_without_an_object_has_a_box_loss_of_0(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.direct(lambda_box=1.0)
    trainer.run_epoch([cases[2]], cases[3:])
    assert trainer.history[0]["loss_box"] == 0


def test_a_case_without_an_object_trains_for_an_empty_mask(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    trainer = material.direct()
    for _ in range(4):
        trainer.run_epoch([cases[2]], cases[3:])
    first, *_, last = trainer.history
    assert last["loss_empty"] < first["loss_empty"]
    assert (last["loss_tightbox"], last["loss_size"]) == (0, 0)
