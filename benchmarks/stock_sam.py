"""All of segment_anything, to compare with; it imports torchvision."""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # built for another device than torch: two operators are not declared
    for operator in ("nms", "qnms"):
        torch.library.define(
            f"torchvision::{operator}",
            "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        )

from segment_anything import SamPredictor
from segment_anything.modeling import Sam

__all__ = ["Sam", "SamPredictor"]
