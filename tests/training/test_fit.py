"""All epochs of a training: reports, snapshots, checkpoints and the state to resume from."""

import csv
import json
import logging
from pathlib import Path

import pytest

from automedsam.cases.case import Case
from automedsam.runtime.paths import HISTORY, PROGRESS, TRAIN_METRICS
from automedsam.runtime.tensors import load_header, load_tensors
from automedsam.training.fit import fit
from automedsam.training.progress import load_progress, shown_epochs
from automedsam.training.resume import TrainingFolder
from automedsam.training.trainer import Trainer
from training_fixtures import TrainingFixtures, equal, prompter_state, run

HEADER = {"content": "a test"}
EPOCHS = 3


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> TrainingFolder:
    """The folder of an unfinished training; the reports are written to the working directory."""
    monkeypatch.chdir(tmp_path)
    return TrainingFolder(tmp_path / "train", {"seed": 0})


@pytest.fixture
def messages(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the training logs."""
    logged: list[str] = []
    logger = logging.getLogger("automedsam.training.fit")
    monkeypatch.setattr(logger, "info", lambda text, *values: logged.append(text % values))
    return logged


def create_trainer(material: TrainingFixtures, start: int = 0) -> Trainer:
    return material.direct(epochs=EPOCHS, start=start)


def fit_on(
    trainer: Trainer,
    cases: list[Case],
    folder: TrainingFolder,
    epochs: int = EPOCHS,
    save_every: int | None = None,
) -> Trainer:
    fit(trainer, cases[:3], cases[3:], folder, HEADER, epochs, save_every)
    return trainer


def history_on_disk() -> list[dict[str, str]]:
    return list(csv.DictReader(HISTORY.read_text(encoding="utf-8").splitlines()))


def test_fit_runs_all_epochs_and_reports_them(
    material: TrainingFixtures, cases: list[Case], folder: TrainingFolder
) -> None:
    trainer = fit_on(create_trainer(material), cases, folder)
    expected = run(create_trainer(material), cases, EPOCHS)
    assert trainer.history == expected.history
    assert equal(prompter_state(trainer), prompter_state(expected))
    assert [row["epoch"] for row in history_on_disk()] == ["1", "2", "3"]
    metrics = json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))
    best = trainer.best_row
    assert (metrics["epoch"], metrics["best_epoch"]) == (3, best["epoch"])
    assert metrics["best_val_box_iou"] == pytest.approx(best["val_box_iou"], rel=1e-5)


def test_without_a_terminal_each_epoch_is_one_line(
    material: TrainingFixtures,
    cases: list[Case],
    folder: TrainingFolder,
    messages: list[str],
) -> None:
    trainer = fit_on(create_trainer(material), cases, folder)
    assert messages == [
        f"epoch {row['epoch']} of 3: loss {row['loss']:.4f}, val_box_iou {row['val_box_iou']:.3f}"
        for row in trainer.history
    ]


def test_masks_of_the_shown_epochs_are_stored(
    material: TrainingFixtures, cases: list[Case], folder: TrainingFolder
) -> None:
    fit_on(create_trainer(material), cases, folder)
    progress = load_progress(folder.results / PROGRESS.name)
    assert list(progress) == ["d", "e"]
    for case in cases[3:]:
        masks = progress[case.name]
        assert set(masks) == shown_epochs(EPOCHS)
        assert {mask.shape for mask in masks.values()} == {case.image_size}


@pytest.mark.parametrize(("save_every", "epochs"), [(None, []), (1, [1, 2, 3]), (2, [2])])
def test_checkpoints_are_written_at_the_given_interval(
    material: TrainingFixtures,
    cases: list[Case],
    folder: TrainingFolder,
    save_every: int | None,
    epochs: list[int],
) -> None:
    trainer = fit_on(create_trainer(material), cases, folder, save_every=save_every)
    paths = [folder.results / f"epoch_{epoch:04d}.safetensors" for epoch in epochs]
    assert sorted(folder.results.glob("epoch_*")) == paths
    for path in paths:
        assert load_header(path) == HEADER
        assert load_tensors(path).keys() == prompter_state(trainer).keys()


def test_a_stopped_training_is_resumed_with_the_same_result(
    material: TrainingFixtures,
    cases: list[Case],
    folder: TrainingFolder,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    whole_folder = TrainingFolder(tmp_path / "train", {"seed": 1})
    whole = fit_on(create_trainer(material), cases, whole_folder)
    stopped = create_trainer(material)
    save_state = folder.save_state

    def save_and_stop(state: dict[str, object]) -> None:
        save_state(state)
        raise KeyboardInterrupt

    monkeypatch.setattr(folder, "save_state", save_and_stop)
    with pytest.raises(KeyboardInterrupt):
        fit_on(stopped, cases, folder)
    monkeypatch.undo()
    monkeypatch.chdir(tmp_path)

    resumed = fit_on(create_trainer(material, start=99), cases, folder)
    assert resumed.history == whole.history
    assert equal(prompter_state(resumed), prompter_state(whole))
    assert equal(resumed.best, whole.best)
    names = [PROGRESS.name]
    assert [path.name for path in folder.results.iterdir()] == names
    assert all(
        (folder.results / name).read_bytes() == (whole_folder.results / name).read_bytes()
        for name in names
    )


def test_resuming_a_complete_training_only_reports_it(
    material: TrainingFixtures,
    cases: list[Case],
    folder: TrainingFolder,
    messages: list[str],
) -> None:
    complete = fit_on(create_trainer(material), cases, folder)
    messages.clear()
    report = HISTORY.read_bytes()
    HISTORY.unlink()
    TRAIN_METRICS.unlink()
    resumed = fit_on(create_trainer(material, start=99), cases, folder)
    assert messages == ["resuming the training that stopped after epoch 3"]
    assert HISTORY.read_bytes() == report
    assert TRAIN_METRICS.is_file()
    assert resumed.history == complete.history
