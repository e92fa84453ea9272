"""What the values of an image and of a mask must be, whatever the file's format, and which of them are the object."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from automedsam.errors import InputError


def check_finite(path: Path, values: np.ndarray) -> np.ndarray:
    """An image's values as they are.

    Raises:
      InputError: NaN or infinity among them.
    """
    if not np.isfinite(values).all():
        raise InputError(f"{path}: expected finite values, found NaN or infinity")
    return values


def check_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """A mask's values as whole numbers.

    Raises:
      InputError: values that are not.
    """
    if values.dtype.kind in "iu":
        return values
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        raise InputError(f"{path}: expected a mask of whole numbers, found fractions, NaN or infinity")
    return values.astype(np.int64)


def object_mask(labels: np.ndarray, class_ids: Sequence[int] | None) -> np.ndarray:
    """Mask values of any shape to bool: those of `class_ids`, or all over 0 if it is None."""
    return labels > 0 if class_ids is None else np.isin(labels, class_ids)
