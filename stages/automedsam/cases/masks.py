"""Masks from mask logits, and the resolution of pixels that several classes claim.

Where classes overlap, the smaller object keeps the pixel: a box prompt also fills the inside of a
ring, and the object inside must not be lost to the ring.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from automedsam.cases.classes import Classes


def to_mask(logits: Tensor) -> np.ndarray:
    """Mask (H, W), bool, of logits (1, 1, H, W): the pixels with a probability over 0.5."""
    return (logits[0, 0] > 0).cpu().numpy()


def to_labels(logits: Tensor, classes: Classes) -> np.ndarray:
    """Label mask (H, W), uint8, of logits (1, K, H, W).

    A pixel has the value of a class with a probability over 0.5, or 0. Of several such classes the
    one with the smaller mask has the pixel.
    """
    masks = resolve_mask_overlaps((logits[0] > 0).cpu().numpy())  # (K, H, W)
    labels = np.zeros(masks.shape[1:], np.uint8)
    for cls, mask in zip(classes, masks, strict=True):
        labels[mask] = cls.value
    return labels


def to_soft_mask(logits: Tensor) -> np.ndarray:
    """Largest probability over the classes (H, W), uint8, 0 to 255, of logits (1, K, H, W).

    A value is over 127 exactly where the probability is over 0.5: halves are rounded down.
    """
    return (255 * logits[0].amax(0).sigmoid() - 0.5).ceil().byte().cpu().numpy()


def resolve_overlaps(labels: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Soft labels of K classes (K, H, W), 0 to 1, each reduced to what smaller objects leave of it.

    Args:
      labels: probabilities, one channel per class.
      sizes: of the K objects, in any unit; of equal ones the first keeps the pixels.
    """
    resolved, taken = np.zeros_like(labels), np.zeros(labels.shape[1:], labels.dtype)
    for channel in np.argsort(sizes, kind="stable"):
        resolved[channel] = labels[channel] * (1 - taken)
        taken = np.maximum(taken, labels[channel])
    return resolved


def resolve_mask_overlaps(masks: np.ndarray) -> np.ndarray:
    """Masks of K classes (K, H, W), bool, each without the pixels of smaller masks."""
    return resolve_overlaps(masks.view(np.uint8), masks.sum((1, 2)).tolist()).view(bool)
