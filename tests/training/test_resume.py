"""Resuming a stopped training: its folder, and the fingerprint of everything that it depends on."""

from pathlib import Path

import numpy as np
import pytest
import torch

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import BOXES, IMAGES, INDEX, PSEUDO_LABELS
from automedsam.training.resume import (
    TrainingFolder,
    case_files,
    fingerprint,
    hash_files,
    hash_sources,
    input_files,
)
from training_fixtures import OBJECT, TrainingFixtures

TWO_CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])
ROOM = Path("stages/automedsam/training")
DVC_YAML = """
stages:
  train:
    cmd: python stages/train.py
    deps:
      - stages/train.py
      - stages/automedsam/__init__.py
      - stages/automedsam/training
      - requirements.txt
      - data/index.csv
      - data/images
  evaluate:
    cmd: python stages/evaluate.py
    deps:
      - stages/evaluate.py
      - stages/automedsam/evaluation
"""
FILES = (
    "stages/train.py",
    "stages/evaluate.py",
    "stages/automedsam/__init__.py",
    "stages/automedsam/training/__init__.py",
    "stages/automedsam/training/fit.py",
    "stages/automedsam/training/deeper/loop.py",
    "stages/automedsam/training/README.md",
    "stages/automedsam/training/weights.pth",
    "stages/automedsam/evaluation/scores.py",
    "requirements.txt",
    "data/index.csv",
    "data/images/a.png",
)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project whose stages depend on scripts, on rooms and on data."""
    monkeypatch.chdir(tmp_path)
    for name in FILES:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(name, encoding="utf-8")
    Path("dvc.yaml").write_text(DVC_YAML, encoding="utf-8")
    return tmp_path


def test_the_folder_keeps_the_last_state(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, {"seed": "0"})
    assert folder.load_state() is None
    for epoch in (1, 2):
        best = {"weight": torch.full((2,), float(epoch))}
        folder.save_state({"history": [{"epoch": epoch}], "best": best})
    state = TrainingFolder(tmp_path, {"seed": "0"}).load_state()
    assert state is not None
    assert state["history"] == [{"epoch": 2}]
    assert state["best"]["weight"].tolist() == [2, 2]


@pytest.mark.parametrize("content", [b"", b"not a state"])
def test_a_damaged_state_is_ignored(tmp_path: Path, content: bytes) -> None:
    folder = TrainingFolder(tmp_path, {"seed": "0"})
    folder.save_state({"history": []})
    (folder.root / "state.pt").write_bytes(content)
    assert folder.load_state() is None


def test_another_training_is_not_resumed(tmp_path: Path) -> None:
    TrainingFolder(tmp_path, {"seed": "0", "sources": "abc"}).save_state({"history": []})
    assert TrainingFolder(tmp_path, {"sources": "abc", "seed": "0"}).load_state() is not None
    assert TrainingFolder(tmp_path, {"seed": "1", "sources": "abc"}).load_state() is None
    assert TrainingFolder(tmp_path, {"seed": "0", "sources": "abd"}).load_state() is None


def test_a_finished_training_replaces_the_output_and_is_deleted(tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    (output / "old.safetensors").write_text("old")
    folder = TrainingFolder(tmp_path / "cache", {"seed": "0"})
    (folder.results / "new.safetensors").write_text("new")
    folder.save_state({"history": []})
    folder.finish(output)
    assert {path.name: path.read_text() for path in output.iterdir()} == {"new.safetensors": "new"}
    assert not folder.root.exists()
    assert TrainingFolder(tmp_path / "cache", {"seed": "0"}).load_state() is None


def test_a_finished_training_keeps_the_folders_of_others(tmp_path: Path) -> None:
    other = TrainingFolder(tmp_path / "cache", {"seed": "1"})
    other.save_state({"history": [{"epoch": 3}]})
    TrainingFolder(tmp_path / "cache", {"seed": "0"}).finish(tmp_path / "model")
    assert other.load_state() == {"history": [{"epoch": 3}]}


def resumable_state(root: Path, header: dict[str, object], encoder_format: str = "1") -> object:
    """The state that a training with this header and encoder resumes from."""
    inputs = [Path("data/index.csv"), Path("data/images/a.png")]
    identity = fingerprint(header, {"format": encoder_format}, inputs)
    return TrainingFolder(root, identity).load_state()


@pytest.fixture
def stopped(project: Path) -> Path:
    """The root of the folders of trainings, one of which was stopped after an epoch."""
    root = project / "cache"
    inputs = [Path("data/index.csv"), Path("data/images/a.png")]
    TrainingFolder(root, fingerprint({"seed": 0}, {"format": "1"}, inputs)).save_state(
        {"history": [{"epoch": 1}]}
    )
    return root


def test_a_stopped_training_is_resumed_if_nothing_changed(stopped: Path) -> None:
    assert resumable_state(stopped, {"seed": 0}) == {"history": [{"epoch": 1}]}


def test_a_stopped_training_is_not_resumed_with_another_header_or_encoder(stopped: Path) -> None:
    assert resumable_state(stopped, {"seed": 1}) is None
    assert resumable_state(stopped, {"seed": 0}, "2") is None


@pytest.mark.parametrize(
    "changed",
    [
        "stages/train.py",
        "stages/automedsam/training/fit.py",
        "stages/automedsam/training/deeper/loop.py",
        "data/index.csv",
        "data/images/a.png",
    ],
)
def test_a_stopped_training_is_not_resumed_after_a_change(stopped: Path, changed: str) -> None:
    Path(changed).write_text("changed", encoding="utf-8")
    assert resumable_state(stopped, {"seed": 0}) is None


@pytest.mark.parametrize("changed", ["stages/evaluate.py", "stages/automedsam/training/README.md"])
def test_a_stopped_training_is_resumed_after_an_unrelated_change(
    stopped: Path, changed: str
) -> None:
    Path(changed).write_text("changed", encoding="utf-8")
    assert resumable_state(stopped, {"seed": 0}) is not None


def test_files_of_a_case_are_image_label_and_embeddings(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(PSEUDO_LABELS / "a.png", np.zeros(cases[0].image_size, np.uint8))
    embeddings = material.embeddings
    of_a, of_b, of_d = (
        case_files(cases[index], OBJECT, embeddings, views=2) for index in (0, 1, 3)
    )
    assert of_a == [
        IMAGES / "a.png",
        PSEUDO_LABELS / "a.png",
        *(embeddings.path(cases[0], view) for view in range(3)),
    ]
    # The label of b was rejected; d is a validation case.
    assert of_b == [IMAGES / "b.png", *(embeddings.path(cases[1], view) for view in range(3))]
    assert of_d == [IMAGES / "d.png", embeddings.path(cases[3])]


def test_files_of_a_case_include_the_labels_of_all_classes(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (1, 2):
        write_image(PSEUDO_LABELS / f"{value}/a.png", np.zeros(cases[0].image_size, np.uint8))
    assert case_files(cases[0], TWO_CLASSES, material.embeddings, views=0) == [
        IMAGES / "a.png",
        *(PSEUDO_LABELS / f"{value}/a.png" for value in (1, 2)),
        material.embeddings.path(cases[0]),
    ]


def test_input_files_are_the_tables_and_the_files_of_all_cases(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    embeddings = material.embeddings
    index, boxes, *others = input_files([cases[0], cases[3]], OBJECT, embeddings, views=1)
    assert (index, boxes) == (INDEX, BOXES)
    assert others == [
        *case_files(cases[0], OBJECT, embeddings, views=1),
        *case_files(cases[3], OBJECT, embeddings, views=1),
    ]


def test_hash_files_depends_on_contents_not_names(tmp_path: Path) -> None:
    one, other = tmp_path / "one", tmp_path / "other"
    one.write_text("same")
    other.write_text("same")
    assert hash_files([one]) == hash_files([other])
    other.write_text("different")
    assert hash_files([one]) != hash_files([other])


def test_hash_files_depends_on_order_and_file_boundaries(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, content in zip(paths, ["1", "23", ""], strict=True):
        path.write_text(content)
    whole = hash_files(paths)
    assert hash_files(paths[::-1]) != whole
    assert hash_files(paths[:2]) != whole
    paths[0].write_text("12")
    paths[1].write_text("3")
    assert hash_files(paths) != whole


@pytest.mark.parametrize(
    "changed",
    [
        "stages/train.py",
        "stages/automedsam/__init__.py",
        "stages/automedsam/training/fit.py",
        "stages/automedsam/training/deeper/loop.py",
        "stages/automedsam/training/weights.pth",
        "requirements.txt",
    ],
)
def test_hash_sources_changes_with_the_code_of_the_stage(project: Path, changed: str) -> None:
    before = hash_sources("train")
    (project / changed).write_text("changed")
    assert hash_sources("train") != before


@pytest.mark.parametrize("name", ["new.py", "deeper/new.py", "new.txt"])
def test_hash_sources_changes_with_a_new_file_of_a_room(project: Path, name: str) -> None:
    before = hash_sources("train")
    (project / ROOM / name).write_text("new")
    assert hash_sources("train") != before


def test_hash_sources_changes_with_a_deleted_file_of_a_room(project: Path) -> None:
    before = hash_sources("train")
    (project / ROOM / "fit.py").unlink()
    assert hash_sources("train") != before


@pytest.mark.parametrize(
    "name", ["__pycache__/fit.cpython-311.pyc", "README.md", "deeper/README.md", "fit.py~"]
)
def test_hash_sources_ignores_files_of_a_room_that_are_not_code(project: Path, name: str) -> None:
    before = hash_sources("train")
    (project / ROOM / name).parent.mkdir(exist_ok=True)
    (project / ROOM / name).write_text("changed")
    assert hash_sources("train") == before


@pytest.mark.parametrize(
    "changed",
    [
        "stages/evaluate.py",
        "stages/automedsam/evaluation/scores.py",
        "data/index.csv",
        "data/images/a.png",
    ],
)
def test_hash_sources_ignores_other_stages_and_data(project: Path, changed: str) -> None:
    before = hash_sources("train")
    (project / changed).write_text("changed")
    assert hash_sources("train") == before


def test_hash_sources_does_not_depend_on_the_order_in_dvc_yaml(project: Path) -> None:
    before = hash_sources("train")
    swapped = DVC_YAML.replace(
        "- stages/train.py\n      - stages/automedsam/__init__.py",
        "- stages/automedsam/__init__.py\n      - stages/train.py",
    )
    assert swapped != DVC_YAML
    (project / "dvc.yaml").write_text(swapped)
    assert hash_sources("train") == before
