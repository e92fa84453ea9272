"""Models with random weights, saved as the training saves them."""

import json
from pathlib import Path
from typing import Any

import torch

from automedsam.backbone.weights import Weights
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.trained import ModelHeader
from automedsam.runtime.tensors import save_tensors
from automedsam.scans.prepared_scan import Preparation

SINGLE_CLASS = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])


def make_header(weights: Weights, classes: Classes = SINGLE_CLASS, **changes: Any) -> ModelHeader:
    """The header of a locating model in full precision; `changes` replace fields."""
    values: dict[str, Any] = {
        "backbone": weights.name,
        "medsam_checkpoint": weights.path.as_posix(),
        "weights_sha256": weights.sha256(),
        "weights_licence": weights.backbone.licence,
        "weights_training_data": weights.backbone.training_data,
        "use_amp": False,
        "precision": "float32",
        "embedding_dtype": "float16",
        "prompting": "locate",
        "prompt_source": "both",
        "sparse_prompt": "box",
        "class_values": [(cls.name, cls.value) for cls in classes],
        "preparation": json.loads(Preparation().to_json()),
        "params": {},
    }
    return ModelHeader(**values | changes)


def save_model(
    path: Path,
    weights: Weights,
    classes: Classes = SINGLE_CLASS,
    preparation: Preparation | None = None,
    **changes: Any,
) -> Path:
    """Save a locating model; `changes` replace fields of its header."""
    torch.manual_seed(0)
    prepared = json.loads((preparation or Preparation()).to_json())
    header = make_header(weights, classes, preparation=prepared, **changes)
    model = AutoMedSAM(
        weights,
        prompting=header.prompting,
        prompt_source=header.prompt_source,
        sparse_prompt=header.sparse_prompt,
        classes=len(classes),
    )
    save_tensors(path, model.prompter.state_dict(), header.model_dump())
    return path
