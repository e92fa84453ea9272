"""Resuming a stopped training: a folder per training, identified by all that it depends on."""

import hashlib
import json
import logging
import pickle
import shutil
from collections.abc import Iterable, Mapping
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import yaml

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.runtime.files import atomic_file, atomic_folder
from automedsam.runtime.paths import BOXES, IMAGES, INDEX, PSEUDO_LABELS, image_path

logger = logging.getLogger(__name__)

CODE_SUFFIXES = (".py", ".txt", ".pth")


class TrainingFolder:
    """An unfinished training; one with another fingerprint has another folder."""

    def __init__(self, root: Path, fingerprint: Mapping[str, Any]) -> None:
        digest = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()
        self.root = root / digest[:16]
        self.results = self.root / "results"  # becomes the output of the stage
        self.results.mkdir(parents=True, exist_ok=True)
        self._state = self.root / "state.pt"
        logger.debug("state of the training: %s", self._state)

    def load_state(self) -> dict[str, Any] | None:
        """The state after the last complete epoch; `None` if there is none that can be read."""
        try:
            return torch.load(self._state, map_location="cpu", weights_only=True)
        except (FileNotFoundError, EOFError, RuntimeError, pickle.UnpicklingError):
            return None

    def save_state(self, state: dict[str, Any]) -> None:
        """Replace the state, atomically."""
        with atomic_file(self._state) as building:
            torch.save(state, building)

    def finish(self, output: Path) -> None:
        """Move the results to `output`, and delete the folder."""
        with atomic_folder(output) as folder:
            shutil.copytree(self.results, folder, dirs_exist_ok=True)
        # The state goes first: without its results it must not be resumed.
        self._state.unlink(missing_ok=True)
        shutil.rmtree(self.root)


def fingerprint(
    header: Mapping[str, Any], encoder: Mapping[str, str], inputs: Iterable[Path]
) -> dict[str, Any]:
    """Everything that the result of a training depends on.

    Args:
      header: header of the model, with all parameters.
      encoder: description of the encoder that made the embeddings.
      inputs: all files that are read.
    """
    return {
        "header": dict(header),
        "encoder": dict(encoder),
        "inputs": hash_files(inputs),
        "sources": hash_sources("train"),
    }


def input_files(
    cases: Iterable[Case], classes: Classes, embeddings: EmbeddingFolder, views: int
) -> list[Path]:
    """All files that a training on these cases reads; see `case_files`."""
    files = [case_files(case, classes, embeddings, views) for case in cases]
    return [INDEX, BOXES, *chain.from_iterable(files)]


def case_files(case: Case, classes: Classes, embeddings: EmbeddingFolder, views: int) -> list[Path]:
    """The files that a training reads for one case: image, pseudo-labels and embeddings.

    Args:
      case: the case.
      classes: the classes.
      embeddings: the folder of embeddings.
      views: number of embedded views of each training case.
    """
    labels = [image_path(classes.folder_of(PSEUDO_LABELS, cls), case.name) for cls in classes]
    numbers = range(1 + views) if case.split == "train" else range(1)
    return [
        image_path(IMAGES, case.name),
        *(label for label in labels if label.is_file()),
        *(embeddings.path(case, number) for number in numbers),
    ]


def hash_files(paths: Iterable[Path]) -> str:
    """One SHA-256 over the contents of the files, in the given order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def hash_sources(stage: str, dvc_yaml: Path = Path("dvc.yaml")) -> str:
    """One SHA-256 over the code that dvc.yaml lists for a stage, and the requirements."""
    deps = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]["deps"]
    code = [Path(dep) for dep in deps if dep.startswith("stages/") or dep.endswith(CODE_SUFFIXES)]
    files = {file for dep in code for file in ([dep] if dep.is_file() else dep.rglob("*"))}
    return hash_files(file for file in sorted(files) if file.suffix in CODE_SUFFIXES)
