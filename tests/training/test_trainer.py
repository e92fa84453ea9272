"""Training of either kind: reproducible and resumable to the bit; boxes choose the best epoch."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingStore
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.training.trainer import Trainer
from tiny_sam import TINY, TINY_LITE
from training_fixtures import TrainingFixtures, equal, prompter_state, run

CreateTrainer = Callable[..., Trainer]


@pytest.fixture(params=["direct", "locating"])
def create_trainer(request: pytest.FixtureRequest, material: TrainingFixtures) -> CreateTrainer:
    return getattr(material, request.param)


def fix_overlap(
    trainer: Trainer, monkeypatch: pytest.MonkeyPatch, overlap: float, left_empty: float = 0.0
) -> None:
    """Set the overlap of the masks of cases with and without a box."""
    validate = type(trainer.recipe).validate_batch

    def validate_batch(batch: list[Case]) -> Any:
        overlaps = [overlap if case.has_object else left_empty for case in batch]
        return validate(trainer.recipe, batch)[0], overlaps

    monkeypatch.setattr(trainer.recipe, "validate_batch", validate_batch)


def test_two_runs_with_one_seed_are_equal_to_the_bit(
    create_trainer: CreateTrainer, cases: list[Case]
) -> None:
    one, other = (run(create_trainer(), cases, 3) for _ in range(2))
    assert equal(prompter_state(one), prompter_state(other))
    assert equal(one.best, other.best)
    assert one.history == other.history


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"learning_rate": 0.02}, {"weight_decay": 0.1}, {"batch_size": 3}]
)
def test_each_setting_changes_the_result(
    create_trainer: CreateTrainer, cases: list[Case], change: dict[str, Any]
) -> None:
    one, other = (run(create_trainer(**changes), cases, 2) for changes in ({}, change))
    assert not equal(prompter_state(one), prompter_state(other))


@pytest.mark.parametrize(
    ("tiny_backbone", "stop"), [(TINY, 1), (TINY, 2), (TINY, 3), (TINY_LITE, 1), (TINY_LITE, 3)]
)
def test_a_resumed_run_ends_like_an_uninterrupted_one(
    create_trainer: CreateTrainer, cases: list[Case], tmp_path: Path, stop: int
) -> None:
    whole = run(create_trainer(), cases, 4)
    torch.save(run(create_trainer(), cases, stop).state_dict(), tmp_path / "state.pt")
    resumed = create_trainer(start=99)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(resumed, cases, 4 - stop)
    for trainer in (resumed, whole):
        trainer.finish(cases[3:])
    assert equal(prompter_state(resumed), prompter_state(whole))
    assert equal(resumed.best, whole.best)
    assert resumed.history == whole.history


def test_segment_does_not_change_the_training(
    create_trainer: CreateTrainer, cases: list[Case]
) -> None:
    undisturbed, watched = create_trainer(), create_trainer()
    for _ in range(2):
        run(undisturbed, cases, 1)
        run(watched, cases, 1)
        assert all(
            torch.equal(*pair)
            for pair in zip(watched.segment(cases), watched.segment(cases), strict=True)
        )
    assert equal(prompter_state(watched), prompter_state(undisturbed))
    assert watched.history == undisturbed.history


def test_a_resumed_run_keeps_the_best_epoch_so_far(
    create_trainer: CreateTrainer, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = run(create_trainer(), cases, 1)
    best = prompter_state(stopped)
    resumed = create_trainer()
    resumed.load_state_dict(stopped.state_dict())
    fix_overlap(resumed, monkeypatch, -1.0)
    run(resumed, cases, 1)
    assert resumed.best_row["epoch"] == 1
    assert equal(resumed.best, best)
    assert not equal(prompter_state(resumed), best)


def test_the_best_epoch_has_most_overlap_and_then_least_loss(
    create_trainer: CreateTrainer, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    trainer, states = create_trainer(), []
    for overlap in (0.2, 0.6, 0.6, 0.4):
        fix_overlap(trainer, monkeypatch, overlap)
        states.append(prompter_state(run(trainer, cases, 1)))
    assert [row["val_box_iou"] for row in trainer.history] == pytest.approx([0.2, 0.6, 0.6, 0.4])
    best = min((1, 2), key=lambda epoch: trainer.history[epoch]["val_loss"])
    assert trainer.history[1]["val_loss"] != trainer.history[2]["val_loss"]
    assert trainer.best_row is trainer.history[best]
    assert equal(trainer.best, states[best])
    monkeypatch.setattr(trainer.recipe, "calibrate", lambda val_cases: None)
    trainer.finish(cases[3:])
    assert equal(prompter_state(trainer), states[best])


def test_the_loss_decreases(create_trainer: CreateTrainer, cases: list[Case]) -> None:
    history = run(create_trainer(), cases, 4).history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < history[0]["loss"]


def test_only_the_prompter_is_trained(create_trainer: CreateTrainer, cases: list[Case]) -> None:
    trainer = create_trainer()
    model = trainer.context.model
    before = {key: value.clone() for key, value in model.state_dict().items()}
    run(trainer, cases, 1)
    changed = {
        key for key, value in model.state_dict().items() if not torch.equal(value, before[key])
    }
    assert changed == {f"prompter.{name}" for name, _ in model.prompter.named_parameters()}


def test_images_of_different_sizes_share_a_batch(
    create_trainer: CreateTrainer, cases: list[Case]
) -> None:
    masks = create_trainer(batch_size=3).segment(cases)
    assert [mask.shape for mask in masks] == [(1, 1, case.height, case.width) for case in cases]


@pytest.mark.parametrize(("batch_size", "possible"), [(1, "b"), (3, "abc")])
def test_a_loss_that_is_not_finite_stops_the_training(
    create_trainer: CreateTrainer,
    material: TrainingFixtures,
    cases: list[Case],
    tmp_path: Path,
    batch_size: int,
    possible: str,
) -> None:
    trainer = run(create_trainer(batch_size=batch_size), cases, 1)
    embeddings = material.embeddings
    store = EmbeddingStore(tmp_path, embeddings.encoder, "float32")
    for view in range(3):
        store.write(embeddings.path(cases[1], view), torch.full((32, 8, 8), torch.nan))
    with pytest.raises(InputError, match="a lower learning_rate") as raised:
        run(trainer, cases, 3)
    message = re.fullmatch(r"epoch \d: the loss is nan on (.*); .*", str(raised.value))
    assert message is not None
    names = message[1].split(", ")
    assert "b" in names
    assert set(names) <= set(possible)
    assert all(value.isfinite().all() for value in prompter_state(trainer).values())


def test_mixed_precision_keeps_the_weights_in_fp32(
    create_trainer: CreateTrainer, cases: list[Case]
) -> None:
    mixed = run(create_trainer(Compute(torch.device("cpu"), torch.bfloat16)), cases, 1)
    full = run(create_trainer(), cases, 1)
    assert all(value.dtype == torch.float32 for value in prompter_state(mixed).values())
    assert mixed.history[0]["loss"] != full.history[0]["loss"]
    assert mixed.history[0]["loss"] == pytest.approx(full.history[0]["loss"], rel=0.05)


def without_object(case: Case) -> Case:
    return replace(case, boxes={SINGLE_CLASS_VALUE: ()})


@pytest.mark.parametrize(
    ("epochs", "best"),
    [
        # (overlap of present objects, share of absent objects left empty) of each epoch
        ([(0.6, 0.0), (0.2, 1.0)], 2),
        ([(0.6, 0.5), (0.2, 0.8)], 1),
        ([(0.1, 0.0), (0.0, 1.0)], 1),  # an epoch that finds nothing is never the best
        ([(0.0, 0.5), (0.0, 1.0)], 2),
    ],
)
def test_present_and_absent_objects_count_equally(
    create_trainer: CreateTrainer,
    cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
    epochs: list[tuple[float, float]],
    best: int,
) -> None:
    trainer = create_trainer()
    val_cases = [cases[3], *(without_object(case) for case in cases[3:])]
    for overlap, left_empty in epochs:
        with monkeypatch.context() as patch:
            fix_overlap(trainer, patch, overlap, left_empty)
            trainer.run_epoch(cases[:3], val_cases)
    shown = [(row["val_box_iou"], row["val_left_empty"]) for row in trainer.history]
    assert shown == epochs
    assert trainer.best_row["epoch"] == best


def test_validation_without_absent_objects_reports_only_the_overlap(
    create_trainer: CreateTrainer, cases: list[Case]
) -> None:
    assert "val_left_empty" not in run(create_trainer(), cases, 1).history[0]
