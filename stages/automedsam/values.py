"""What the values of an image and of a mask must be, whatever the file's format."""

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
    """A mask's values as int64.

    Raises:
      InputError: values that are not whole numbers.
    """
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        raise InputError(f"{path}: expected a mask of whole numbers, found fractions, NaN or infinity")
    return values.astype(np.int64)
