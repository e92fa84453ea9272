"""All of segment_anything, as an independent reference; it imports torchvision."""

import torch

try:
    import torchvision  # noqa: F401
except RuntimeError:  # built for another device than torch: two operators are not declared
    for operator in ("nms", "qnms"):
        torch.library.define(
            f"torchvision::{operator}",
            "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
        )

from segment_anything import SamPredictor, sam_model_registry
from segment_anything.utils.transforms import ResizeLongestSide

__all__ = ["ResizeLongestSide", "SamPredictor", "sam_model_registry"]
