"""TIFF files of any kind, their pages as slices, and masks that lie over them."""

import logging
import math
import re
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten
from typing import Any

import numpy as np
from tifffile import COMPRESSION, PHOTOMETRIC, TiffFile, TiffFileError, TiffPage, imwrite

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.image_files import as_grey
from automedsam.scans.pixels import (
    check_finite,
    check_labels,
    drop_transparency,
    one_channel,
    turn_upright,
)

SUFFIXES = (".tif", ".tiff")
# What tifffile and imagecodecs raise on broken files.
UNREADABLE = (TiffFileError, OSError, ValueError, TypeError, LookupError, ArithmeticError, AttributeError,
              AssertionError, RuntimeError, MemoryError, EOFError, struct.error)  # fmt: skip
MOST_VALUES = 2**29  # of a page; a header that tells of more is damaged, or a trap
JPEGS = (COMPRESSION.OJPEG, COMPRESSION.JPEG, COMPRESSION.ALT_JPEG, COMPRESSION.JPEG_LOSSY)
AS_STORED = (PHOTOMETRIC.MINISBLACK, PHOTOMETRIC.MINISWHITE, PHOTOMETRIC.RGB)
PHOTOMETRIC_TAG, ORIENTATION_TAG, METAMORPH_PLANES_TAG = 262, 274, 33629
X_RESOLUTION_TAG, Y_RESOLUTION_TAG, RESOLUTION_UNIT_TAG = 282, 283, 296
# Of ImageJ's description of a stack: its geometry.
IMAGEJ_KEYS = ("ImageJ", "images", "channels", "slices", "frames", "hyperstack", "unit", "spacing")

logging.getLogger("tifffile").addHandler(
    logging.NullHandler()
)  # odd tags are no news for who has an image to segment


class TiffScan:
    """A TIFF as a stack of its pages, whatever they mean, turned as its orientation says.

    Raises:
      InputError: no TIFF, or one that is cut off or of a kind that is not read.
    """

    slicing = None
    spacing_mm = None  # the resolution in these files is that of a print, if anything

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as pages:
            height, width = pages[0].imagelength, pages[0].imagewidth
            self.shape = (
                len(pages),
                *((width, height) if _orientation(pages[0]) > 4 else (height, width)),
            )
            self._geometry = _geometry(pages[0])
        self.is_volume = self.shape[0] > 1

    def read_values(self) -> np.ndarray:
        """(pages, H, W) if grey or (pages, H, W, 3) if colour, in the file's own type.

        Palettes become colours, more is brighter, transparency is dropped.

        Raises:
          InputError: pages that cannot be read or differ, or values that are not finite.
        """
        return check_finite(self.path, self._stack(_read_values))

    def read_labels(self) -> np.ndarray:
        """(pages, H, W), the values of a mask as they are stored: indices of a palette, not its colours.

        Raises:
          InputError: pages that cannot be read or differ, are blurred or in colour, or values that are not whole.
        """
        return check_labels(self.path, self._stack(_read_stored))

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (pages, H, W), bool, as 0 and 255, or uint8 as it is; in the image's resolution."""
        with atomic_file(path) as building:
            imwrite(building, as_grey(stack), photometric=PHOTOMETRIC.MINISBLACK, compression=COMPRESSION.ADOBE_DEFLATE,
                    metadata=None, software=False, **self._geometry)  # fmt: skip

    write_soft = write  # a TIFF cannot tell that 255 is 1

    def _stack(self, read_page: Callable[[Path, TiffPage], np.ndarray]) -> np.ndarray:
        with _opened(self.path) as pages:
            slices = [read_page(self.path, page) for page in pages]
            if len({values.shape for values in slices}) > 1:
                found = ", ".join(sorted({"x".join(map(str, values.shape)) for values in slices}))
                raise InputError(f"{self.path}: expected pages of one size and kind, found {found}")
            return np.stack(slices)


def _read_values(path: Path, page: TiffPage) -> np.ndarray:
    values = _read_upright(page)
    kind = _photometric(page)
    if kind == PHOTOMETRIC.PALETTE:
        if page.colormap is None:
            raise ValueError("its palette is missing")
        values = np.take((page.colormap.T >> 8).astype(np.uint8), values[..., 0], axis=0)
    elif kind == PHOTOMETRIC.SEPARATED:
        values = _without_ink(values)
    elif kind not in AS_STORED and page.compression not in JPEGS:  # out of a JPEG comes RGB
        raise InputError(
            f"{path}: expected grey, a palette, RGB or CMYK, found {getattr(kind, 'name', kind)}"
        )
    elif kind == PHOTOMETRIC.MINISWHITE and values.dtype.kind in "bu":
        values = values ^ values.dtype.type(2**page.bitspersample - 1)
    return drop_transparency(as_grey(values))


def _read_stored(path: Path, page: TiffPage) -> np.ndarray:
    if page.compression in JPEGS:
        raise InputError(
            f"{path}: expected a mask as it was drawn, found a JPEG in a TIFF, whose values are blurred"
        )
    values = _read_upright(page)
    return one_channel(
        path, values if _photometric(page) == PHOTOMETRIC.SEPARATED else drop_transparency(values)
    )


def _read_upright(page: TiffPage) -> np.ndarray:
    """(H, W, channels), else as stored."""
    values = page.asarray(squeeze=False)  # (planes, 1, H, W, channels)
    values = values[:, 0].transpose(1, 2, 0, 3).reshape(page.imagelength, page.imagewidth, -1)
    return turn_upright(values, _orientation(page))


def _without_ink(cmyk: np.ndarray) -> np.ndarray:
    """Red, green and blue of cyan, magenta, yellow and black ink."""
    most = np.iinfo(cmyk.dtype).max
    paper = most - cmyk[..., :4].astype(np.float64)
    return np.rint(paper[..., :3] * paper[..., 3:] / most).astype(cmyk.dtype)


def _photometric(page: TiffPage) -> int:
    # Where nothing is said, tifffile takes white for zero.
    return page.photometric if PHOTOMETRIC_TAG in page.tags else PHOTOMETRIC.MINISBLACK


def _orientation(page: TiffPage) -> int:
    """1 to 8, as EXIF counts them; from 5 on, rows are columns."""
    orientation = page.tags.valueof(ORIENTATION_TAG)
    return orientation if orientation in range(1, 9) else 1


def _geometry(page: TiffPage) -> dict[str, Any]:
    """What tifffile is to write so that a viewer lays a mask over the image."""
    geometry: dict[str, Any] = {}
    resolution = [page.tags.valueof(tag) for tag in (X_RESOLUTION_TAG, Y_RESOLUTION_TAG)]
    unit = page.tags.valueof(RESOLUTION_UNIT_TAG, default=2)
    if all(
        isinstance(ratio, tuple) and len(ratio) == 2 and min(ratio[0], ratio[1] - 1) >= 0
        for ratio in resolution
    ):
        geometry["resolution"] = resolution[:: -1 if _orientation(page) > 4 else 1]
        geometry["resolutionunit"] = unit if unit in (1, 2, 3) else 1
    if page.description.startswith("ImageJ="):
        lines = [
            line for line in page.description.splitlines() if line.split("=")[0] in IMAGEJ_KEYS
        ]
        geometry["description"] = "".join(f"{line}\n" for line in lines).encode()
    return geometry


@contextmanager
def _opened(path: Path) -> Iterator[list[TiffPage]]:
    """The pages of a file that is whole, closed again; whatever goes wrong with it names the file."""
    try:
        with TiffFile(
            path, is_scanimage=False
        ) as file:  # whose pages would not be read but guessed
            yield _read_pages(file)
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image, found no such file") from None
    except UNREADABLE as error:
        reason = shorten(str(error), 150) or type(error).__name__
        raise InputError(
            f"{path}: expected an image, found a file that cannot be read ({reason})"
        ) from error


def _read_pages(file: TiffFile) -> list[TiffPage]:
    """All that the file holds: tifffile would leave out those that it does not find.

    Raises:
      ValueError: no pages, or not all.
    """
    pages: dict[int, TiffPage] = {}
    for page in file.pages:
        if page.offset in pages:
            raise ValueError("its pages go round in a circle")
        pages[page.offset] = page.aspage()
        _check_page(pages[page.offset], file.filehandle.size)
    file.filehandle.seek(file.pages.next_page_offset or 0)
    if (
        not pages
        or len(pages) != len(file.pages)
        or any(file.filehandle.read(file.tiff.offsetsize))
    ):
        raise ValueError("pages are missing")
    if (images := _count_images(file.pages.first)) > len(pages):
        raise ValueError(f"{images} images, not each in a page of its own")
    return list(pages.values())


def _count_images(first: TiffPage) -> int:
    """As told by ImageJ, which gives no pages to what is over 4 GB, or by MetaMorph, which gives them to nothing."""
    told = re.match(r"ImageJ=.*^images=(\d+)", first.description, re.DOTALL | re.MULTILINE)
    planes = first.tags.get(METAMORPH_PLANES_TAG)
    return max(int(told[1]) if told else 1, planes.count if planes else 1)


def _check_page(page: TiffPage, file_size: int) -> None:
    """Refuse what tifffile would fill with zeros, or fill the memory with."""
    if page.dtype is None or page.dtype.kind not in "buif":
        raise ValueError(f"{page.bitspersample} bits a value, of a kind that is not read")
    if page.imagedepth != 1:
        raise ValueError(f"{page.imagedepth} slices in one page")
    counts = math.prod(page.shaped), math.prod(page.chunks)
    if not 0 < min(counts) <= max(counts) <= MOST_VALUES:
        raise ValueError(f"a page of {page.imagelength} x {page.imagewidth} pixels")
    if not len(page.dataoffsets) == len(page.databytecounts) == math.prod(page.chunked):
        raise ValueError("a page's data are missing")
    parts = zip(page.dataoffsets, page.databytecounts, strict=True)
    if not all(start > 0 and 0 < length <= file_size - start for start, length in parts):
        raise ValueError("a page's data are cut off")
