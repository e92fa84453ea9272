"""A training, of either kind: repeatable to the bit, resumable to the bit, its best epoch chosen by boxes alone."""

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingStore
from automedsam.cases.case import Case
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.training.trainer import Training
from training_fixtures import TrainingFixtures, equal, module_state, run

Make = Callable[..., Training]


@pytest.fixture(params=["direct", "locating"])
def new_training(request: pytest.FixtureRequest, material: TrainingFixtures) -> Make:
    return getattr(material, request.param)


def test_two_runs_from_one_seed_are_the_same_to_the_bit(
    new_training: Make, cases: list[Case]
) -> None:
    one, other = (run(new_training(), cases, 3) for _ in range(2))
    assert equal(module_state(one), module_state(other))
    assert equal(one.best, other.best)
    assert one.history == other.history


@pytest.mark.parametrize(
    "change", [{"seed": 1}, {"learning_rate": 0.02}, {"weight_decay": 0.1}, {"batch_size": 3}]
)
def test_each_setting_changes_the_outcome(
    new_training: Make, cases: list[Case], change: dict[str, Any]
) -> None:
    one, other = (run(new_training(**changes), cases, 2) for changes in ({}, change))
    assert not equal(module_state(one), module_state(other))


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    new_training: Make, cases: list[Case], tmp_path: Path, stop: int
) -> None:
    whole = run(new_training(), cases, 4)
    torch.save(run(new_training(), cases, stop).state_dict(), tmp_path / "state.pt")
    resumed = new_training(start=99)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(resumed, cases, 4 - stop)
    for training in (resumed, whole):
        training.finish(cases[3:])
    assert equal(module_state(resumed), module_state(whole))
    assert equal(resumed.best, whole.best)
    assert resumed.history == whole.history


def test_looking_at_masks_meanwhile_changes_nothing(new_training: Make, cases: list[Case]) -> None:
    undisturbed, watched = new_training(), new_training()
    for _ in range(2):
        run(undisturbed, cases, 1)
        run(watched, cases, 1)
        assert all(
            torch.equal(*pair)
            for pair in zip(watched.segment(cases), watched.segment(cases), strict=True)
        )
    assert equal(module_state(watched), module_state(undisturbed))
    assert watched.history == undisturbed.history


def test_a_resumed_run_remembers_the_best_epoch_so_far(
    new_training: Make, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    stopped = run(new_training(), cases, 1)
    best = module_state(stopped)
    resumed = new_training()
    resumed.load_state_dict(stopped.state_dict())
    overlap_with(resumed, monkeypatch, -1.0)
    run(resumed, cases, 1)
    assert resumed.best_row["epoch"] == 1
    assert equal(resumed.best, best)
    assert not equal(module_state(resumed), best)


def test_the_epoch_with_the_most_overlap_and_then_the_least_loss_is_the_best_and_what_is_left(
    new_training: Make, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    training, states = new_training(), []
    for overlap in (0.2, 0.6, 0.6, 0.4):
        overlap_with(training, monkeypatch, overlap)
        states.append(module_state(run(training, cases, 1)))
    assert [row["val_box_iou"] for row in training.history] == pytest.approx([0.2, 0.6, 0.6, 0.4])
    best = min((1, 2), key=lambda epoch: training.history[epoch]["val_loss"])
    assert training.history[1]["val_loss"] != training.history[2]["val_loss"]
    assert training.best_row is training.history[best]
    assert equal(training.best, states[best])
    Training.finish(training, cases[3:])
    assert equal(module_state(training), states[best])


def overlap_with(training: Training, monkeypatch: pytest.MonkeyPatch, overlap: float) -> None:
    """Have every mask overlap its boxes by so much."""
    judge = type(training).judge
    judged = lambda batch: (judge(training, batch)[0], [overlap] * len(batch))  # noqa: E731
    monkeypatch.setattr(training, "judge", judged)


def test_the_loss_goes_down(new_training: Make, cases: list[Case]) -> None:
    history = run(new_training(), cases, 4).history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert history[-1]["loss"] < history[0]["loss"]


def test_only_the_prompt_module_moves(new_training: Make, cases: list[Case]) -> None:
    training = new_training()
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    run(training, cases, 1)
    moved = {
        key
        for key, value in training.model.state_dict().items()
        if not torch.equal(value, before[key])
    }
    assert moved == {
        f"prompt_module.{name}" for name, _ in training.model.prompt_module.named_parameters()
    }


def test_images_of_different_sizes_share_a_batch(new_training: Make, cases: list[Case]) -> None:
    masks = new_training(batch_size=3).segment(cases)
    assert [mask.shape for mask in masks] == [(1, 1, case.height, case.width) for case in cases]


@pytest.mark.parametrize(("batch_size", "among"), [(1, "b"), (3, "abc")])
def test_a_loss_that_is_no_number_stops_the_training(
    new_training: Make,
    material: TrainingFixtures,
    cases: list[Case],
    tmp_path: Path,
    batch_size: int,
    among: str,
) -> None:
    training = run(new_training(batch_size=batch_size), cases, 1)
    embeddings = material.embeddings
    store = EmbeddingStore(tmp_path, embeddings.encoder, "float32")
    for view in range(3):
        store.write(embeddings.path(cases[1], view), torch.full((32, 8, 8), torch.nan))
    with pytest.raises(InputError, match="a lower learning_rate") as told:
        run(training, cases, 3)
    found = re.fullmatch(
        r"epoch \d: expected a finite loss, found nan on (.*); .*", str(told.value)
    )
    assert found is not None
    named = found[1].split(", ")
    assert "b" in named
    assert set(named) <= set(among)
    assert all(value.isfinite().all() for value in module_state(training).values())


def test_mixed_precision_keeps_the_weights_in_fp32(new_training: Make, cases: list[Case]) -> None:
    mixed = run(new_training(Compute(torch.device("cpu"), torch.bfloat16)), cases, 2)
    full = run(new_training(), cases, 2)
    assert all(value.dtype == torch.float32 for value in module_state(mixed).values())
    assert mixed.history[0]["loss"] != full.history[0]["loss"]
    assert mixed.history[0]["loss"] == pytest.approx(full.history[0]["loss"], rel=0.05)


def test_a_validation_case_with_no_object_is_judged_too(
    new_training: Make, cases: list[Case]
) -> None:
    training = new_training()
    training.run_epoch(cases[:3], [replace(case, boxes_xyxy=()) for case in cases[3:]])
    assert 0 <= training.history[0]["val_box_iou"] <= 1
