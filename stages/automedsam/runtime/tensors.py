"""Tensors on disk, as safetensors files (no pickle) with a header that describes their origin."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from safetensors import SafetensorError, safe_open
from safetensors.torch import load, save_file
from torch import Tensor

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file

# All of the header is stored under one metadata key: safetensors writes several keys in an order
# that changes from run to run, and files must be byte-equal.
HEADER_KEY = "made_from"


def save_tensors(path: Path, tensors: dict[str, Tensor], header: Mapping[str, Any]) -> None:
    """Write named tensors and a header; the same input gives the same bytes."""
    with atomic_file(path) as building:
        building.touch()
        mode = building.stat().st_mode  # of the umask; safetensors keeps others from reading
        save_file(tensors, building, metadata={HEADER_KEY: json.dumps(header, sort_keys=True)})
        building.chmod(mode)


def load_header(path: Path) -> dict[str, Any]:
    """Return the header that `save_tensors` wrote, without reading the tensors.

    Raises:
      InputError: If the file is missing, damaged, or not written by `save_tensors`.
    """
    try:
        with safe_open(path, "pt") as file:
            return json.loads(file.metadata()[HEADER_KEY])
    except FileNotFoundError:
        raise InputError(f"{path}: file not found; run `dvc repro`") from None
    except (OSError, SafetensorError, KeyError, TypeError, json.JSONDecodeError) as error:
        raise InputError(
            f"{path}: not a file that this pipeline wrote ({error!r}); run `dvc repro`"
        ) from error


def load_tensors(path: Path) -> dict[str, Tensor]:
    """Return the named tensors of a safetensors file, on the CPU."""
    return load(path.read_bytes())  # not memory-mapped: on Windows such a file cannot be replaced
