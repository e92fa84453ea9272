"""Image files as arrays: PNG, JPEG and TIFF of any bit depth, scaled to 8 bits in one way; masks as label maps."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from PIL import Image

from automedsam.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
PERCENTILES = (0.5, 99.5)  # of an image's values, mapped to 0 and 255: the preparation of MedSAM's training data
OTHER_COLOURS = ("RGBX", "CMYK", "YCbCr", "HSV", "LAB")
# What Pillow's decoders raise on broken files.
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error,
              Image.DecompressionBombError)  # fmt: skip


def read_image(path: Path) -> np.ndarray:
    """An image as uint8, (H, W) if grey or (H, W, 3) if colour, its percentiles 0.5 and 99.5 at 0 and 255.

    Palettes become colours; transparency is dropped.

    Raises:
      InputError: no image, several pages, 16 bits a colour channel, or values that are not finite.
    """
    with _opened(path) as image:
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA")
        elif image.mode in ("1", "LA"):
            image = image.convert("L")
        elif image.mode in OTHER_COLOURS:
            image = image.convert("RGB")
        values = np.asarray(image)
    values = values[..., :3] if values.ndim == 3 else values
    if not np.isfinite(values).all():
        raise InputError(f"{path}: expected finite values, found NaN or infinity")
    return scale_to_8_bits(values)


def scale_to_8_bits(values: np.ndarray) -> np.ndarray:
    """Values of any type to uint8, percentiles 0.5 and 99.5 at 0 and 255; a flat array gives zeros."""
    low, high = np.percentile(values, PERCENTILES)
    if high <= low:  # more than 99 % of one value: its full range tells more than nothing
        low, high = float(values.min()), float(values.max())
    scaled = (values.astype(np.float64) - low) / max(high - low, np.finfo(np.float64).tiny)
    return np.asarray((255 * scaled.clip(0, 1)).round(), np.uint8)


def read_labels(path: Path) -> np.ndarray:
    """A mask file as its values (H, W), int64, as they are stored: indices of a palette, not its colours.

    Raises:
      InputError: no image, a JPEG, several pages, channels that differ, or values that are not whole.
    """
    with _opened(path) as image:
        if image.format == "JPEG":
            raise InputError(f"{path}: expected a mask as PNG or TIFF, found a JPEG, whose values are blurred")
        colours = len(image.getbands()) - (image.mode in ("LA", "PA", "RGBA"))
        values = np.asarray(image)
    if values.ndim == 3:
        if (values[..., :colours] != values[..., :1]).any():
            raise InputError(f"{path}: expected a mask with one value a pixel, found a colour image")
        values = values[..., 0]
    if not np.isfinite(values).all() or (values != np.floor(values)).any():
        raise InputError(f"{path}: expected a mask of whole numbers, found fractions or infinity")
    return values.astype(np.int64)


def write_image(path: Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8, or (H, W) bool as 0 and 255, in the format that the name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8) * 255 if values.dtype == bool else values).save(path)


def read_pixels(path: Path) -> np.ndarray:
    """An 8-bit image that this pipeline wrote, as it is: (H, W) or (H, W, 3), uint8."""
    with _opened(path) as image:
        return np.asarray(image)


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, read and closed again; whatever goes wrong with it names the file."""
    try:
        with Image.open(path) as image:
            pages = getattr(image, "n_frames", 1)
            if pages > 1:
                raise InputError(f"{path}: expected one image, found {pages} pages")
            if len(image.getbands()) > 1 and ";16" in str(image.tile):
                raise InputError(f"{path}: expected 8 bits a colour channel, found 16, which would be cut")
            image.load()
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image, found no such file") from None
    except UNREADABLE as error:
        raise InputError(f"{path}: expected an image, found a file that cannot be read ({error})") from error
