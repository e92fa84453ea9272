"""The trained model as a file: the weights of the prompter, and a header for their use."""

from pathlib import Path
from typing import Any, Literal

import torch
from pydantic import BaseModel, ConfigDict, ValidationError

from automedsam.backbone.weights import Weights
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import Prompting, PromptSource, SparsePrompt
from automedsam.runtime.tensors import load_header, load_tensors


class ModelHeader(BaseModel):
    """Everything that prediction needs to know about a trained model."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: Literal[2] = 2
    backbone: str
    medsam_checkpoint: str | None
    weights_sha256: str  # of the backbone's weights, like the next two
    weights_licence: str
    weights_training_data: str
    use_amp: bool
    precision: str  # in which the prompter was trained
    embedding_dtype: str
    prompting: Prompting
    prompt_source: PromptSource
    sparse_prompt: SparsePrompt
    class_values: list[tuple[str, int]]  # names and values in label masks, in order
    preparation: dict[str, Any]  # how images were prepared; the prediction room reads it
    params: dict[str, Any]  # all parameters of the training, for the record

    @property
    def classes(self) -> Classes:
        """The classes that the model segments."""
        return Classes(ObjectClass(name, value) for name, value in self.class_values)


def read_header(path: Path) -> ModelHeader:
    """Read the header of a trained model.

    Raises:
      InputError: the file is missing or is not a model of this version.
    """
    try:
        return ModelHeader.model_validate(load_header(path))
    except ValidationError:
        raise InputError(
            f"{path}: not a model of this version of automedsam; train it again: run `dvc repro`"
        ) from None


def load_model(path: Path, weights: Weights, device: torch.device) -> AutoMedSAM:
    """Load a trained model for inference.

    Raises:
      InputError: the file is missing, or the model was trained with other weights of the backbone.
    """
    header, found = read_header(path), weights.sha256()
    if header.weights_sha256 != found:
        raise InputError(
            f"{path}: the model was trained with backbone weights of SHA-256 "
            f"{header.weights_sha256}, but {weights.path} has {found}"
        )
    model = AutoMedSAM(
        weights,
        prompting=header.prompting,
        prompt_source=header.prompt_source,
        sparse_prompt=header.sparse_prompt,
        classes=len(header.classes),
    )
    model.prompter.load_state_dict(load_tensors(path))
    return model.to(device).eval()
