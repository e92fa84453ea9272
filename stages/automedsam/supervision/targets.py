"""What a training case teaches: where its object is, pixel by pixel, how surely that is known, and the loss of both."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.runtime.image_files import read_image


def label_folders(folder: Path, classes: Sequence[ObjectClass]) -> list[Path]:
    """Where each class's labels lie: below `folder`, by its value, or if it is the only one in the folder itself."""
    return [folder] if len(classes) == 1 else [folder / str(of.value) for of in classes]


def read_targets(folder: Path, case: Case) -> Tensor:
    """What is known of each pixel of a training case: (2, H, W), the probability of the object, and how sure it is.

    Outside of the boxes, nothing, surely. A case whose label was dropped says nothing of the inside.

    Args:
      folder: the class's: see `label_folders`.
      case: with the boxes of that class alone.
    """
    path = folder / f"{case.name}.png"
    outside = torch.from_numpy(~fill_boxes(case.boxes_xyxy, case.image_size)).float()
    if not path.is_file():
        return torch.stack([torch.zeros_like(outside), outside])
    probability = torch.from_numpy(read_image(path) / np.float32(255))
    return torch.stack([probability, torch.maximum((2 * probability - 1).abs(), outside)])


def pseudo_label_loss(logits: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy plus 1 - Dice against soft labels, each pixel weighed by how sure it is; mean over the batch, fp32.

    Args:
      logits: (B, 1, H, W).
      known: (B, 2, H, W), as `read_targets` has it: probability of the object, and sureness.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits, (probability, sureness) = logits.float(), known.split(1, dim=1)
        entropy = F.binary_cross_entropy_with_logits(
            logits, probability, weight=sureness, reduction="none"
        )
        found = logits.sigmoid()
        common = (2 * found * probability * sureness).sum((1, 2, 3))
        both = ((found + probability) * sureness).sum((1, 2, 3))
        dice = (common + 1) / (
            both + 1
        )  # 1 px more of each, so that an empty label wants an empty map
        return (entropy.sum((1, 2, 3)) / sureness.sum((1, 2, 3)).clamp(min=1) + 1 - dice).mean()
