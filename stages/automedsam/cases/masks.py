"""Classes that claim the same pixels: the smaller object has them.

A box prompt fills a ring, and what lies within must not be lost to it.
"""

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from automedsam.cases.classes import ObjectClass


def resolve_overlaps(labels: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Labels of classes (K, H, W), 0 to 1, each times what the smaller ones leave of its pixels.

    Args:
      sizes: of the K objects, in any unit; of equals the first has the pixels.
    """
    apart, taken = np.zeros_like(labels), np.zeros(labels.shape[1:], labels.dtype)
    for number in np.argsort(sizes, kind="stable"):
        apart[number] = labels[number] * (1 - taken)
        taken = np.maximum(taken, labels[number])
    return apart


def resolve_mask_overlaps(masks: np.ndarray) -> np.ndarray:
    """The same of masks (K, H, W), bool, by their areas."""
    return resolve_overlaps(masks.view(np.uint8), masks.sum((1, 2)).tolist()).view(bool)


"""TODO"""


def to_mask(logits: Tensor) -> np.ndarray:
    """Logits (1, 1, H, W) to a bool mask (H, W): where the probability is over 0.5."""
    return (logits[0, 0] > 0).cpu().numpy()


def to_labels(logits: Tensor, classes: Sequence[ObjectClass]) -> np.ndarray:
    """Logits (1, K, H, W) to a label mask (H, W), uint8: each pixel the value of a class over 0.5, or 0; set apart."""
    masks = resolve_mask_overlaps((logits[0] > 0).cpu().numpy())  # (K, H, W)
    return np.max(
        [of.value * mask.astype(np.uint8) for of, mask in zip(classes, masks, strict=True)], axis=0
    )


def to_soft_mask(logits: Tensor) -> np.ndarray:
    """Logits (1, K, H, W) to the greatest probability (H, W), uint8, 0 to 255; over 127 where some class is."""
    return (
        (255 * logits[0].amax(0).sigmoid() - 0.5).ceil().byte().cpu().numpy()
    )  # a half goes down: 0.5 is no object
