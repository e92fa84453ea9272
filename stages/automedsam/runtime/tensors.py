"""Tensors on disk: safetensors (no pickle), written whole, with a header that says what made them."""

import json
from collections.abc import Mapping
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file

# One entry that holds them all: safetensors writes several in an order that changes from run to run.
ENTRY = "made_from"


def save_tensors(path: Path, tensors: dict[str, Tensor], header: Mapping[str, str]) -> None:
    """Write named tensors; the same input gives the same bytes."""
    with atomic_file(path) as building:
        save_file(tensors, building, metadata={ENTRY: json.dumps(header, sort_keys=True)})


def load_header(path: Path) -> dict[str, str]:
    """What `save_tensors` was told of the file, without reading its tensors.

    Raises:
      InputError: no such file, or not one of ours.
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()[ENTRY])
    except FileNotFoundError:
        raise InputError(
            f"{path}: expected a file that this pipeline wrote, found no such file; run `dvc repro`"
        ) from None
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: expected a file that this pipeline wrote, found {error!r}; run `dvc repro`"
        ) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """The named tensors, on the CPU."""
    return load(path.read_bytes())  # not mapped: Windows lets nobody replace a mapped file
