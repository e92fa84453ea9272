"""Channels, transparency, orientation and valid values, for all image formats."""

from pathlib import Path

import numpy as np

from automedsam.runtime.errors import InputError


def drop_transparency(values: np.ndarray) -> np.ndarray:
    """Reduce (H, W) or (H, W, channels) to grey (H, W) or colour (H, W, 3).

    One or two channels are grey, three or more are colour; all further channels are dropped.
    """
    if values.ndim == 2:
        return values
    return values[..., :3] if values.shape[2] > 2 else values[..., 0]


def one_channel(path: Path, values: np.ndarray) -> np.ndarray:
    """Reduce a mask that may have been saved in colour, (H, W) or (H, W, 3), to (H, W).

    Raises:
      InputError: If the channels differ; the message names the file.
    """
    if values.ndim == 2:
        return values
    if (values != values[..., :1]).any():
        raise InputError(f"{path}: a mask must have one value per pixel, found a colour image")
    return values[..., 0]


def turn_upright(values: np.ndarray, orientation: int) -> np.ndarray:
    """Rotate and mirror stored pixels (H, W, ...) to the orientation in which they are displayed.

    Args:
      values: Pixels in stored order.
      orientation: The EXIF orientation, 1 to 8; from 5 on, rows and columns are swapped.
    """
    if orientation > 4:
        values = np.swapaxes(values, 0, 1)
    if orientation in (3, 4, 7, 8):
        values = values[::-1]
    if orientation in (2, 3, 6, 7):
        values = values[:, ::-1]
    return values


def check_finite(path: Path, values: np.ndarray) -> np.ndarray:
    """Return the values of an image unchanged.

    Raises:
      InputError: If a value is NaN or infinite.
    """
    if not np.isfinite(values).all():
        raise InputError(f"{path}: pixel values must be finite, found NaN or infinity")
    return values


def check_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """Return the values of a mask as integers; bool and float become int64.

    Raises:
      InputError: If a value is not a whole number.
    """
    if values.dtype.kind in "iu":
        return values
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        raise InputError(
            f"{path}: mask values must be whole numbers, found fractions, NaN or infinity"
        )
    return values.astype(np.int64)
