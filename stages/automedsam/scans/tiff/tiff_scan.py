"""TIFF files as scans, and masks written with their resolution."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffPage, imwrite

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.image_files import as_grey
from automedsam.scans.pixels import (
    check_labels,
    drop_transparency,
    fill_invalid,
    one_channel,
    turn_upright,
)
from automedsam.scans.tiff.channels import photometric
from automedsam.scans.tiff.pages import open_pages

SUFFIXES = (".tif", ".tiff")
JPEG_COMPRESSIONS = (
    COMPRESSION.OJPEG,
    COMPRESSION.JPEG,
    COMPRESSION.ALT_JPEG,
    COMPRESSION.JPEG_LOSSY,
)
GREY_OR_RGB = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
ORIENTATION_TAG = 274
X_RESOLUTION_TAG = 282
Y_RESOLUTION_TAG = 283
RESOLUTION_UNIT_TAG = 296
INCH = 2  # the default of the resolution unit
# Lines of ImageJ's description that specify the geometry of a stack.
IMAGEJ_KEYS = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack", "unit", "spacing")


class TiffScan:
    """A TIFF as a stack of its pages, rotated as the orientation tag specifies.

    The pages are slices, whether the file calls them slices or time points.

    Args:
      path: The file.

    Raises:
      InputError: If the file is not a TIFF, is truncated, or is of an unsupported kind.
    """

    slicing = None
    spacing_mm = None  # the resolution in these files describes printing

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_pages(path) as pages:
            height, width = pages[0].imagelength, pages[0].imagewidth
            if _orientation(pages[0]) > 4:
                height, width = width, height
            self.shape = (len(pages), height, width)
            self._geometry = _geometry(pages[0])
        self.is_volume = self.shape[0] > 1

    def read_values(self) -> np.ndarray:
        """Pixel values in the type of the file; higher values are brighter.

        Palettes become colours, transparency is dropped.

        Returns:
          (pages, H, W) for grey pages, (pages, H, W, 3) for colour pages.

        Raises:
          InputError: If pages cannot be read or differ in size or kind, or values are not finite.
        """
        return fill_invalid(self.path, self._stack(_read_values))

    def read_labels(self) -> np.ndarray:
        """Mask values as they are stored, (pages, H, W); those of a palette are its indices.

        Raises:
          InputError: If pages cannot be read, differ in size, are compressed as JPEG or are in
            colour, or values are not whole numbers.
        """
        return check_labels(self.path, self._stack(_read_stored))

    def write(self, path: Path, stack: np.ndarray) -> None:
        """Write a mask as a TIFF with the resolution of the image.

        Args:
          path: The file to write.
          stack: (pages, H, W); bool is stored as 0 and 255, uint8 as it is.
        """
        with atomic_file(path) as building:
            imwrite(
                building,
                as_grey(stack),
                photometric=PHOTOMETRIC.MINISBLACK,
                compression=COMPRESSION.ADOBE_DEFLATE,
                metadata=None,
                software=False,
                **self._geometry,
            )

    write_soft = write  # TIFF has no scale factor: probabilities remain 0 to 255

    def _stack(self, read_page: Callable[[Path, TiffPage], np.ndarray]) -> np.ndarray:
        with open_pages(self.path) as pages:
            slices = [read_page(self.path, page) for page in pages]
            shapes = {"x".join(map(str, values.shape)) for values in slices}
            if len(shapes) > 1:
                found = ", ".join(sorted(shapes))
                raise InputError(f"{self.path}: pages must have one size and kind, found {found}")
            return np.stack(slices)


def _read_values(path: Path, page: TiffPage) -> np.ndarray:
    """Grey (H, W) or colour (H, W, 3) values of one page."""
    values = _read_upright(page)
    kind = photometric(page)
    if kind == PHOTOMETRIC.PALETTE:
        if page.colormap is None:
            raise ValueError("the palette is missing")
        values = np.take((page.colormap.T >> 8).astype(np.uint8), values[..., 0], axis=0)
    elif kind == PHOTOMETRIC.SEPARATED:
        values = _cmyk_to_rgb(values)
    # Decoders of JPEG return RGB, whatever colour space the tag specifies.
    elif kind not in GREY_OR_RGB and page.compression not in JPEG_COMPRESSIONS:
        name = getattr(kind, "name", kind)
        raise InputError(f"{path}: an image must be grey, palette, RGB or CMYK, found {name}")
    elif kind == PHOTOMETRIC.MINISWHITE and values.dtype.kind in "bu":
        values = values ^ values.dtype.type(2**page.bitspersample - 1)
    return drop_transparency(as_grey(values))


def _read_stored(path: Path, page: TiffPage) -> np.ndarray:
    """Stored values (H, W) of one page of a mask."""
    if page.compression in JPEG_COMPRESSIONS:
        raise InputError(
            f"{path}: a mask must not be compressed as JPEG, which blurs its values; use another "
            "compression"
        )
    values = _read_upright(page)
    if photometric(page) != PHOTOMETRIC.SEPARATED:
        values = drop_transparency(values)
    return one_channel(path, values)


def _read_upright(page: TiffPage) -> np.ndarray:
    """Stored values (H, W, channels) in displayed orientation."""
    values = page.asarray(squeeze=False)  # (planes, 1, H, W, channels)
    values = values[:, 0].transpose(1, 2, 0, 3).reshape(page.imagelength, page.imagewidth, -1)
    return turn_upright(values, _orientation(page))


def _cmyk_to_rgb(cmyk: np.ndarray) -> np.ndarray:
    """Convert ink (H, W, at least 4) to (H, W, 3) of the same type."""
    max_ink = np.iinfo(cmyk.dtype).max
    paper = max_ink - cmyk[..., :4].astype(np.float64)
    return np.rint(paper[..., :3] * paper[..., 3:] / max_ink).astype(cmyk.dtype)


def _orientation(page: TiffPage) -> int:
    """Orientation tag, 1 to 8, as in EXIF; from 5 on, rows and columns are swapped."""
    orientation = page.tags.valueof(ORIENTATION_TAG)
    return orientation if orientation in range(1, 9) else 1


def _geometry(page: TiffPage) -> dict[str, Any]:
    """Options of `imwrite` with which viewers overlay a mask on the image."""
    geometry: dict[str, Any] = {}
    resolution = [page.tags.valueof(tag) for tag in (X_RESOLUTION_TAG, Y_RESOLUTION_TAG)]
    if all(_is_fraction(value) for value in resolution):
        if _orientation(page) > 4:
            resolution.reverse()
        unit = page.tags.valueof(RESOLUTION_UNIT_TAG, default=INCH)
        geometry["resolution"] = resolution
        geometry["resolutionunit"] = unit if unit in (1, 2, 3) else 1
    if page.description.startswith("ImageJ="):
        lines = page.description.splitlines()
        kept = [line for line in lines if line.split("=")[0] in IMAGEJ_KEYS]
        geometry["description"] = "".join(f"{line}\n" for line in kept).encode()
    return geometry


def _is_fraction(value: Any) -> bool:
    """Whether a tag is a numerator of at least 0 and a denominator of at least 1."""
    return isinstance(value, tuple) and len(value) == 2 and value[0] >= 0 and value[1] >= 1
