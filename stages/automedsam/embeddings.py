"""Image embeddings on disk: one fp16 file an image, found again by what went into it.

The store, `.cache/embeddings/<fingerprint>/<image sha256>.safetensors`, outlives runs, branches and DVC's temporary
workspaces; the stage's output holds links into it. Each file's header repeats what made it, so that embeddings of
another backbone are refused, never used.
"""

import hashlib
import json
import os
import shutil
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from automedsam.cases import Case
from automedsam.errors import InputError
from automedsam.outputs import fresh_file
from automedsam.sam import Weights

FORMAT = "1"  # count up when code changes what an embedding holds


def describe_encoder(weights: Weights) -> dict[str, str]:
    """What an embedding depends on beside the image and the precision, as the header has it."""
    preprocessing = json.dumps(weights.backbone.preprocessing.header(), sort_keys=True)
    return {"format": FORMAT, "backbone": weights.name, "weights": weights.sha256(), "preprocessing": preprocessing}


class EmbeddingStore:
    """Embeddings of one encoder in one precision, keyed by the image's content."""

    def __init__(self, root: Path, encoder: dict[str, str], precision: str) -> None:
        self.header = {**encoder, "precision": precision}
        self.folder = root / hashlib.sha256(json.dumps(self.header, sort_keys=True).encode()).hexdigest()[:16]

    def path(self, image: Path) -> Path:
        """Where the embedding of this image file is, or will be."""
        return self.folder / f"{hashlib.sha256(image.read_bytes()).hexdigest()}.safetensors"

    def write(self, path: Path, embedding: Tensor) -> None:
        """Store (C, grid, grid) as fp16, at once and whole."""
        with fresh_file(path) as building:
            save_file({"embedding": embedding.half().cpu().contiguous()}, building, metadata=self.header)


def link_or_copy(stored: Path, path: Path) -> None:
    """Let `path` be the stored file, by a hard link, or by a copy where there are none."""
    try:
        os.link(stored, path)
    except OSError:
        shutil.copyfile(stored, path)


class EmbeddingFolder:
    """The embed stage's output, read by case and checked against the weights that decode it."""

    def __init__(self, folder: Path, weights: Weights) -> None:
        self.folder = folder
        self.encoder = describe_encoder(weights)

    def path(self, case: Case) -> Path:
        return self.folder / f"{case.name}.safetensors"

    def check(self, cases: list[Case]) -> None:
        """Raises InputError if a case has no embedding, or one of another encoder than this."""
        for case in cases:
            try:
                with safe_open(self.path(case), "pt") as file:
                    found = file.metadata()
            except (FileNotFoundError, SafetensorError) as error:
                raise InputError(f"{self.path(case)}: expected an embedding, found {error}; run `dvc repro`") from error
            for key, expected in self.encoder.items():
                if found.get(key) != expected:
                    raise InputError(
                        f"{self.path(case)}: expected an embedding with {key} {expected}, found {found.get(key)}; "
                        "run `dvc repro --force embed`"
                    )

    def load(self, cases: list[Case], device: torch.device) -> Tensor:
        """Embeddings (B, C, grid, grid), fp32, of these cases in this order."""
        embeddings = []
        for case in cases:
            with safe_open(self.path(case), "pt") as file:
                embeddings.append(file.get_tensor("embedding").to(device).float())
        return torch.stack(embeddings)
