"""Masks as viewers show them: transparency, palettes, colours, and files in which 0 is white."""

from pathlib import Path

import numpy as np
from PIL import Image

from automedsam.runtime.errors import InputError
from automedsam.scans.pixels import drop_transparency, one_channel

BLACK = 0
OPAQUE_OBJECT = 255  # value of an object that is drawn in black on a transparent background
# Channels of one shade differ by this share of the brightest value, after blurring or rounding.
SHADE_TOLERANCE = 0.03
MAX_TABLE_COLOURS = 1  # of a palette for a mask; a palette with more colours is a table of classes


def image_mask(path: Path, values: np.ndarray, image: Image.Image, as_shown: bool) -> np.ndarray:
    """Reduce the pixels of an image file to the values of a mask.

    Args:
      path: The file, for messages.
      values: Stored values, (H, W) or (H, W, channels).
      image: The open file, for its palette and transparency.
      as_shown: Whether two colours of a palette, and shades of one colour, are read as viewers
        show them. Otherwise, the values are those in the file.

    Returns:
      (H, W).

    Raises:
      InputError: If the mask is in several colours, or is transparent everywhere.
    """
    transparency = image.info.get("transparency")
    if image.mode == "P":
        return show_palette(values, *_palette(image, transparency)) if as_shown else values
    alpha = None
    if image.mode.endswith("A"):
        values, alpha = values[..., :-1], values[..., -1]
    elif transparency is not None and values.dtype != bool:
        is_clear = values == np.asarray(transparency)
        alpha = ~(is_clear if is_clear.ndim == 2 else is_clear.all(axis=2))
    return mask_values(path, values, alpha, as_shown)


def mask_values(
    path: Path, values: np.ndarray, alpha: np.ndarray | None, as_shown: bool
) -> np.ndarray:
    """Reduce grey or colour pixels to the values of a mask; transparent pixels are background.

    Args:
      path: The file, for messages.
      values: (H, W) or (H, W, channels).
      alpha: Opacity (H, W); None: all pixels are opaque.
      as_shown: Whether shades of one colour on black are accepted.

    Returns:
      (H, W).

    Raises:
      InputError: If the mask is in several colours, or is transparent everywhere.
    """
    values = drop_transparency(values)
    if alpha is not None:
        values = clear_background(path, values, alpha)
    if values.ndim == 3 and as_shown and _is_one_shade(values):
        return values.max(axis=2)
    return one_channel(path, values)


def clear_background(path: Path, values: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    """Set transparent pixels to 0.

    A pixel is transparent if its opacity is at most half of the highest one. An object that is
    black, which is 0, becomes 255 if all pixels around it are transparent.

    Raises:
      InputError: If all pixels are transparent, although their values differ.
    """
    opaque = alpha > alpha.max() // 2 if alpha.dtype != bool else alpha
    if opaque.all():
        return values
    if not opaque.any() and (values != values[:1, :1]).any():
        raise InputError(
            f"{path}: all pixels are transparent, although their values differ; save the mask "
            "without transparency"
        )
    cleared = values.copy()
    cleared[~opaque] = BLACK
    if opaque.any() and not cleared.any():
        cleared[opaque] = OPAQUE_OBJECT
    return cleared


def show_palette(indices: np.ndarray, colours: np.ndarray, is_clear: np.ndarray) -> np.ndarray:
    """Read a mask with a palette as viewers show it, unless the palette is a table of classes.

    Args:
      indices: (H, W).
      colours: (n, 3), the palette.
      is_clear: (n,) bool, whether a colour is transparent.

    Returns:
      (H, W). Transparent pixels are 0. Of two grey colours, the brighter one is the object; of
      black and another colour, the other one. The object is then the highest index in use. Several
      shades of grey become their grey values. All others remain indices.
    """
    used = np.unique(indices)
    if is_clear[used].any():
        opaque = used[~is_clear[used]]
        rest = (
            _show_colours(indices, colours, opaque) if len(opaque) > 1 else np.maximum(indices, 1)
        )
        return np.where(is_clear[indices], BLACK, rest)
    return _show_colours(indices, colours, used)


def _show_colours(indices: np.ndarray, colours: np.ndarray, used: np.ndarray) -> np.ndarray:
    """Read indices (H, W) by the colours of those that are in use."""
    is_grey = (colours == colours[:, :1]).all(axis=1)
    if len(np.unique(colours[~is_grey], axis=0)) > MAX_TABLE_COLOURS:
        return indices
    shown = colours[used]
    if len(used) == 2 and (is_grey[used].all() or not shown.any(axis=1).all()):
        brightest = used[shown.sum(axis=1).argmax()]
        return np.where(indices == brightest, used.max(), BLACK)
    return colours[indices, 0] if is_grey[used].all() else indices


def show_white_is_zero(values: np.ndarray, bits: int) -> np.ndarray:
    """Read a mask (H, W) in which 0 is white as viewers show it: the brighter pixels are higher.

    Args:
      values: Stored values; those of more than one bit that never reach black are classes, which
        remain as they are.
      bits: Number of bits per pixel.
    """
    black = 2**bits - 1
    is_shown = bits == 1 or (values.dtype.kind == "u" and int(values.max()) == black)
    return black - values.astype(np.int64) if is_shown else values


def _palette(image: Image.Image, transparency: bytes | int | None) -> tuple[np.ndarray, np.ndarray]:
    """Colours (256, 3) and transparency (256,), bool, of an image with a palette."""
    colours = np.zeros((256, 3), np.uint8)
    entries = np.array(image.getpalette("RGB"), np.uint8).reshape(-1, 3)
    colours[: len(entries)] = entries
    is_clear = np.zeros(256, bool)
    if isinstance(transparency, int):
        is_clear[transparency] = True
    elif transparency is not None:
        opacity = np.frombuffer(transparency, np.uint8)
        is_clear[: len(opacity)] = opacity < 128
    return colours, is_clear


def _is_one_shade(values: np.ndarray) -> bool:
    """Whether all pixels (H, W, 3) are one colour, darkened more or less, and some are black."""
    brightest = values.reshape(-1, 3)[values.sum(axis=2, dtype=np.int64).argmax()].astype(float)
    peak = brightest.max()
    if peak == 0:
        return True
    brightness = values.max(axis=2, keepdims=True)
    off_colour = np.abs(values - brightness * (brightest / peak)).max()
    return bool(max(off_colour, brightness.min()) <= SHADE_TOLERANCE * peak)
