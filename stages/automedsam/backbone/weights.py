"""Weights of the frozen backbone: found or downloaded, checked, and loaded part by part.

The encoder and the decoder are loaded separately, so that training never holds the image encoder.
"""

import logging
import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from zipfile import is_zipfile

import pooch
import torch
from torch import Tensor, nn

from automedsam.backbone.architectures import PARTS
from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.sam_networks import MaskDecoder, PromptEncoder
from automedsam.runtime.downloads import fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import weights_folder

logger = logging.getLogger(__name__)
M = TypeVar("M", bound=nn.Module)
Shape = tuple[int, ...]
SAM_TINY_WEIGHTS = Path(__file__).parent / "sam_tiny.pth"


class Weights:
    """A backbone with one file of its weights.

    Attributes:
      name: Key of BACKBONES.
      backbone: The architecture and its preprocessing.
      path: File with the weights.
    """

    def __init__(self, backbone: str, checkpoint: Path | None = None) -> None:
        """Find the weights, download them if necessary, and check that they fit the architecture.

        Args:
          backbone: Key of BACKBONES.
          checkpoint: State dict of segment_anything's `Sam`, official or not. None uses the
            official weights, which are downloaded once unless they are part of this package.

        Raises:
          InputError: If the backbone is unknown, the file is missing, damaged or cannot be
            downloaded, or it holds the weights of another backbone.
        """
        if backbone not in BACKBONES:
            raise InputError(f"backbone: expected one of {', '.join(BACKBONES)}, found {backbone}")
        self.name = backbone
        self.backbone = BACKBONES[backbone]
        self._sha256: str | None = None
        if checkpoint is None:
            self.path = self._official_file()
        else:
            self.path = Path(checkpoint)
            if not self.path.is_file():
                raise InputError(
                    f"medsam_checkpoint: {self.path}: file not found; set it to a file with "
                    f"weights of {backbone}, or to null for the official weights"
                )
            self._reject_weights_of_others()
        self._check_architecture()
        logger.debug("weights of %s: %s", backbone, self.path)

    def sha256(self) -> str:
        """Return the hash of the file; embeddings are comparable only if it is the same."""
        if self._sha256 is None:
            self._sha256 = pooch.file_hash(str(self.path))
        return self._sha256

    def load_encoder(self) -> nn.Module:
        """Return the frozen image encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_encoder(), "image_encoder")

    def load_prompt_encoder(self) -> PromptEncoder:
        """Return the frozen prompt encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_prompt_encoder(), "prompt_encoder")

    def load_mask_decoder(self) -> MaskDecoder:
        """Return the frozen mask decoder, fp32, on the CPU."""
        return self._load(self.backbone.build_mask_decoder(), "mask_decoder")

    def _official_file(self) -> Path:
        source = self.backbone.source
        if source is None:
            return SAM_TINY_WEIGHTS
        try:
            path = fetch(source, weights_folder())
        except InputError as error:
            raise InputError(
                f"{error}; or set medsam_checkpoint to a file with these weights"
            ) from error
        self._sha256 = source.sha256  # `fetch` has verified it
        return path

    def _reject_weights_of_others(self) -> None:
        """Reject the official weights of another backbone.

        The architectures of MedSAM and SAM ViT-B are equal, but their preprocessing differs.
        """
        size = self.path.stat().st_size
        for name, other in BACKBONES.items():
            if name == self.name or other.source is None or other.source.size_bytes != size:
                continue  # the size alone excludes this one, without hashing the file
            if other.source.sha256 == self.sha256():
                raise InputError(
                    f"{self.path}: these are the official weights of {name} "
                    f"(sha256 {self.sha256()}), not of {self.name}; set backbone: {name}"
                )

    def _check_architecture(self) -> None:
        expected = self.backbone.shapes
        state = {key: tuple(value.shape) for key, value in read_state(self.path).items()}
        actual = {key: shape for key, shape in state.items() if key.startswith(PARTS)}
        if actual == expected:
            return
        if not actual:
            keys = ", ".join(sorted(state)[:3]) or "no tensor"
            raise InputError(
                f"{self.path}: not a state dict of SAM, whose keys start with "
                f"{', '.join(PARTS)}; found {keys}"
            )
        if matches := [name for name, other in BACKBONES.items() if other.shapes == actual]:
            raise InputError(
                f"{self.path}: these weights do not fit {self.name}; "
                f"they have the architecture of {' and '.join(matches)}"
            )
        difference = _first_difference(actual, expected)
        raise InputError(f"{self.path}: these weights do not fit {self.name}: {difference}")

    def _load(self, module: M, part: str) -> M:
        prefix = f"{part}."
        state = {
            key.removeprefix(prefix): value
            for key, value in read_state(self.path).items()
            if key.startswith(prefix)
        }
        module.load_state_dict(state)
        return module.eval().requires_grad_(False)


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Return the tensors of a state dict, by name, on the CPU. No code in the file is executed.

    Raises:
      InputError: If the file cannot be read, is truncated, or is not a state dict.
    """
    try:
        # Memory-mapped, so that only the tensors in use are read. Files of torch before 1.6 are no
        # zip archives and cannot be mapped.
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except OSError as error:
        raise InputError(f"{path}: cannot read the weights: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(f"{path}: not a PyTorch checkpoint: {_diagnose(path, error)}") from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise InputError(
            f"{path}: not a state dict of SAM, which maps names to tensors; "
            f"found an object of type {type(state).__name__}"
        )
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _first_difference(actual: Mapping[str, Shape], expected: Mapping[str, Shape]) -> str:
    """Describe the first tensor that is unexpected, missing, or of another shape."""
    keys = sorted(expected.keys() | actual.keys())
    key = next(key for key in keys if actual.get(key) != expected.get(key))
    if key not in expected:
        return f"unexpected tensor {key}, of shape {actual[key]}"
    if key not in actual:
        return f"missing tensor {key}, of shape {expected[key]}"
    return f"{key} must have shape {expected[key]}, found {actual[key]}"


def _diagnose(path: Path, error: Exception) -> str:
    """Describe what a file is that torch cannot load."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if size == 0:
        return "the file is empty"
    if start.startswith((b"<!doctype", b"<html")):
        return "it is a web page, probably saved by a failed download"
    if start.startswith(b"pk\x03\x04") and not is_zipfile(path):
        return f"the file is truncated, to {size} bytes; download it again"
    if is_zipfile(path) and isinstance(error, pickle.UnpicklingError):
        return "it contains objects other than tensors"
    return "the file is truncated, damaged or of another format"
