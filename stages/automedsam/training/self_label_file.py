"""The self-labels of the last round on disk, for a figure: all in words, some with their masks."""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from automedsam.runtime.tensors import load_header, load_tensors, save_tensors

BoxEdges = tuple[float, float, float, float]


@dataclass(frozen=True)
class StoredLabel:
    """What is drawn of a self-label, beside its mask."""

    case: str
    class_value: int
    boxes_xyxy: tuple[BoxEdges, ...]  # px of the mask
    presence: float  # 0 to 1
    rejection: str | None
    scale: int = 1  # px of the image for each px of the mask, in either direction

    @property
    def key(self) -> str:
        """Name of its mask."""
        return f"{self.case}/{self.class_value}"


def save_self_labels(path: Path, labels: Iterable[tuple[StoredLabel, Tensor | None]]) -> None:
    """Write labels, and masks (h, w), uint8, of some of them: probabilities of 0 to 255."""
    pairs = list(labels)
    masks = {label.key: mask for label, mask in pairs if mask is not None}
    save_tensors(path, masks, {"labels": [asdict(label) for label, _ in pairs]})


def load_self_labels(path: Path) -> list[tuple[StoredLabel, np.ndarray | None]]:
    """Labels and masks that `save_self_labels` wrote, in the same order."""
    rows = load_header(path)["labels"]
    boxes = [tuple(tuple(box) for box in row["boxes_xyxy"]) for row in rows]
    labels = [StoredLabel(**row | {"boxes_xyxy": of}) for row, of in zip(rows, boxes, strict=True)]
    masks = {key: mask.numpy() for key, mask in load_tensors(path).items()}
    return [(label, masks.get(label.key)) for label in labels]
