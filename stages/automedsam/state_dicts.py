"""A checkpoint's tensors, by name; and what a file is instead, if it holds none."""

import pickle
from collections.abc import Mapping
from pathlib import Path
from zipfile import is_zipfile

import torch
from torch import Tensor

from automedsam.errors import InputError


def read_state(path: Path) -> Mapping[str, Tensor]:
    """Read a state dict on the CPU. Nothing in the file is ever run.

    Raises:
      InputError: not to be read, cut short, or something else.
    """
    try:  # mmap: a part that is not asked for is not read; files of torch before 1.6 are no zip, and allow none
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=is_zipfile(path))
    except OSError as error:
        raise InputError(f"{path}: expected a PyTorch checkpoint, found: {error.strerror}") from error
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise InputError(f"{path}: expected a PyTorch checkpoint, found {_describe(path, error)}") from error
    if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
        raise InputError(f"{path}: expected a state dict of SAM, found another {type(state).__name__}")
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
