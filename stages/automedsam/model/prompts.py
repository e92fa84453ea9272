"""What a module says to the decoder."""

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class Prompts:
    """Of a batch, K prompts an image, one for each class; exactly one of the sparse kinds is there."""

    dense: Tensor | None = None  # (B, C, grid, grid) in place of SAM's own "no mask" embedding
    boxes_xyxy: Tensor | None = None  # (B, K, 4) px of the backbone's input frame
    points_xy: Tensor | None = None  # (B, 1, 2) px of the backbone's input frame
    tokens: Tensor | None = None  # (B, 2, C)
    presence: Tensor | None = (
        None  # (B, K) 0 to 1, how surely the object is there, if the module tells
    )
