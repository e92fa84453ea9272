"""PNG, JPEG and TIFF files of any bit depth, a TIFF of several pages as a stack; and this pipeline's own PNGs."""

import struct
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
from PIL import Image, ImageOps

from automedsam.errors import InputError
from automedsam.outputs import fresh_file
from automedsam.values import check_finite, check_labels

SUFFIXES = (".png", ".jpg", ".jpeg", ".tif", ".tiff")
OTHER_COLOURS = ("RGBX", "CMYK", "YCbCr", "HSV", "LAB")
# What Pillow's and imagecodecs' decoders raise on broken files.
UNREADABLE = (OSError, SyntaxError, ValueError, TypeError, KeyError, IndexError, EOFError, struct.error, RuntimeError,
              Image.DecompressionBombError)  # fmt: skip
# TIFF's tags and what they may say.
WIDTH, HEIGHT, PHOTOMETRIC, ORIENTATION, PLANAR_CONFIGURATION, COLOUR_MAP = 256, 257, 262, 274, 284, 320
WHITE_IS_ZERO, PALETTE, BY_CHANNEL = 0, 3, 2
RESOLUTION_TAGS = (282, 283, 296)  # XResolution, YResolution, ResolutionUnit
IMAGEJ_KEYS = ("ImageJ", "images", "slices", "unit", "spacing")  # of ImageJ's description of a stack: its geometry


class ImageScan:
    """An image file as a stack of slices: of one, or of a TIFF's pages. Turned as its EXIF orientation says.

    Raises:
      InputError: no image, or several frames in another format than TIFF.
    """

    slicing = None
    spacing_mm = None  # the resolution in these files is that of a print, if anything

    def __init__(self, path: Path) -> None:
        self.path = path
        with _opened(path) as opened:
            image: Any = opened
            # Pillow turns a TIFF's size, but not always its pixels.
            size = (image.tag_v2[WIDTH], image.tag_v2[HEIGHT]) if image.format == "TIFF" else image.size
            height, width = size if _orientation(image) > 4 else reversed(size)
            pages = getattr(image, "n_frames", 1)
            if pages > 1 and image.format != "TIFF":
                raise InputError(f"{path}: expected one image, found {pages} frames")
        self.shape = (pages, height, width)
        self.is_volume = pages > 1

    def read_values(self) -> np.ndarray:
        """(pages, H, W) if grey or (pages, H, W, 3) if colour, in the file's own type.

        Palettes become colours; transparency is dropped.

        Raises:
          InputError: pages that cannot be read or differ, or values that are not finite.
        """
        return check_finite(self.path, self._stack(_read_values))

    def read_labels(self) -> np.ndarray:
        """(pages, H, W), int64, the values of a mask as they are stored: indices of a palette, not its colours.

        Raises:
          InputError: a JPEG, channels that differ, or values that are not whole.
        """
        return check_labels(self.path, self._stack(_read_stored))

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (pages, H, W), bool, as 0 and 255, or probabilities of 0 to 255, uint8; in the image's resolution."""
        first, *others = (
            Image.fromarray(page) for page in (stack.astype(np.uint8) * (255 if stack.dtype == bool else 1))
        )
        options = dict(self._resolution) | ({"save_all": True, "append_images": others} if others else {})
        with fresh_file(path) as building:
            first.save(building, "TIFF" if path.suffix.lower() in (".tif", ".tiff") else "PNG", **options)

    @cached_property
    def _resolution(self) -> dict[str, Any]:
        """What Pillow's `save` is to be told, so that a viewer lays the mask over the image."""
        with _opened(self.path) as opened:
            image: Any = opened  # a TIFF has tags of its own
            if image.format != "TIFF":
                return {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
            tags = {
                tag: image.tag_v2[tag] for tag in RESOLUTION_TAGS if np.isfinite(float(image.tag_v2.get(tag, np.nan)))
            }
            lines = str(image.tag_v2.get(270, "")).splitlines()
            if lines and lines[0].startswith("ImageJ="):
                tags[270] = "".join(f"{line}\n" for line in lines if line.split("=")[0] in IMAGEJ_KEYS)
            return {"tiffinfo": tags, "compression": "tiff_adobe_deflate"}

    def _stack(self, read_page: Any) -> np.ndarray:
        pages = []
        with _opened(self.path) as image:
            content = self.path.read_bytes()
            for page in range(self.shape[0]):
                image.seek(page)
                pages.append(read_page(self.path, image, content))
        if len({page.shape for page in pages}) > 1:
            found = ", ".join(sorted({"x".join(map(str, page.shape)) for page in pages}))
            raise InputError(f"{self.path}: expected pages of one size and kind, found {found}")
        return np.stack(pages)


def write_image(path: Path, values: np.ndarray) -> None:
    """Write (H, W) or (H, W, 3) uint8, or (H, W) bool as 0 and 255, in the format that the name ends in."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values.astype(np.uint8) * 255 if values.dtype == bool else values).save(path)


def read_pixels(path: Path) -> np.ndarray:
    """An 8-bit image that this pipeline wrote, as it is: (H, W) or (H, W, 3), uint8."""
    with _opened(path) as image:
        return np.asarray(image)


def _read_values(path: Path, image: Any, content: bytes) -> np.ndarray:
    if image.format == "TIFF":
        values = _decode(image, content)
        if image.tag_v2.get(PHOTOMETRIC) == PALETTE:
            values = (np.reshape(image.tag_v2[COLOUR_MAP], (3, -1)).T >> 8).astype(np.uint8)[values]
        elif image.tag_v2.get(PHOTOMETRIC) == WHITE_IS_ZERO and values.dtype.kind in "bu":
            values = ~values
    elif _has_deep_colours(image):
        values = _decode(image, content)
    else:
        if image.mode in ("P", "PA"):
            image = image.convert("RGBA")
        elif image.mode in OTHER_COLOURS:
            image = image.convert("RGB")
        values = np.asarray(ImageOps.exif_transpose(image))
    if values.dtype == bool:
        values = values * np.uint8(255)
    values = _drop_transparency(values)
    return values[..., 0] if values.shape[2:] == (1,) else values


def _read_stored(path: Path, image: Any, content: bytes) -> np.ndarray:
    if image.format == "JPEG":
        raise InputError(f"{path}: expected a mask as PNG or TIFF, found a JPEG, whose values are blurred")
    is_decoded = image.format == "TIFF" or _has_deep_colours(image)
    values = _drop_transparency(_decode(image, content) if is_decoded else np.asarray(ImageOps.exif_transpose(image)))
    if values.ndim == 3:
        if (values != values[..., :1]).any():
            raise InputError(f"{path}: expected a mask with one value a pixel, found a colour image")
        values = values[..., 0]
    return values


def _drop_transparency(values: np.ndarray) -> np.ndarray:
    """(H, W), (H, W, 1) or (H, W, 3), of whatever number of channels."""
    return values if values.ndim == 2 else values[..., : 3 if values.shape[2] > 2 else 1]


def _has_deep_colours(image: Any) -> bool:
    """16 bits in each of several channels, which Pillow would cut to 8."""
    return len(image.getbands()) > 1 and ";16" in str(getattr(image, "tile", ""))


def _decode(image: Any, content: bytes) -> np.ndarray:
    """(H, W) or (H, W, channels) of a PNG or of a TIFF's current page, turned upright, but else as stored.

    Pillow cuts 16 bits a channel to 8, and reads some TIFFs wrongly without a word: int8, uint32, compressed ones whose
    bytes must be swapped, plain ones that must be turned.
    """
    if image.format == "TIFF":
        values = imagecodecs.tiff_decode(content, index=image.tell())
        if values.ndim == 3 and image.tag_v2.get(PLANAR_CONFIGURATION) == BY_CHANNEL:
            values = np.moveaxis(values, 0, 2)
    else:
        values = imagecodecs.png_decode(content)
    orientation = _orientation(image)
    if orientation > 4:
        values = np.swapaxes(values, 0, 1)
    return values[:: -1 if orientation in (3, 4, 7, 8) else 1, :: -1 if orientation in (2, 3, 6, 7) else 1]


def _orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF counts them; from 5 on, rows are columns."""
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1


@contextmanager
def _opened(path: Path) -> Iterator[Image.Image]:
    """The image, closed again; whatever goes wrong with it names the file."""
    try:
        with Image.open(path) as image:
            yield image
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"{path}: expected an image, found no such file") from None
    except UNREADABLE as error:
        raise InputError(f"{path}: expected an image, found a file that cannot be read ({error})") from error
