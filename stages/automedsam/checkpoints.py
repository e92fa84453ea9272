"""The trained PromptModule as a file, and the unfinished training that a stopped run leaves behind."""

import hashlib
import json
import pickle
import shutil
from pathlib import Path
from typing import Any

import torch

from automedsam.errors import InputError
from automedsam.model import AutoMedSAM
from automedsam.object_classes import ObjectClass, from_json
from automedsam.outputs import fresh_file, fresh_folder
from automedsam.sam import Weights
from automedsam.tensors import load_header, load_tensors


def load_model(path: Path, weights: Weights, device: torch.device) -> AutoMedSAM:
    """A trained model, ready for inference.

    Raises:
      InputError: no such file, or one trained on another backbone than `weights`.
    """
    classes = trained_classes(path)
    header, found = load_header(path), weights.sha256()
    expected = header.get("weights")
    if expected != found:
        raise InputError(f"{path}: expected the weights with sha256 {expected}, found {weights.path}, {found}")
    kind: dict[str, Any] = {key: header[key] for key in ("prompting", "prompt_source", "sparse_prompt")}
    model = AutoMedSAM(weights, **kind, classes=len(classes))
    model.prompt_module.load_state_dict(load_tensors(path))
    return model.to(device).eval()


def trained_classes(path: Path) -> list[ObjectClass]:
    """What a trained model looks for.

    Raises:
      InputError: no such file, or not such a one.
    """
    header = load_header(path)
    if not {"prompting", "classes"} <= header.keys():
        raise InputError(
            f"{path}: expected a trained PromptModule that tells how and what it prompts, found an older one, or none"
        )
    return from_json(header["classes"])


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
        with fresh_file(self._state) as building:
            torch.save(state, building)

    def finish(self, output: Path) -> None:
        """Let the results take the place of `output`, and forget the rest."""
        with fresh_folder(output) as folder:
            shutil.copytree(self.results, folder, dirs_exist_ok=True)
        self._state.unlink(missing_ok=True)  # first: a state without its results must never be taken up
        shutil.rmtree(self.root)
