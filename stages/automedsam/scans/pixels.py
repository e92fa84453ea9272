"""What several image formats have in common: channels, transparency, which way is up."""

from pathlib import Path

import numpy as np

from automedsam.runtime.errors import InputError


def drop_transparency(values: np.ndarray) -> np.ndarray:
    """(H, W) if grey or (H, W, 3) if colour, of (H, W) or whatever number of channels."""
    if values.ndim == 2:
        return values
    return values[..., :3] if values.shape[2] > 2 else values[..., 0]


def one_channel(path: Path, values: np.ndarray) -> np.ndarray:
    """(H, W) of a mask that may have been saved in colour, (H, W, 3).

    Raises:
      InputError: naming the file, if the channels differ.
    """
    if values.ndim == 2:
        return values
    if (values != values[..., :1]).any():
        raise InputError(f"{path}: expected a mask with one value a pixel, found a colour image")
    return values[..., 0]


def turn_upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Rows and columns as they are to be seen, from those that are stored: the orientation is EXIF's, 1 to 8."""
    if orientation > 4:
        values = np.swapaxes(values, 0, 1)
    return values[
        :: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1
    ]


"""What the values of an image and of a mask must be, whatever the file's format, and which of them are the object."""


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
        raise InputError(
            f"{path}: expected a mask of whole numbers, found fractions, NaN or infinity"
        )
    return values.astype(np.int64)
