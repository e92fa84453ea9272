"""PNG and JPEG files of any bit depth, and this pipeline's own PNGs."""

from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file
from automedsam.runtime.image_files import as_grey, open_image
from automedsam.scans.pixels import (
    check_finite,
    check_labels,
    drop_transparency,
    one_channel,
    turn_upright,
)

SUFFIXES = (".png", ".jpg", ".jpeg")

ORIENTATION = 274  # EXIF's tag


class ImageScan:
    """An image file as a stack of one slice, turned as its EXIF orientation says.

    Of the several pictures that a phone puts into one JPEG, the first.

    Raises:
      InputError: no PNG or JPEG, or one of several frames.
    """

    slicing = None
    spacing_mm = None  # the resolution in these files is that of a print, if anything
    is_volume = False

    def __init__(self, path: Path) -> None:
        self.path = path
        with open_image(path) as image:
            frames = getattr(image, "n_frames", 1)
            if frames > 1 and image.format != "MPO":
                raise InputError(f"{path}: expected one image, found {frames} frames")
            height, width = image.size if _orientation(image) > 4 else image.size[::-1]
            self._resolution = {"dpi": image.info["dpi"]} if "dpi" in image.info else {}
        self.shape = (1, height, width)

    def read_values(self) -> np.ndarray:
        """(1, H, W) if grey or (1, H, W, 3) if colour, in the file's own type.

        Palettes become colours; transparency is dropped.

        Raises:
          InputError: pixels that cannot be read.
        """
        with open_image(self.path) as image:
            kind = {"P": "RGBA", "CMYK": "RGB"}.get(image.mode, image.mode)
            values = _read_upright(self.path, image if kind == image.mode else image.convert(kind))
        return check_finite(self.path, drop_transparency(as_grey(values))[None])

    def read_labels(self) -> np.ndarray:
        """(1, H, W), the values of a mask as they are stored: indices of a palette, not its colours.

        Raises:
          InputError: a JPEG, or channels that differ.
        """
        with open_image(self.path) as image:
            if image.format != "PNG":
                raise InputError(
                    f"{self.path}: expected a mask as PNG or TIFF, found a JPEG, whose values are blurred"
                )
            values = _read_upright(self.path, image)
        return check_labels(self.path, one_channel(self.path, drop_transparency(values))[None])

    def write(self, path: Path, stack: np.ndarray) -> None:
        """A mask (1, H, W), bool, as 0 and 255, or uint8 as it is: a PNG in the image's resolution.

        A viewer lays it over the image.
        """
        with atomic_file(path) as building:
            Image.fromarray(as_grey(stack[0])).save(building, "PNG", **self._resolution)

    write_soft = write  # a PNG cannot tell that 255 is 1


def _read_upright(path: Path, image: Image.Image) -> np.ndarray:
    """(H, W) or (H, W, channels) as stored; several channels of 16 bits too, which Pillow would cut to 8."""
    is_deep = len(image.getbands()) > 1 and ";16" in str(getattr(image, "tile", ""))
    values = imagecodecs.png_decode(path.read_bytes()) if is_deep else np.asarray(image)
    return turn_upright(values, _orientation(image))


def _orientation(image: Image.Image) -> int:
    """1 to 8, as EXIF counts them; from 5 on, rows are columns."""
    orientation = image.getexif().get(ORIENTATION, 1)
    return orientation if orientation in range(1, 9) else 1
