"""Image embeddings on disk: one file an image, fp16 or int8, found again by what went into it.

The store, `.cache/embeddings/<fingerprint>/<image sha256>.safetensors`, outlives runs, branches and DVC's temporary
workspaces; the stage's output holds links into it. Each file's header repeats what made it, so that embeddings of
another backbone, or stored in another type, are refused, never used.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from automedsam.backbone.quantization import pack, unpack
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import load_header, load_tensors, save_tensors

FORMAT = "2"  # count up when code changes what an embedding holds


def describe_encoder(weights: Weights, embedding_dtype: str) -> dict[str, str]:
    """What a stored embedding depends on beside the image and the precision, as the header has it."""
    preprocessing = json.dumps(weights.backbone.preprocessing.header(), sort_keys=True)
    made_from = {
        "backbone": weights.name,
        "weights": weights.sha256(),
        "preprocessing": preprocessing,
    }
    return {"format": FORMAT, "embedding_dtype": embedding_dtype, **made_from}


class EmbeddingStore:
    """Embeddings of one encoder in one precision, keyed by the image's content."""

    def __init__(self, root: Path, encoder: dict[str, str], precision: str) -> None:
        self.root = root
        self.header = {**encoder, "precision": precision}
        self.folder = (
            root / hashlib.sha256(json.dumps(self.header, sort_keys=True).encode()).hexdigest()[:16]
        )

    def path(self, image: Path, view: str = "") -> Path:
        """Where the embedding of this image file is, or will be; `view` tells which other view of it, if one is."""
        return (
            self.folder
            / f"{hashlib.sha256(image.read_bytes() + view.encode()).hexdigest()}.safetensors"
        )

    def holds(self, path: Path) -> bool:
        """Whether the embedding is there and sound; one that is torn or of another format is made anew."""
        try:
            return load_header(path) == self.header
        except InputError:
            return False

    def write(self, path: Path, embedding: Tensor) -> None:
        """Store an embedding (C, grid, grid), fp16, at once and whole, in the type of this store."""
        save_tensors(path, pack(embedding, self.header["embedding_dtype"]), self.header)

    def prune(self, used: Iterable[Path]) -> tuple[int, int]:
        """Delete all embeddings, of this and every other encoder, but the used ones; returns how many, and their bytes.

        A file that a stage's output links to goes on to exist there.
        """
        kept = set(used)
        dropped = [path for path in self.root.glob("*/*.safetensors") if path not in kept]
        size = sum(path.stat().st_size for path in dropped)
        for path in dropped:
            path.unlink()
        for folder in self.root.iterdir() if self.root.is_dir() else []:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return len(dropped), size


def embedding_path(folder: Path, name: str, view: int) -> Path:
    """Where the embed stage puts the embedding of a case; view 0 is the image as it is."""
    return (folder / "views" / str(view) if view else folder) / f"{name}.safetensors"


def link_or_copy(stored: Path, path: Path) -> None:
    """Let `path` be the stored file, by a hard link, or by a copy where there are none."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(stored, path)
    except OSError:
        shutil.copyfile(stored, path)


class EmbeddingFolder:
    """The embed stage's output, read by case and checked against the weights that decode it."""

    def __init__(self, folder: Path, weights: Weights, embedding_dtype: str) -> None:
        self.folder = folder
        self.encoder = describe_encoder(weights, embedding_dtype)

    def path(self, case: Case, view: int = 0) -> Path:
        return embedding_path(self.folder, case.name, view)

    def check(self, cases: list[Case], views: int = 0) -> None:
        """Raises InputError if a case or a view of it has no embedding, or one of another encoder or type than this."""
        for path in [self.path(case, view) for case in cases for view in range(views + 1)]:
            found = load_header(path)
            for key, expected in self.encoder.items():
                if found.get(key) != expected:
                    raise InputError(
                        f"{path}: expected an embedding with {key} {expected}, found {found.get(key)}; "
                        "run `dvc repro --force embed`"
                    )

    def load(
        self, cases: list[Case], device: torch.device, views: Sequence[int] | None = None
    ) -> Tensor:
        """Embeddings (B, C, grid, grid), fp32, of these cases in this order.

        Args:
          views: which view of each; None for the images as they are.
        """
        numbers = views or [0] * len(cases)
        stored = [
            load_tensors(self.path(case, view)) for case, view in zip(cases, numbers, strict=True)
        ]
        return torch.stack(
            [unpack({key: value.to(device) for key, value in packed.items()}) for packed in stored]
        )
