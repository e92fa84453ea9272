"""Image files as arrays: PNG, JPEG and TIFF of any bit depth, scaled to 8 bits in one way; masks as label maps."""

from pathlib import Path

import numpy as np
from PIL import Image, UnidentifiedImageError

from automedsam.errors import InputError

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
PERCENTILES = (0.5, 99.5)  # of an image's values, mapped to 0 and 255: the preparation of MedSAM's training data
COLOUR_MODES = ("RGB", "RGBA", "RGBX", "CMYK", "YCbCr", "HSV", "LAB")


def read_image(path: Path) -> np.ndarray:
    """An image as uint8, (H, W) if grey or (H, W, 3) if colour, its percentiles 0.5 and 99.5 at 0 and 255.

    Palettes become colours; transparency is dropped.

    Raises:
      InputError: no image, several pages, or values that are not finite.
    """
    with _open(path) as image:
        if image.mode in (*COLOUR_MODES, "P", "PA"):
            image = image.convert("RGB")
        elif image.mode == "LA":
            image = image.convert("L")
        values = np.asarray(image)
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
    """A mask file as its values (H, W), integers, as they are stored: indices of a palette, not its colours.

    Raises:
      InputError: no image, several pages, channels that differ, or values that are not whole.
    """
    with _open(path) as image:
        values = np.asarray(image)
    if values.ndim == 3:
        colours = values[..., :3] if values.shape[2] > 2 else values[..., :1]
        if (colours != colours[..., :1]).any():
            raise InputError(f"{path}: expected a mask with one value a pixel, found a colour image")
        values = colours[..., 0]
    if not np.array_equal(values, np.floor(values)):
        raise InputError(f"{path}: expected a mask of whole numbers, found fractions")
    return values.astype(np.int64)


def write_png(path: Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8, or (H, W) bool as 0 and 255."""
    Image.fromarray(values.astype(np.uint8) * 255 if values.dtype == bool else values).save(path)


def read_pixels(path: Path) -> np.ndarray:
    """An 8-bit image that this pipeline wrote, as it is: (H, W) or (H, W, 3), uint8."""
    with _open(path) as image:
        return np.asarray(image)


def _open(path: Path) -> Image.Image:
    try:
        image = Image.open(path)
        if getattr(image, "n_frames", 1) > 1:
            raise InputError(f"{path}: expected one image, found {image.n_frames} pages")  # type: ignore[attr-defined]
        image.load()
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image, found no such file") from None
    except (UnidentifiedImageError, OSError, SyntaxError, Image.DecompressionBombError) as error:
        raise InputError(f"{path}: expected an image, found a file that cannot be read ({error})") from error
    return image
