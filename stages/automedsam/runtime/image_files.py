"""TODO"""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from automedsam.runtime.errors import InputError

# What Pillow's and imagecodecs' decoders raise on broken files.
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, RuntimeError,
              Image.DecompressionBombError)  # fmt: skip


def write_image(path: Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8, or (H, W) bool as 0 and 255, in the format that the name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(as_grey(values)).save(path)


def read_image(path: Path) -> np.ndarray:
    """An 8-bit image that this pipeline wrote, as it is: (H, W) or (H, W, 3), uint8."""
    with open_image(path) as image:
        return np.asarray(image)


@contextmanager
def open_image(path: Path) -> Iterator[Image.Image]:
    """The image, closed again; whatever goes wrong with it names the file."""
    try:
        with Image.open(path, formats=("PNG", "JPEG")) as image:
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image, found no such file") from None
    except UNREADABLE as error:
        raise InputError(
            f"{path}: expected an image, found a file that cannot be read ({error})"
        ) from error


"""TODO"""


def as_grey(values: np.ndarray) -> np.ndarray:
    """False and True as 0 and 255, uint8; other values as they are."""
    return values * np.uint8(255) if values.dtype == bool else values
