"""The published training: every case once an epoch, box losses through the frozen decoder, pseudo-labels if wanted."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from automedsam.cases.boxes import EMPTY, box_iou, tight_box
from automedsam.cases.case import Case
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.supervision.targets import pseudo_label_loss, read_targets
from training_fixtures import CPU, TrainingFixtures, equal, module_state, run


def test_every_epoch_takes_every_case_once_in_an_order_of_its_own(
    material: TrainingFixtures, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = material.direct(batch_size=5)
    load, loaded = material.embeddings.load, []

    def record(
        batch: list[Case], device: torch.device, views: Sequence[int] | None = None
    ) -> Tensor:
        loaded.append([case.name for case in batch])
        return load(batch, device, views)

    monkeypatch.setattr(material.embeddings, "load", record)
    for _ in range(4):
        training.run_epoch(cases, cases[3:])
    orders = loaded[::2]
    assert all(sorted(order) == [case.name for case in cases] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


def test_the_learning_rate_falls_after_half_of_the_epochs(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    history = run(material.direct(), cases, 4).history
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_one_epoch_can_be_all(material: TrainingFixtures, cases: list[Case]) -> None:
    assert run(material.direct(epochs=1), cases, 1).history[0]["learning_rate"] == 0.01


def test_the_best_epoch_is_the_one_with_the_most_box_overlap(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.direct()
    training.criterion = AutoMedSAMLoss(lambda_size=10, size_lower=0.95, size_upper=1)
    absent = [replace(case, boxes_xyxy=()) for case in cases[3:]]
    whole = [replace(case, boxes_xyxy=((0, 0, case.width, case.height),)) for case in cases[3:]]
    states = []
    for val_cases in (absent, whole, absent, absent):
        training.run_epoch(cases[:3], val_cases)
        states.append(module_state(training))
    losses, overlaps = (
        [row[key] for row in training.history] for key in ("val_loss", "val_box_iou")
    )
    assert losses.index(max(losses)) == overlaps.index(max(overlaps)) == 1
    assert training.best_row is training.history[1]
    assert equal(training.best, states[1])


def test_the_first_of_equal_epochs_is_the_best(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = run(material.direct(learning_rate=0), cases, 3)
    assert len({row["val_box_iou"] for row in training.history}) == 1
    assert training.best_row["epoch"] == 1


def test_the_overlap_is_that_of_the_masks_boxes(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = run(material.direct(), cases, 1)
    overlaps = []
    for case in cases[3:]:
        embedding = material.embeddings.load([case], CPU.device)
        output = training.model.forward_with_embeddings(embedding, image_size=case.image_size)
        overlaps.append(
            box_iou(tight_box(output["masks"][0, 0].detach().numpy() > 0), case.boxes_xyxy[0])
        )
    assert training.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 2)


def test_the_losses_are_those_of_each_mask_in_its_own_size(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.direct(batch_size=3, learning_rate=0, weight_decay=0)
    masks = training.segment(cases)
    losses = [
        AutoMedSAMLoss()(m, torch.tensor([c.boxes_xyxy or (EMPTY,)]))
        for m, c in zip(masks, cases, strict=True)
    ]
    (row,) = run(training, cases, 1).history
    for key, term in {
        "loss": "total",
        "loss_empty": "empty",
        "loss_tightbox": "tightbox",
        "loss_size": "size",
    }.items():
        assert row[key] == pytest.approx(
            sum(getattr(loss, term).item() for loss in losses[:3]) / 3, rel=1e-4
        )
    assert row["val_loss"] == pytest.approx(
        sum(loss.total.item() for loss in losses[3:]) / 2, rel=1e-4
    )
    assert "loss_pseudo" not in row


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_pseudo_labels_weigh_as_much_as_is_asked(
    material: TrainingFixtures, cases: list[Case], weight: float
) -> None:
    still: dict[str, Any] = {"batch_size": 3, "learning_rate": 0, "weight_decay": 0}
    training = material.direct(**still, lambda_pseudo=weight)
    pairs = zip(training.segment(cases[:3]), cases, strict=False)
    of_labels = [
        pseudo_label_loss(m, read_targets(material.pseudo_labels, c)[None]).item() for m, c in pairs
    ]
    (row,) = run(training, cases, 1).history
    (without,) = run(material.direct(**still), cases, 1).history
    assert row["loss_pseudo"] == pytest.approx(sum(of_labels) / 3, rel=1e-4)
    assert row["loss"] == pytest.approx(without["loss"] + weight * row["loss_pseudo"], rel=1e-4)


def test_with_no_weight_pseudo_labels_are_not_even_read(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    with_labels = run(material.direct(lambda_pseudo=0), cases, 1)
    (material.pseudo_labels / "a.png").write_bytes(b"no image")
    assert equal(
        module_state(run(material.direct(lambda_pseudo=0), cases, 1)), module_state(with_labels)
    )


def generalised_iou(one: Sequence[float], other: Sequence[float]) -> float:
    """By its definition, of boxes x0, y0, x1, y1."""
    area = lambda x0, y0, x1, y1: max(x1 - x0, 0) * max(y1 - y0, 0)  # noqa: E731
    common = area(*map(max, one[:2], other[:2]), *map(min, one[2:], other[2:]))
    hull = area(*map(min, one[:2], other[:2]), *map(max, one[2:], other[2:]))
    union = area(*one) + area(*other) - common
    return common / union - (hull - union) / hull


@pytest.mark.parametrize("weight", [1.0, 0.3])
def test_predicted_boxes_are_held_against_the_given_ones(
    material: TrainingFixtures, cases: list[Case], weight: float
) -> None:
    """In the input frame of 64 px; case c, without an object, has no say."""
    still: dict[str, Any] = {"batch_size": 3, "learning_rate": 0, "weight_decay": 0}
    training = material.direct(**still, lambda_box=weight)
    with torch.inference_mode():
        _, prompts = training.ask(cases[:2])
    given = [(10, 8 * 64 / 48, 40, 36 * 64 / 48), (5 * 64 / 40, 20, 30 * 64 / 40, 60)]
    expected = [
        1 - generalised_iou(*pair)
        for pair in zip(prompts.boxes_xyxy[:, 0].tolist(), given, strict=True)
    ]
    (row,) = run(training, cases, 1).history
    (without,) = run(material.direct(**still), cases, 1).history
    assert row["loss_box"] == pytest.approx(sum(expected) / 2, rel=1e-4)
    assert row["loss"] == pytest.approx(without["loss"] + weight * row["loss_box"], rel=1e-4)
    assert "loss_box" not in without


def test_predicted_boxes_come_nearer_to_the_given_ones(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.direct(lambda_box=1.0, epochs=20)
    losses = [row["loss_box"] for row in run(training, cases, 12).history]
    assert losses[-1] < 0.5 * losses[0]


def test_a_batch_with_no_object_has_no_box_to_be_held_against(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.direct(lambda_box=1.0)
    training.run_epoch([cases[2]], cases[3:])
    assert training.history[0]["loss_box"] == 0


def test_a_case_with_no_object_teaches_emptiness(
    material: TrainingFixtures, cases: list[Case]
) -> None:
    training = material.direct()
    for _ in range(4):
        training.run_epoch([cases[2]], cases[3:])
    first, *_, last = training.history
    assert last["loss_empty"] < first["loss_empty"]
    assert (last["loss_tightbox"], last["loss_size"]) == (0, 0)
