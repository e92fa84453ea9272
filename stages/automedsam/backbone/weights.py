"""The frozen backbones: segment-anything's own modules, built and loaded part by part, and where their weights are.

The only module that imports segment_anything. The encoder and the decoder are loaded apart, so that training
never holds the image encoder.
"""

import pickle
from collections.abc import Mapping
from pathlib import Path
from typing import TypeVar
from zipfile import is_zipfile

import pooch
import torch
from torch import Tensor, nn

from automedsam.backbone.architectures import (
    BACKBONES,
    PARTS,
    SAM_TINY_WEIGHTS,
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
)
from automedsam.runtime.downloads import fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import weights_folder

M = TypeVar("M", bound=nn.Module)


class Weights:
    """A backbone together with one file of its weights."""

    def __init__(self, backbone: str, checkpoint: Path | None = None) -> None:
        """
        Args:
          backbone: a key of BACKBONES.
          checkpoint: a state dict of segment_anything's `Sam`, the official one or another; None takes the backbone's
            own file, which is downloaded, once, unless it comes with this repository.

        Raises:
          InputError: no such backbone, no file to be had, no checkpoint, or one of another backbone.
        """
        if backbone not in BACKBONES:
            raise InputError(f"backbone: expected one of {', '.join(BACKBONES)}, found {backbone}")
        self.name = backbone
        self.backbone = BACKBONES[backbone]
        self._sha256: str | None = None
        if checkpoint is None:
            self.path = self._own_file()
        else:
            self.path = Path(checkpoint)
            if not self.path.is_file():
                raise InputError(
                    f"medsam_checkpoint: {self.path}: expected the weights of {backbone}, found no file"
                )
            self._refuse_official_others()
        self._check_architecture()

    def sha256(self) -> str:
        """Hash of the weights' file: what makes two embeddings comparable."""
        if self._sha256 is None:
            self._sha256 = pooch.file_hash(str(self.path))
        return self._sha256

    def load_encoder(self) -> ImageEncoderViT:
        """The frozen image encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_encoder(), "image_encoder")

    def load_prompt_encoder(self) -> PromptEncoder:
        """The frozen prompt encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_prompt_encoder(), "prompt_encoder")

    def load_mask_decoder(self) -> MaskDecoder:
        """The frozen mask decoder, fp32, on the CPU."""
        return self._load(self.backbone.build_mask_decoder(), "mask_decoder")

    def _own_file(self) -> Path:
        source = self.backbone.source
        if source is None:
            return SAM_TINY_WEIGHTS
        try:
            path = fetch(source, weights_folder())
        except InputError as error:
            raise InputError(f"{error}, or anywhere that medsam_checkpoint tells") from error
        self._sha256 = source.sha256  # as has just been checked
        return path

    def _refuse_official_others(self) -> None:
        """MedSAM and SAM ViT-B differ in nothing but their numbers, and in how their images must be prepared."""
        size = self.path.stat().st_size
        for name, other in BACKBONES.items():
            if name == self.name or other.source is None or other.source.size_bytes != size:
                continue  # a file of another size need not be hashed
            if other.source.sha256 == self.sha256():
                raise InputError(
                    f"{self.path}: expected the weights of {self.name}, found the official ones of {name} "
                    f"(sha256 {self.sha256()}), which want backbone: {name}"
                )

    def _check_architecture(self) -> None:
        wanted = self.backbone.shapes()
        state = {key: tuple(value.shape) for key, value in read_state(self.path).items()}
        found = {key: shape for key, shape in state.items() if key.startswith(PARTS)}
        if found == wanted:
            return
        expected = f"{self.path}: expected the weights of {self.name}"
        if alike := [name for name, other in BACKBONES.items() if other.shapes() == found]:
            raise InputError(
                f"{expected}, found another architecture: that of {' and '.join(alike)}"
            )
        if not found:
            names = ", ".join(sorted(state)[:3]) or "no tensor"
            raise InputError(
                f"{expected}, with names that start with {', '.join(PARTS)}, found {names}"
            )
        key = next(
            key for key in sorted(wanted.keys() | found.keys()) if wanted.get(key) != found.get(key)
        )
        raise InputError(
            f"{expected}, with {key} {_describe_shape(wanted.get(key))}, found {_describe_shape(found.get(key))}"
        )

    def _load(self, module: M, part: str) -> M:
        prefix = part + "."
        state = read_state(self.path)
        module.load_state_dict(
            {
                key.removeprefix(prefix): value
                for key, value in state.items()
                if key.startswith(prefix)
            }
        )
        return module.eval().requires_grad_(False)


def _describe_shape(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {shape}"


"""A checkpoint's tensors, by name; and what a file is instead, if it holds none."""


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict on the CPU. Nothing in the file is ever run.

    Raises:
      InputError: not to be read, cut short, or something else.
    """
    try:  # mmap: a part that is not asked for is not read; files of torch before 1.6 are no zip, and allow none
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except OSError as error:
        raise InputError(
            f"{path}: expected a PyTorch checkpoint, found: {error.strerror}"
        ) from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(
            f"{path}: expected a PyTorch checkpoint, found {_describe(path, error)}"
        ) from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise InputError(
            f"{path}: expected a state dict of SAM, found another {type(state).__name__}"
        )
    return {key: value for key, value in state.items() if isinstance(value, Tensor)}


def _describe(path: Path, error: Exception) -> str:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(64).lstrip().lower()
    if size == 0:
        return "an empty file"
    if start.startswith((b"<!doctype", b"<html")):
        return "a web page, as is saved when a download fails"
    if start.startswith(b"pk\x03\x04") and not is_zipfile(path):
        return f"one cut short, to {size} bytes"
    if is_zipfile(path) and isinstance(error, pickle.UnpicklingError):
        return "one with more in it than tensors"
    return "a file that cannot be read: cut short, damaged, or something else"
