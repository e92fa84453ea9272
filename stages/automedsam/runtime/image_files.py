"""Read and write the 8-bit images of this pipeline, and open image files with Pillow."""

import struct
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from automedsam.runtime.errors import InputError

FORMATS = ("PNG", "JPEG", "BMP", "WEBP")  # that Pillow reads here, whatever the suffix is
# Exceptions of the decoders of Pillow and imagecodecs on damaged files.
UNREADABLE = (
    OSError,
    SyntaxError,
    ValueError,
    TypeError,
    KeyError,
    IndexError,
    EOFError,
    struct.error,
    RuntimeError,
    Image.DecompressionBombError,
)


def write_image(path: Path, values: np.ndarray) -> None:
    """Write an image in the format of the path's suffix.

    Args:
      path: File to write; missing parent folders are created.
      values: (H, W) or (H, W, 3) uint8, or (H, W) bool, which is written as 0 and 255.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(as_grey(values)).save(path)


def read_image(path: Path) -> np.ndarray:
    """Return an image that this pipeline wrote: (H, W) or (H, W, 3), uint8.

    Raises:
      InputError: If the file is missing or cannot be read.
    """
    with open_image(path) as image:
        return np.asarray(image)


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """Yield an open PNG, JPEG, BMP or WebP, and close it afterwards. Warnings are silenced.

    Raises:
      InputError: If the file is missing or not an image, or if reading it in the block fails.
    """
    try:
        # Pillow warns of damaged metadata, which do not affect the pixels.
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(path, formats=FORMATS) as image:
                yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except UNREADABLE as error:
        raise InputError(f"{path}: cannot read the image ({error})") from error


def as_grey(values: np.ndarray) -> np.ndarray:
    """Return bool values as 0 and 255, uint8, and other values unchanged."""
    return values * np.uint8(255) if values.dtype == bool else values
