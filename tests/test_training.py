"""One training: repeatable to the bit, resumable to the bit, its best epoch chosen by boxes alone."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from automedsam.boxes import EMPTY, box_iou, tight_box
from automedsam.cases import Case
from automedsam.device import Compute
from automedsam.embeddings import EmbeddingFolder, EmbeddingStore
from automedsam.errors import InputError
from automedsam.losses import AutoMedSAMLoss
from automedsam.model import AutoMedSAM
from automedsam.sam import Weights
from automedsam.training import Training

CPU = Compute(torch.device("cpu"), torch.float32)
RECIPE: dict[str, Any] = {"epochs": 4, "batch_size": 2, "learning_rate": 0.01, "weight_decay": 1e-4, "seed": 0}


def new_training(
    weights: Weights, embeddings: EmbeddingFolder, compute: Compute = CPU, start: int = 0, **changes: float
) -> Training:
    torch.manual_seed(start)
    return Training(AutoMedSAM(weights), AutoMedSAMLoss(), compute, embeddings, **(RECIPE | changes))


def run(training: Training, cases: list[Case], epochs: int) -> Training:
    for _ in range(epochs):
        training.run_epoch(cases[:3], cases[3:])
    return training


def module_state(training: Training) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in training.model.prompt_module.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)


def test_two_runs_from_one_seed_are_the_same_to_the_bit(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    one, other = (run(new_training(tiny_weights, embeddings), cases, 3) for _ in range(2))
    assert equal(module_state(one), module_state(other))
    assert equal(one.best, other.best)
    assert one.history == other.history


@pytest.mark.parametrize("change", [{"seed": 1}, {"learning_rate": 0.02}, {"weight_decay": 0.1}, {"batch_size": 3}])
def test_each_setting_changes_the_outcome(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], change: dict[str, float]
) -> None:
    one, other = (run(new_training(tiny_weights, embeddings, **c), cases, 2) for c in ({}, change))
    assert not equal(module_state(one), module_state(other))


def test_every_epoch_takes_every_case_once_in_an_order_of_its_own(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    training = new_training(tiny_weights, embeddings, batch_size=5)
    load, loaded = embeddings.load, []

    def record(batch: list[Case], device: torch.device) -> Tensor:
        loaded.append([case.name for case in batch])
        return load(batch, device)

    monkeypatch.setattr(embeddings, "load", record)
    for _ in range(4):
        training.run_epoch(cases, cases[3:])
    orders = loaded[::2]
    assert all(sorted(order) == [case.name for case in cases] for order in orders)
    assert len({tuple(order) for order in orders}) > 1


@pytest.mark.parametrize("stop", [1, 2, 3])
def test_a_resumed_run_ends_as_the_uninterrupted_one(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], tmp_path: Path, stop: int
) -> None:
    whole = run(new_training(tiny_weights, embeddings), cases, 4)
    torch.save(run(new_training(tiny_weights, embeddings), cases, stop).state_dict(), tmp_path / "state.pt")
    resumed = new_training(tiny_weights, embeddings, start=99)
    resumed.load_state_dict(torch.load(tmp_path / "state.pt", weights_only=True))
    run(resumed, cases, 4 - stop)
    assert equal(module_state(resumed), module_state(whole))
    assert equal(resumed.best, whole.best)
    assert resumed.history == whole.history


def test_a_resumed_run_remembers_the_best_epoch_so_far(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    stopped = new_training(tiny_weights, embeddings)
    stopped.run_epoch(cases[:3], cases[3:])
    best = module_state(stopped)
    resumed = new_training(tiny_weights, embeddings)
    resumed.load_state_dict(stopped.state_dict())
    resumed.run_epoch(cases[:3], [replace(case, boxes_xyxy=()) for case in cases[3:]])
    assert resumed.best_row["epoch"] == 1
    assert equal(resumed.best, best)
    assert not equal(module_state(resumed), best)


def test_the_loss_goes_down(tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    history = run(new_training(tiny_weights, embeddings), cases, 4).history
    assert history[-1]["loss"] < history[0]["loss"]


def test_the_learning_rate_falls_after_half_of_the_epochs(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    history = run(new_training(tiny_weights, embeddings), cases, 4).history
    assert [row["epoch"] for row in history] == [1, 2, 3, 4]
    assert [row["learning_rate"] for row in history] == pytest.approx([0.01, 0.01, 0.001, 0.001])


def test_one_epoch_can_be_all(tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    assert run(new_training(tiny_weights, embeddings, epochs=1), cases, 1).history[0]["learning_rate"] == 0.01


def test_only_the_prompt_module_moves(tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    training = new_training(tiny_weights, embeddings)
    before = {key: value.clone() for key, value in training.model.state_dict().items()}
    run(training, cases, 1)
    moved = {key for key, value in training.model.state_dict().items() if not torch.equal(value, before[key])}
    assert moved == {f"prompt_module.{key}" for key in module_state(training)}


def test_the_best_epoch_is_the_one_with_the_most_box_overlap(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    training = new_training(tiny_weights, embeddings)
    training.criterion = AutoMedSAMLoss(lambda_size=10, size_lower=0.95, size_upper=1)
    absent = [replace(case, boxes_xyxy=()) for case in cases[3:]]
    whole = [replace(case, boxes_xyxy=((0, 0, case.width, case.height),)) for case in cases[3:]]
    states = []
    for val_cases in (absent, whole, absent, absent):
        training.run_epoch(cases[:3], val_cases)
        states.append(module_state(training))
    losses, overlaps = ([row[key] for row in training.history] for key in ("val_loss", "val_box_iou"))
    assert losses.index(max(losses)) == overlaps.index(max(overlaps)) == 1
    assert training.best_row is training.history[1]
    assert equal(training.best, states[1])


def test_the_first_of_equal_epochs_is_the_best(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    training = run(new_training(tiny_weights, embeddings, learning_rate=0), cases, 3)
    assert len({row["val_box_iou"] for row in training.history}) == 1
    assert training.best_row["epoch"] == 1


def test_the_overlap_is_that_of_the_masks_boxes(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    training = run(new_training(tiny_weights, embeddings), cases, 1)
    overlaps = []
    for case in cases[3:]:
        output = training.model.forward_with_embeddings(embeddings.load([case], CPU.device), image_size=case.image_size)
        overlaps.append(box_iou(tight_box(output["masks"][0, 0].detach().numpy() > 0), case.boxes_xyxy[0]))
    assert training.history[0]["val_box_iou"] == pytest.approx(sum(overlaps) / 2)


def test_images_of_different_sizes_share_a_batch(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    training = new_training(tiny_weights, embeddings, batch_size=3, learning_rate=0, weight_decay=0)
    masks = training.segment(cases)
    assert [mask.shape for mask in masks] == [(1, 1, case.height, case.width) for case in cases]
    losses = [AutoMedSAMLoss()(m, torch.tensor([c.boxes_xyxy or (EMPTY,)])) for m, c in zip(masks, cases, strict=True)]
    (row,) = run(training, cases, 1).history
    for key, term in {"loss": "total", "loss_empty": "empty", "loss_tightbox": "tightbox", "loss_size": "size"}.items():
        assert row[key] == pytest.approx(sum(getattr(loss, term).item() for loss in losses[:3]) / 3, rel=1e-4)
    assert row["val_loss"] == pytest.approx(sum(loss.total.item() for loss in losses[3:]) / 2, rel=1e-4)


def test_a_case_with_no_object_teaches_emptiness(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    training = new_training(tiny_weights, embeddings)
    for _ in range(4):
        training.run_epoch([cases[2]], cases[3:])
    first, *_, last = training.history
    assert last["loss_empty"] < first["loss_empty"]
    assert (last["loss_tightbox"], last["loss_size"]) == (0, 0)


@pytest.mark.parametrize(("batch_size", "found"), [(1, "on b;"), (3, r"on [abc], [abc], [abc];")])
def test_a_loss_that_is_no_number_stops_the_training(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], tmp_path: Path, batch_size: int, found: str
) -> None:
    training = run(new_training(tiny_weights, embeddings, batch_size=batch_size), cases, 1)
    store = EmbeddingStore(tmp_path, embeddings.encoder, "float32")
    store.write(embeddings.path(cases[1]), torch.full((32, 8, 8), torch.nan))
    with pytest.raises(InputError, match=f"epoch 2: expected a finite loss, found nan {found} a lower learning_rate"):
        run(training, cases, 1)
    assert all(value.isfinite().all() for value in module_state(training).values())


def test_mixed_precision_keeps_the_weights_in_fp32(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    mixed = run(new_training(tiny_weights, embeddings, Compute(torch.device("cpu"), torch.bfloat16)), cases, 2)
    full = run(new_training(tiny_weights, embeddings), cases, 2)
    assert all(value.dtype == torch.float32 for value in module_state(mixed).values())
    assert mixed.history[0]["loss"] != full.history[0]["loss"]
    assert mixed.history[0]["loss"] == pytest.approx(full.history[0]["loss"], rel=0.05)
