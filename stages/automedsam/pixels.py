"""What several image formats have in common: channels, transparency, which way is up."""

from pathlib import Path

import numpy as np

from automedsam.errors import InputError


def as_grey(values: np.ndarray) -> np.ndarray:
    """False and True as 0 and 255, uint8; other values as they are."""
    return values * np.uint8(255) if values.dtype == bool else values


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
    return values[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]
