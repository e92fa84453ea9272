"""Dice, IoU and Hausdorff distance of masks, with a defined value for empty masks.

The only module that imports monai.
"""

import warnings

import numpy as np
import torch
from monai.metrics import compute_dice, compute_hausdorff_distance, compute_iou
from torch import Tensor


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two bool masks of one shape, 0 to 1; 1 if both are empty, 0 if one is."""
    return compute_dice(_batch(predicted), _batch(truth), ignore_empty=False).item()


def iou(predicted: np.ndarray, truth: np.ndarray) -> float:
    """IoU of two bool masks of one shape, 0 to 1; 1 if both are empty, 0 if one is."""
    return compute_iou(_batch(predicted), _batch(truth), ignore_empty=False).item()


def hd95(
    predicted: np.ndarray, truth: np.ndarray, pixel_mm: tuple[float, float] | None = None
) -> float | None:
    """95th percentile of the distances between the contours of two masks.

    Args:
      predicted: (H, W), bool.
      truth: (H, W), bool.
      pixel_mm: distance from row to row and from column to column; `None` measures in px.

    Returns:
      The distance in mm, or in px without `pixel_mm`; `None` if a mask is empty.
    """
    if not (predicted.any() and truth.any()):
        return None
    with warnings.catch_warnings():
        # monai 1.6 warns about an argument that monai itself passes.
        warnings.simplefilter("ignore", FutureWarning)
        return compute_hausdorff_distance(
            _batch(predicted),
            _batch(truth),
            include_background=True,
            percentile=95,
            spacing=pixel_mm,
        ).item()


def compute_dice_score(masks: Tensor, truth: Tensor) -> Tensor:
    """Dice of each image, (B,), 0 to 1; 1 if both masks are empty, 0 if one is.

    Args:
      masks: (B, 1, H, W), bool, or logits as the model predicts them; over 0 is the object.
      truth: (B, 1, H, W), over 0 is the object.
    """
    return compute_dice((masks > 0).float(), (truth > 0).float(), ignore_empty=False)[:, 0]


def _batch(mask: np.ndarray) -> Tensor:
    """Convert bool (H, W) or (D, H, W) to float (1, 1, ...)."""
    return torch.from_numpy(mask)[None, None].float()
