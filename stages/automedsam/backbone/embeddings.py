"""Image embeddings on disk: one file per image, fp16 or int8, addressed by content.

The store, `.cache/embeddings/<fingerprint>/<image sha256>.safetensors`, outlives runs, branches and
DVC's temporary workspaces. The output of the embed stage consists of links into it. The header of
each file repeats what the embedding depends on, so that an embedding of another backbone, or of
another storage type, is rejected.
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

FORMAT = "2"  # increase it if a change of the code changes the embeddings


def describe_encoder(weights: Weights, embedding_dtype: str) -> dict[str, str]:
    """Return the header entries that identify an encoder and its storage type.

    Together with the precision and the image they determine an embedding.
    """
    preprocessing = json.dumps(weights.backbone.preprocessing.header(), sort_keys=True)
    return {
        "format": FORMAT,
        "embedding_dtype": embedding_dtype,
        "backbone": weights.name,
        "weights": weights.sha256(),
        "preprocessing": preprocessing,
    }


class EmbeddingStore:
    """Embeddings of one encoder in one precision, addressed by the content of the image file.

    Attributes:
      root: Folder of all stores.
      header: Header of every file in this store.
      folder: Folder of this store, named by a hash of the header.
    """

    def __init__(self, root: Path, encoder: dict[str, str], precision: str) -> None:
        """Open a store; nothing is written yet.

        Args:
          root: Folder of all stores.
          encoder: The result of `describe_encoder`.
          precision: Precision of the computation, such as "bfloat16".
        """
        self.root = root
        self.header = {**encoder, "precision": precision}
        fingerprint = hashlib.sha256(json.dumps(self.header, sort_keys=True).encode()).hexdigest()
        self.folder = root / fingerprint[:16]

    def path(self, image: Path, view: str = "") -> Path:
        """Return the path of an image's embedding, whether or not it exists.

        Args:
          image: Image file.
          view: Description of the augmentation; empty for the unchanged image.
        """
        digest = hashlib.sha256(image.read_bytes() + view.encode()).hexdigest()
        return self.folder / f"{digest}.safetensors"

    def holds(self, path: Path) -> bool:
        """Return whether the embedding exists, is intact and has the header of this store."""
        try:
            return load_header(path) == self.header
        except InputError:
            return False

    def write(self, path: Path, embedding: Tensor) -> None:
        """Write an embedding (C, grid, grid), fp16, atomically, in the type of this store."""
        save_tensors(path, pack(embedding, self.header["embedding_dtype"]), self.header)

    def prune(self, used: Iterable[Path]) -> tuple[int, int]:
        """Delete all embeddings that are not used, of this and every other encoder.

        A deleted embedding that the output of the stage links to still exists there.

        Returns:
          Number and total bytes of the deleted files.
        """
        kept = set(used)
        unused = [path for path in self.root.glob("*/*.safetensors") if path not in kept]
        size = sum(path.stat().st_size for path in unused)
        for path in unused:
            path.unlink()
        for folder in self.root.iterdir() if self.root.is_dir() else []:
            if folder.is_dir() and not any(folder.iterdir()):
                folder.rmdir()
        return len(unused), size


def embedding_path(folder: Path, name: str, view: int) -> Path:
    """Return the path of a case's embedding in the output of the embed stage.

    Args:
      folder: The output of the stage.
      name: Name of the case.
      view: Number of the augmented copy; 0 for the unchanged image.
    """
    parent = folder / "views" / str(view) if view else folder
    return parent / f"{name}.safetensors"


def link_or_copy(stored: Path, path: Path) -> None:
    """Make `path` a hard link to a stored file, or a copy if links are not supported."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(stored, path)
    except OSError:
        shutil.copyfile(stored, path)


class EmbeddingFolder:
    """The output of the embed stage, read by case and checked against the weights of the decoder.

    Attributes:
      folder: The output of the stage.
      encoder: Header entries that every embedding must have.
    """

    def __init__(self, folder: Path, weights: Weights, embedding_dtype: str) -> None:
        self.folder = folder
        self.encoder = describe_encoder(weights, embedding_dtype)

    def path(self, case: Case, view: int = 0) -> Path:
        """Return the path of a case's embedding; view 0 is the unchanged image."""
        return embedding_path(self.folder, case.name, view)

    def check(self, cases: list[Case], views: int = 0) -> None:
        """Check that all embeddings exist and belong to this encoder.

        Args:
          cases: Cases to check.
          views: Number of augmented copies per case, checked beside the unchanged image.

        Raises:
          InputError: If an embedding is missing, damaged, or of another encoder or storage type.
        """
        for path in [self.path(case, view) for case in cases for view in range(views + 1)]:
            header = load_header(path)
            for key, expected in self.encoder.items():
                if header.get(key) != expected:
                    raise InputError(
                        f"{path}: expected an embedding with {key} {expected}, "
                        f"found {header.get(key)}; run `dvc repro --force embed`"
                    )

    def load(
        self, cases: list[Case], device: torch.device, views: Sequence[int] | None = None
    ) -> Tensor:
        """Return the embeddings of cases, in their order.

        Args:
          cases: Cases to load.
          device: Device of the result.
          views: Number of the augmented copy to load for each case; None loads the unchanged
            images.

        Returns:
          (B, C, grid, grid), fp32.
        """
        numbers = views or [0] * len(cases)
        embeddings = []
        for case, view in zip(cases, numbers, strict=True):
            packed = load_tensors(self.path(case, view))
            embeddings.append(unpack({key: value.to(device) for key, value in packed.items()}))
        return torch.stack(embeddings)
