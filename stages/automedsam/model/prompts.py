"""Prompts for the decoder."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """Prompts of a batch, K per image, one per class; exactly one of the sparse kinds is set."""

    dense: Tensor | None = None  # (B, C, grid, grid) in place of SAM's own "no mask" embedding
    boxes_xyxy: Tensor | None = None  # (B, K, 4) px of the backbone's input frame
    points_xy: Tensor | None = None  # (B, 1, 2) px of the backbone's input frame
    tokens: Tensor | None = None  # (B, 2, C)
    presence: Tensor | None = None  # (B, K) 0 to 1, score that the object is in the image
