"""How good a mask is: monai's Dice, IoU and Hausdorff distance, with a say on empty masks. Only importer of monai."""

import warnings

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou
from torch import Tensor


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two bool masks of one shape, 0 to 1; both empty 1, one empty 0."""
    return compute_dice(_batch(predicted), _batch(truth), ignore_empty=False).item()


def iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Intersection over union of two bool masks of one shape, 0 to 1; both empty 1, one empty 0."""
    return compute_iou(_batch(predicted), _batch(truth), ignore_empty=False).item()


def hd95(
    predicted: np.ndarray, truth: np.ndarray, pixel_mm: tuple[float, float] | None = None
) -> float | None:
    """95th percentile of the distances between the contours of two bool masks (H, W); None if one is empty.

    In px, or in mm if the distances from row to row and column to column are given.
    """
    if not (predicted.any() and truth.any()):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore", FutureWarning
        )  # monai 1.6 warns of an argument that it passes to itself
        return compute_hausdorff_distance(
            _batch(predicted),
            _batch(truth),
            include_background=True,
            percentile=95,
            spacing=pixel_mm,
        ).item()


def compute_dice_score(masks: Tensor, truth: Tensor) -> Tensor:
    """Dice of each image, (B,), 0 to 1; both empty 1, one empty 0.

    Args:
      masks: (B, 1, H, W), logits as the model gives them (over 0 is the object), or bool.
      truth: (B, 1, H, W), over 0 is the object.
    """
    return compute_dice((masks > 0).float(), (truth > 0).float(), ignore_empty=False)[:, 0]


def _batch(mask: np.ndarray) -> Tensor:
    """Bool (H, W) or (D, H, W) to float (1, 1, ...)."""
    return torch.from_numpy(mask)[None, None].float()
