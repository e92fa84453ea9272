"""TODO"""

import hashlib
import json
import pickle
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
import yaml

from automedsam.runtime.files import atomic_file, atomic_folder


class TrainingFolder:
    """Where a training with one fingerprint grows, epoch by epoch, until it is done; no other ever takes it up."""

    def __init__(self, root: Path, fingerprint: dict[str, str]) -> None:
        digest = hashlib.sha256(json.dumps(fingerprint, sort_keys=True).encode()).hexdigest()
        self.root = root / digest[:16]
        self.results = self.root / "results"  # what will be the stage's output
        self.results.mkdir(parents=True, exist_ok=True)
        self._state = self.root / "state.pt"

    def load_state(self) -> dict[str, Any] | None:
        """The state after the last whole epoch; None if there is none, or none that can be read."""
        try:
            return torch.load(self._state, map_location="cpu", weights_only=True)
        except (FileNotFoundError, EOFError, RuntimeError, pickle.UnpicklingError):
            return None

    def save_state(self, state: dict[str, Any]) -> None:
        with atomic_file(self._state) as building:
            torch.save(state, building)

    def finish(self, output: Path) -> None:
        """Let the results take the place of `output`, and forget the rest."""
        with atomic_folder(output) as folder:
            shutil.copytree(self.results, folder, dirs_exist_ok=True)
        self._state.unlink(
            missing_ok=True
        )  # first: a state without its results must never be taken up
        shutil.rmtree(self.root)


"""What an unfinished training depends on, so that nothing else ever takes it up."""


def hash_files(paths: Iterable[Path]) -> str:
    """One sha256 over the contents of the files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def hash_sources(stage: str, dvc_yaml: Path = Path("dvc.yaml")) -> str:
    """One sha256 over the code and the pinned requirements that dvc.yaml names as the stage's."""
    deps = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]["deps"]
    return hash_files(Path(dep) for dep in sorted(deps) if dep.endswith((".py", ".txt")))
