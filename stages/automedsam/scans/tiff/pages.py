"""Pages of TIFF files, checked for completeness."""

import logging
import math
import re
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from textwrap import shorten

from tifffile import FILETYPE, TiffFile, TiffFileError, TiffPage

from automedsam.runtime.errors import InputError, count_phrase
from automedsam.scans.notices import warn_once
from automedsam.scans.tiff.channels import check_channels

# Exceptions that tifffile and imagecodecs raise on broken files.
UNREADABLE = (
    TiffFileError,
    OSError,
    ValueError,
    TypeError,
    LookupError,
    ArithmeticError,
    AttributeError,
    AssertionError,
    RuntimeError,
    MemoryError,
    EOFError,
    struct.error,
)
MAX_PAGE_VALUES = 2**29  # a header that specifies more is damaged or malicious
METAMORPH_PLANES_TAG = 33629

# tifffile warns of unusual tags, which users cannot change and which do not affect the pixels.
logging.getLogger("tifffile").addHandler(logging.NullHandler())


@contextmanager
def open_pages(path: Path) -> Iterator[list[TiffPage]]:
    """Yield the pages of a TIFF, and close the file afterwards.

    Reduced copies of an image, and its transparency masks, are left out with a warning.

    Raises:
      InputError: If the file is missing, truncated, damaged or of an unsupported kind, if it has
        channels that are no colours, or if reading it in the block fails; the message names the
        file.
    """
    try:
        # tifffile would guess the pages of a ScanImage file instead of reading them.
        with TiffFile(path, is_scanimage=False) as file:
            pages = _leave_out_copies(path, _read_pages(file))
            check_channels(path, file, pages[0])
            yield pages
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: file not found") from None
    except UNREADABLE as error:
        reason = shorten(str(error), 150) or type(error).__name__
        raise InputError(f"{path}: cannot read the image ({reason})") from error


def _read_pages(file: TiffFile) -> list[TiffPage]:
    """All pages of a file; tifffile alone would skip those that it does not find.

    Raises:
      ValueError: If pages are missing or invalid.
    """
    pages: dict[int, TiffPage] = {}
    for page in file.pages:
        if page.offset in pages:
            raise ValueError("the list of pages is circular")
        pages[page.offset] = page.aspage()
        _check_page(pages[page.offset], file.filehandle.size)
    # The link after the last page must be 0.
    file.filehandle.seek(file.pages.next_page_offset or 0)
    is_cut_off = any(file.filehandle.read(file.tiff.offsetsize))
    if not pages or len(pages) != len(file.pages) or is_cut_off:
        raise ValueError("pages are missing")
    images = _count_images(file.pages.first)
    if images > len(pages):
        raise ValueError(f"{images} images, but {len(pages)} pages; each needs a page of its own")
    return list(pages.values())


def _leave_out_copies(path: Path, pages: list[TiffPage]) -> list[TiffPage]:
    """The pages that are images of their own; the full page of a pyramid.

    All pages are returned if each of them is declared as a copy.
    """
    copies = FILETYPE.REDUCEDIMAGE | FILETYPE.MASK
    full = [page for page in pages if not page.subfiletype & copies] or pages
    if _is_pyramid(full):
        full = full[:1]
    if len(full) < len(pages):
        count = count_phrase(len(pages) - len(full), "page")
        warn_once(path, f"left out {count}: reduced copies or transparency masks of the image")
    return full


def _is_pyramid(pages: list[TiffPage]) -> bool:
    """Whether all further pages have the proportions of the first one, and are smaller."""
    height, width = pages[0].imagelength, pages[0].imagewidth
    return (
        len(pages) > 1
        and all(
            page.imagelength < height
            and page.imagewidth < width
            # Sizes are rounded to whole pixels.
            and abs(page.imagelength * width - page.imagewidth * height) <= max(height, width)
            for page in pages[1:]
        )
    )


def _count_images(first: TiffPage) -> int:
    """Number of images that ImageJ or MetaMorph specify; 1 for all other files.

    ImageJ writes no pages for images beyond 4 GB. MetaMorph writes one page for all images.
    """
    imagej = re.match(r"ImageJ=.*^images=(\d+)", first.description, re.DOTALL | re.MULTILINE)
    planes = first.tags.get(METAMORPH_PLANES_TAG)
    return max(int(imagej[1]) if imagej else 1, planes.count if planes else 1)


def _check_page(page: TiffPage, file_size: int) -> None:
    """Reject a page that tifffile would fill with zeros, or that would exhaust the memory.

    Raises:
      ValueError: If the type, the size or the data of the page are not supported.
    """
    if page.dtype is None or page.dtype.kind not in "buif":
        raise ValueError(f"values of {page.bitspersample} bits of an unsupported type")
    if page.imagedepth != 1:
        raise ValueError(f"{page.imagedepth} slices in one page")
    counts = math.prod(page.shaped), math.prod(page.chunks)
    size = f"a page of {page.imagelength} x {page.imagewidth} pixels"
    if min(counts) < 1:
        raise ValueError(size)
    if max(counts) > MAX_PAGE_VALUES:
        raise ValueError(
            f"{size} exceeds the limit of {MAX_PAGE_VALUES:,} values; save a part or a smaller copy"
        )
    if not len(page.dataoffsets) == len(page.databytecounts) == math.prod(page.chunked):
        raise ValueError("page data are missing")
    chunks = zip(page.dataoffsets, page.databytecounts, strict=True)
    if not all(start > 0 and 0 < length <= file_size - start for start, length in chunks):
        raise ValueError("page data are truncated")
