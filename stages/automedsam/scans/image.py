"""PNG, JPEG, BMP and WebP files of any bit depth as scans of one slice."""

import os
import struct
import warnings
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.image_files import UNREADABLE, as_grey, open_image
from automedsam.scans.mask_display import image_mask
from automedsam.scans.notices import warn_once
from automedsam.scans.pixels import (
    check_labels,
    drop_transparency,
    fill_invalid,
    turn_upright,
)

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".webp")
LOSSLESS_FORMATS = ("PNG", "BMP")
MAX_DPI = 1e6  # a file that specifies more is damaged
ORIENTATION_TAG = 274
# Of PNG: the signature is followed by chunks of a length, a kind, data and a checksum.
PNG_SIGNATURE_BYTES, CHECKSUM_BYTES = 8, 4
TEXT_CHUNKS = (b"eXIf", b"tEXt", b"zTXt", b"iTXt")


class ImageScan:
    """An image file as a stack of one slice, rotated as its EXIF orientation specifies.

    If a JPEG contains several pictures, as those of phones do, the first is read.

    Args:
      path: A PNG, JPEG, BMP or WebP file.

    Raises:
      InputError: If the file is none of these, or has several frames.
    """

    slicing = None
    spacing_mm = None  # the resolution in these files describes printing
    is_volume = False

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_image(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise InputError(
                    f"{path}: the file contains {frames} frames; save each as a file of its own"
                )
            width, height = image.size
            if _orientation(path, image) > 4:
                width, height = height, width
            self._resolution = _resolution(image)
        self.shape = (1, height, width)

    def read_values(self) -> np.ndarray:
        """Pixel values in the type of the file; palettes become colours, transparency is dropped.

        Returns:
          (1, H, W) for a grey image, (1, H, W, 3) for a colour image.

        Raises:
          InputError: If the pixels cannot be read.
        """
        with open_image(self.path) as image:
            mode = {"P": "RGBA", "CMYK": "RGB"}.get(image.mode, image.mode)
            converted = image if mode == image.mode else image.convert(mode)
            values = _read_upright(self.path, converted)
        return fill_invalid(self.path, drop_transparency(as_grey(values))[None])

    def read_labels(self, as_shown: bool = False) -> np.ndarray:
        """Mask values as they are stored, (1, H, W); those of a palette are its indices.

        Args:
          as_shown: Read palettes of two colours and shades of one colour as viewers show them.

        Raises:
          InputError: If the file is a JPEG or WebP, or its channels differ.
        """
        with open_image(self.path) as image:
            if image.format not in LOSSLESS_FORMATS:
                name = "WebP" if image.format == "WEBP" else "JPEG"
                raise InputError(
                    f"{self.path}: a mask cannot be a {name}, which blurs its values; use PNG or "
                    "TIFF"
                )
            values = _read_upright(self.path, image)
            labels = image_mask(self.path, values, image, as_shown)
        return check_labels(self.path, labels[None])

    def write(self, path: Path, stack: np.ndarray) -> None:
        """Write a mask as a PNG with the resolution of the image, so that viewers can overlay it.

        Args:
          path: The file to write.
          stack: (1, H, W); bool is stored as 0 and 255, uint8 as it is.
        """
        with atomic_file(path) as building:
            Image.fromarray(as_grey(stack[0])).save(building, "PNG", **self._resolution)

    write_soft = write  # PNG has no scale factor: probabilities remain 0 to 255


def _read_upright(path: Path, image: Image.Image) -> np.ndarray:
    """Displayed pixels, (H, W) or (H, W, channels), with the stored values."""
    # Pillow would reduce several channels of 16 bits to 8.
    is_deep = len(image.getbands()) > 1 and ";16" in str(getattr(image, "tile", ""))
    values = imagecodecs.png_decode(path.read_bytes()) if is_deep else np.asarray(image)
    return turn_upright(values, _orientation(path, image))


def _orientation(path: Path, image: Image.Image) -> int:
    """EXIF orientation, 1 to 8; from 5 on, rows and columns are swapped.

    It is 1 if it is missing or invalid; a warning names a file whose EXIF data are damaged.
    """
    try:
        orientation = _read_exif(path, image).get(ORIENTATION_TAG)
    except UNREADABLE:
        orientation = None
    if isinstance(orientation, int) and 1 <= orientation <= 8:
        return orientation
    if "exif" in image.info and _is_damaged(image.info["exif"]):
        warn_once(path, "the EXIF data are damaged; the image is not rotated")
    return 1


def _read_exif(path: Path, image: Image.Image) -> Image.Exif:
    """EXIF data of an image, without decoding the pixels of a PNG that has none."""
    if image.format == "PNG" and not _has_text_after_pixels(path):
        return Image.Image.getexif(image)  # PNG's own method decodes the pixels first
    return image.getexif()


def _has_text_after_pixels(path: Path) -> bool:
    """Whether a PNG has EXIF data or text, which may contain them, after the pixels."""
    is_after = False
    with path.open("rb") as file:
        file.seek(PNG_SIGNATURE_BYTES)
        while len(head := file.read(8)) == 8:
            length, kind = struct.unpack(">I4s", head)
            if is_after and kind in TEXT_CHUNKS:
                return True
            is_after |= kind == b"IDAT"
            file.seek(length + CHECKSUM_BYTES, os.SEEK_CUR)
    return False


def _is_damaged(exif: bytes) -> bool:
    """Whether Pillow cannot read all EXIF data; a second reading of an image would not fail."""
    with warnings.catch_warnings(record=True) as faults:
        warnings.simplefilter("always")
        try:
            Image.Exif().load(exif)
        except UNREADABLE:
            return True
    return bool(faults)


def _resolution(image: Image.Image) -> dict[str, tuple[float, float]]:
    """The option of Pillow that writes the resolution of an image; empty if unknown or invalid."""
    try:
        column_dpi, row_dpi = map(float, image.info["dpi"])
    except (KeyError, TypeError, ValueError, ArithmeticError):
        return {}
    is_valid = 0 < column_dpi < MAX_DPI and 0 < row_dpi < MAX_DPI
    return {"dpi": (column_dpi, row_dpi)} if is_valid else {}
