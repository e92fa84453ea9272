"""The trained PromptModule as a file, and the unfinished training that a stopped run leaves behind."""

from pathlib import Path
from typing import Any

import torch

from automedsam.backbone.weights import Weights
from automedsam.cases.classes import ObjectClass, from_json
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import load_header, load_tensors


def load_model(path: Path, weights: Weights, device: torch.device) -> AutoMedSAM:
    """A trained model, ready for inference.

    Raises:
      InputError: no such file, or one trained on another backbone than `weights`.
    """
    classes = trained_classes(path)
    header, found = load_header(path), weights.sha256()
    expected = header.get("weights")
    if expected != found:
        raise InputError(
            f"{path}: expected the weights with sha256 {expected}, found {weights.path}, {found}"
        )
    kind: dict[str, Any] = {
        key: header[key] for key in ("prompting", "prompt_source", "sparse_prompt")
    }
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
