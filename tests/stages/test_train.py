"""The train stage on small cases: its outputs, and what it requires."""

import json
import shutil
import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, read_classes, write_classes
from automedsam.cases.index import write_index
from automedsam.model.trained import load_model, read_header
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import TrainParams
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    HISTORY,
    IMAGES,
    INDEX,
    MODEL,
    PREPARATION,
    PROGRESS,
    PROMPT_MODULE,
    PSEUDO_LABELS,
    SELF_LABELS,
    TRAIN_METRICS,
)
from automedsam.training.progress import load_progress
from automedsam.training.self_label_file import load_self_labels
from automedsam.training.trainer import Trainer
from repository import ROOT
from train import main
from training_fixtures import CPU, OBJECT, TrainingFixtures

SMALL = {
    "epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "views": 1,
    "device": "cpu",
    "use_amp": False,
}


@pytest.fixture(autouse=True)
def _restore_algorithms() -> Iterator[None]:
    """The stage makes torch deterministic for its whole process."""
    yield
    torch.use_deterministic_algorithms(False)
    torch.utils.deterministic.fill_uninitialized_memory = True


@pytest.fixture
def project(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """Prepared, embedded and labelled cases, and the files that the stage reads."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.setattr(sys, "argv", ["train.py"])
    monkeypatch.setattr("train.Weights", lambda *_: material.weights)
    for name in ("dvc.yaml", "requirements.txt"):
        shutil.copyfile(ROOT / name, name)
    shutil.copytree(ROOT / "stages", "stages", ignore=shutil.ignore_patterns("__pycache__"))
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    values |= SMALL
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    for source, target in (
        (material.images, IMAGES),
        (material.embeddings.folder, EMBEDDINGS),
        (material.pseudo_labels, PSEUDO_LABELS),
    ):
        shutil.copytree(source, target)
    write_index(INDEX, cases)
    write_classes(CLASSES, OBJECT)
    PREPARATION.write_text("{}", encoding="utf-8")
    return root


@pytest.fixture
def few_boxes(project: Path, cases: list[Case]) -> Path:
    """The project without validation cases: a, b, d and e have a box, and c has none."""
    write_index(INDEX, [replace(case, split="train") for case in cases])
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    Path("params.yaml").write_text(yaml.safe_dump(values | {"views": 0}), encoding="utf-8")
    return project


def test_train_writes_the_model_and_its_reports(
    project: Path, material: TrainingFixtures, capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    history = HISTORY.read_text(encoding="utf-8").splitlines()
    assert len(history) == 1 + SMALL["epochs"]
    assert json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))["epoch"] == SMALL["epochs"]
    header = read_header(PROMPT_MODULE)
    assert header.classes == OBJECT == read_classes(CLASSES)
    assert header.params == load_params(TrainParams).model_dump(mode="json")
    load_model(PROMPT_MODULE, material.weights, CPU.device)
    printed = capsys.readouterr().out
    assert "trainable parameters" in printed
    assert "best epoch " in printed


@pytest.mark.parametrize("rounds", [0, 1])
def test_unlabelled_cases_add_rounds(project: Path, cases: list[Case], rounds: int) -> None:
    unlabelled = replace(cases[4], split="unlabelled", boxes={SINGLE_CLASS_VALUE: ()})
    write_index(INDEX, [*cases[:4], unlabelled])
    values = yaml.safe_load(Path("params.yaml").read_text(encoding="utf-8"))
    values |= {"self_training_rounds": rounds}
    Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")
    main()
    history = HISTORY.read_text(encoding="utf-8").splitlines()
    assert len(history) == 1 + (1 + rounds) * SMALL["epochs"]
    labels = load_self_labels(SELF_LABELS)
    assert [label.case for label, _ in labels] == ["e"] * rounds
    assert ("self_labels" in json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))) == bool(rounds)


def test_a_complete_training_leaves_no_folder_to_resume_from(project: Path) -> None:
    main()
    assert list(Path(".cache/train").iterdir()) == []


def stop_after_first_epoch(monkeypatch: pytest.MonkeyPatch) -> None:
    """Run the stage until its first epoch is saved."""
    with monkeypatch.context() as patch:
        run_epoch = Trainer.run_epoch

        def run_one_epoch(trainer: Trainer, train_cases: list[Case], val_cases: list[Case]) -> None:
            if trainer.history:
                raise KeyboardInterrupt
            run_epoch(trainer, train_cases, val_cases)

        patch.setattr(Trainer, "run_epoch", run_one_epoch)
        with pytest.raises(KeyboardInterrupt):
            main()


def test_a_stopped_training_is_resumed_with_the_same_result(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    outputs = {path.name: path.read_bytes() for path in (*MODEL.iterdir(), HISTORY)}
    shutil.rmtree(MODEL)
    stop_after_first_epoch(monkeypatch)
    assert not MODEL.exists()
    capsys.readouterr()
    main()
    assert "resuming the training that stopped after epoch 1" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in (*MODEL.iterdir(), HISTORY)} == outputs


def test_without_validation_cases_the_training_cross_validates(
    few_boxes: Path, material: TrainingFixtures, capsys: pytest.CaptureFixture[str]
) -> None:
    main()
    printed = capsys.readouterr().out
    folds = "cross-validation in 3 folds of 2, 1 and 1 boxed images from 4 groups"
    assert f"no validation images: {folds}" in printed
    assert f"by {folds}: validation box IoU " in printed
    metrics = json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))
    assert metrics["folds"] == 3
    assert 0 <= metrics["cv_box_iou"] <= 1
    assert 0 <= metrics["cv_left_empty"] <= 1
    columns = HISTORY.read_text(encoding="utf-8").splitlines()[0].split(",")
    assert columns == [
        "epoch",
        "loss",
        "loss_embedding",
        "loss_image",
        "val_loss",
        "val_box_iou",
        "val_left_empty",
        "learning_rate",
    ]
    assert load_progress(PROGRESS).keys() == {"a", "b", "d"}
    load_model(PROMPT_MODULE, material.weights, CPU.device)


def test_with_validation_cases_the_report_has_no_cross_validation(project: Path) -> None:
    main()
    metrics = json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))
    assert list(metrics)[-2:] == ["best_epoch", "best_val_box_iou"]
    assert not [key for key in metrics if key.startswith("cv_") or key == "folds"]


def test_a_stopped_cross_validation_is_resumed_with_the_same_result(
    few_boxes: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def read_outputs() -> dict[str, bytes]:
        return {p.name: p.read_bytes() for p in (*MODEL.iterdir(), HISTORY, TRAIN_METRICS)}

    main()
    outputs = read_outputs()
    shutil.rmtree(MODEL)
    stop_after_first_epoch(monkeypatch)
    capsys.readouterr()
    main()
    assert "resuming the training that stopped after epoch 1" in capsys.readouterr().out
    assert read_outputs() == outputs


@pytest.mark.parametrize(
    "changed",
    [
        "stages/automedsam/training/fit.py",
        "data/pseudo_labels/a.png",
        "data/prepared/images/d.png",
    ],
)
def test_a_stopped_training_is_not_resumed_after_a_change(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    changed: str,
) -> None:
    stop_after_first_epoch(monkeypatch)
    if changed.endswith(".py"):
        with Path(changed).open("a", encoding="utf-8") as file:
            file.write("# edited\n")
    else:
        write_image(Path(changed), 255 - read_image(Path(changed)))
    capsys.readouterr()
    main()
    assert "resuming" not in capsys.readouterr().out
    assert PROMPT_MODULE.is_file()


def test_a_missing_embedding_is_named_before_the_training(project: Path) -> None:
    (EMBEDDINGS / "d.safetensors").unlink()
    with pytest.raises(InputError, match=r"d\.safetensors: "):
        main()
    assert not MODEL.exists()
    assert not HISTORY.exists()


def test_missing_pseudo_labels_are_reported(project: Path) -> None:
    (PSEUDO_LABELS / "a.png").unlink()
    with pytest.raises(InputError, match="no pseudo-label of class object fits its box"):
        main()
