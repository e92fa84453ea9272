"""Channels, transparency, orientation and valid values, for all image formats."""

from pathlib import Path

import numpy as np

from automedsam.runtime.errors import InputError
from automedsam.scans.notices import warn_once

# Masks that were scaled, or stored in 32 bits, differ from whole numbers by less than this.
WHOLE_NUMBER_TOLERANCE = 1e-3
MAX_LABEL = np.float64(2**53)  # float64 represents all whole numbers up to here


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


def fill_invalid(path: Path, values: np.ndarray) -> np.ndarray:
    """Set NaN and infinity, with which tools mark the background, to the smallest other value.

    Their number is logged as a warning.

    Args:
      path: The file, for messages.
      values: Any shape and real type.

    Returns:
      The values in the same type; the same array if all are finite.

    Raises:
      InputError: If no value is finite.
    """
    is_finite = np.isfinite(values)
    if is_finite.all():
        return values
    if not is_finite.any():
        raise InputError(f"{path}: pixel values must be finite, found only NaN or infinity")
    darkest = values[is_finite].min()
    _report_invalid(path, is_finite, f"{darkest:.6g}, the smallest other value")
    return np.where(is_finite, values, darkest)


def check_labels(path: Path, values: np.ndarray) -> np.ndarray:
    """Return the values of a mask as integers; bool and float become int64.

    Values next to a whole number are rounded. NaN and infinity become 0, with a warning.

    Raises:
      InputError: If a value is not a whole number.
    """
    if values.dtype.kind in "iu":
        return values
    if values.dtype.kind == "b":
        return values.astype(np.int64)
    is_finite = np.isfinite(values)
    if not is_finite.all():
        _report_invalid(path, is_finite, "0")
        values = np.where(is_finite, values, 0)
    rounded = np.rint(values)
    is_whole = np.abs(values - rounded) <= WHOLE_NUMBER_TOLERANCE
    is_whole &= np.abs(rounded) <= MAX_LABEL
    if not is_whole.all():
        raise InputError(
            f"{path}: mask values must be whole numbers, found {values[~is_whole][0]:.6g}"
        )
    return rounded.astype(np.int64)


def _report_invalid(path: Path, is_finite: np.ndarray, replacement: str) -> None:
    count = is_finite.size - int(is_finite.sum())
    warn_once(
        path,
        f"{count:,} of {is_finite.size:,} values are NaN or infinite; they are read as "
        f"{replacement}",
    )
