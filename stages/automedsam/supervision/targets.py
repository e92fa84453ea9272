"""Targets of a training case: the probability of each class per pixel, and their loss."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.cases.boxes import Box, Size, fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import image_path


@dataclass(frozen=True)
class Targets:
    """Targets per pixel and class, of one case or of a batch of cases."""

    probability: Tensor  # (..., K, H, W), 0 to 1, of each class
    weight: Tensor  # (..., K, H, W), 0 to 1: 0 where nothing is known

    def warp(self, function: Callable[[Tensor], Tensor]) -> "Targets":
        """Apply a spatial transform, which takes and returns (channels, H, W), to both."""
        return Targets(*function(torch.cat([self.probability, self.weight])).chunk(2))

    def unsqueeze(self, dim: int) -> "Targets":
        """The same with one more dimension, for example of the batch."""
        return Targets(self.probability.unsqueeze(dim), self.weight.unsqueeze(dim))

    def to(self, device: torch.device) -> "Targets":
        """The same on a device."""
        return Targets(self.probability.to(device), self.weight.to(device))


def stack_targets(targets: Sequence[Targets]) -> Targets:
    """Targets of single cases (K, H, W) as a batch (B, K, H, W)."""
    return Targets(
        torch.stack([one.probability for one in targets]),
        torch.stack([one.weight for one in targets]),
    )


def read_targets(root: Path, case: Case, classes: Classes) -> Targets:
    """The targets (K, H, W) of a training case, in its image's own size.

    Outside of its boxes a class is absent with certainty. Inside, a pixel weighs as much as its
    pseudo-label is certain; without a pseudo-label (it was rejected) nothing is known there.

    Args:
      root: the folder of pseudo-labels.
      case: the case, with its boxes.
      classes: the classes.
    """
    targets = [
        _read_class_targets(
            image_path(classes.folder_of(root, cls), case.name),
            case.boxes[cls.value],
            case.image_size,
        )
        for cls in classes
    ]
    return stack_targets(targets)


def pseudo_label_loss(logits: Tensor, targets: Targets) -> Tensor:
    """Cross-entropy plus 1 - Dice against soft labels, weighted per pixel; fp32.

    The loss is the mean over images and classes.

    Args:
      logits: (B, K, H, W).
      targets: (B, K, H, W).
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits = logits.float().flatten(0, 1)  # (B K, H, W), like all below
        target, weight = targets.probability.flatten(0, 1), targets.weight.flatten(0, 1)
        entropy = F.binary_cross_entropy_with_logits(logits, target, weight, reduction="none")
        predicted = logits.sigmoid()
        common = (2 * predicted * target * weight).sum((1, 2))
        both = ((predicted + target) * weight).sum((1, 2))
        # One more pixel in each, so that an empty mask is optimal for an empty target.
        dice = (common + 1) / (both + 1)
        return (entropy.sum((1, 2)) / weight.sum((1, 2)).clamp(min=1) + 1 - dice).mean()


def _read_class_targets(path: Path, boxes_xyxy: Sequence[Box], image_size: Size) -> Targets:
    """The targets (H, W) of one class."""
    outside = torch.from_numpy(~fill_boxes(boxes_xyxy, image_size)).float()
    if not path.is_file():
        return Targets(torch.zeros_like(outside), outside)
    probability = torch.from_numpy(read_image(path) / np.float32(255))
    return Targets(probability, torch.maximum((2 * probability - 1).abs(), outside))
