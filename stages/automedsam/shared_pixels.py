"""Classes that claim the same pixels: the smaller object has them.

A box prompt fills a ring, and what lies within must not be lost to it.
"""

from collections.abc import Sequence

import numpy as np


def set_apart(labels: np.ndarray, sizes: Sequence[float]) -> np.ndarray:
    """Labels of classes (K, H, W), 0 to 1, each times what the smaller ones leave of its pixels.

    Args:
      sizes: of the K objects, in any unit; of equals the first has the pixels.
    """
    apart, taken = np.zeros_like(labels), np.zeros(labels.shape[1:], labels.dtype)
    for number in np.argsort(sizes, kind="stable"):
        apart[number] = labels[number] * (1 - taken)
        taken = np.maximum(taken, labels[number])
    return apart


def set_masks_apart(masks: np.ndarray) -> np.ndarray:
    """The same of masks (K, H, W), bool, by their areas."""
    return set_apart(masks.view(np.uint8), masks.sum((1, 2)).tolist()).view(bool)
