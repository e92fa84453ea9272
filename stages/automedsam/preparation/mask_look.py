"""The content of one mask: its values, and the extent of the object."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import label as connected_parts

from automedsam.cases.boxes import tight_box

SPECK_SHARE = 0.01  # of the object's area; smaller parts are specks
EIGHT_NEIGHBOURS = np.ones((3, 3))
MAX_COUNTED_RANGE = 2**20  # of values that are counted in one array


@dataclass(frozen=True)
class MaskLook:
    """What the masks of one scan contain.

    Attributes:
      name: File of the mask, or name of the scan.
      counts: Value to number of pixels.
      flat_counts: Value to the number of its pixels that lie in a square of 2 x 2 such pixels.
      even_counts: Value to the number of its pixels whose neighbours, side by side or one above the
        other, are 0 or of the same value. Small labelled objects consist of such pixels, blurred
        edges do not.
      pairs: Number of neighbours, side by side or one above the other, that both are not 0.
      unequal_pairs: Number of those that differ. Values of images and probabilities vary from pixel
        to pixel, labels do not.
      slices: Number of slices.
      objects: Number of slices with an object.
      filled: Number of slices whose object touches all four edges of the slice.
      shares: Smallest and largest share of a slice that an object covers; (0, 0) without an object.
      parts: Smallest and largest number of connected parts (8 neighbours) per object.
      has_far_specks: Whether parts of less than 1 % of an object enlarge its box.
    """

    name: str
    counts: Counter[int]
    flat_counts: Counter[int]
    even_counts: Counter[int]
    pairs: int
    unequal_pairs: int
    slices: int
    objects: int
    filled: int
    shares: tuple[float, float]
    parts: tuple[int, int]
    has_far_specks: bool


def look_at_mask(name: str, raw_mask: np.ndarray, labels: np.ndarray) -> MaskLook:
    """Describe the masks of one scan.

    Args:
      name: For messages.
      raw_mask: (slices, H, W), whole numbers as they are stored.
      labels: (slices, H, W), uint8, 0 outside of the objects of all classes.
    """
    objects = [mask for mask in labels > 0 if mask.any()]
    areas = [float(mask.mean()) for mask in objects]
    whole = (0, 0, labels.shape[2], labels.shape[1])
    parts = [_count_parts(mask) for mask in objects]
    pairs, unequal_pairs = _count_pairs(raw_mask)
    return MaskLook(
        name=name,
        counts=_count(raw_mask),
        flat_counts=_count(raw_mask[..., :-1, :-1][_is_flat(raw_mask)]),
        even_counts=_count(raw_mask[_is_even(raw_mask)]),
        pairs=pairs,
        unequal_pairs=unequal_pairs,
        slices=len(labels),
        objects=len(objects),
        filled=sum(tight_box(mask) == whole for mask in objects),
        shares=(min(areas, default=0.0), max(areas, default=0.0)),
        parts=(
            min((count for count, _ in parts), default=0),
            max((count for count, _ in parts), default=0),
        ),
        has_far_specks=any(is_enlarged for _, is_enlarged in parts),
    )


def _count(values: np.ndarray) -> Counter[int]:
    """Value to number of pixels; values may have any shape."""
    if values.size == 0:
        return Counter()
    low, high = int(values.min()), int(values.max())
    if high - low < MAX_COUNTED_RANGE:
        counts = np.bincount((values - low).ravel().astype(np.int64))
        return Counter({low + int(step): int(counts[step]) for step in np.flatnonzero(counts)})
    unique, numbers = np.unique(values, return_counts=True)
    return Counter(dict(zip(unique.tolist(), numbers.tolist(), strict=True)))


def _is_flat(values: np.ndarray) -> np.ndarray:
    """Whether a pixel (slices, H - 1, W - 1) equals those to the right, below, and below right."""
    corner = values[:, :-1, :-1]
    return (
        (corner == values[:, :-1, 1:])
        & (corner == values[:, 1:, :-1])
        & (corner == values[:, 1:, 1:])
    )


def _is_even(values: np.ndarray) -> np.ndarray:
    """Whether the four neighbours of a pixel (slices, H, W) are 0 or of the same value."""
    is_even = np.ones(values.shape, bool)
    for axis in (1, 2):
        rows = np.moveaxis(values, axis, 0)
        even_rows = np.moveaxis(is_even, axis, 0)  # a view
        differs = rows[:-1] != rows[1:]
        even_rows[:-1] &= ~differs | (rows[1:] == 0)
        even_rows[1:] &= ~differs | (rows[:-1] == 0)
    return is_even


def _count_pairs(values: np.ndarray) -> tuple[int, int]:
    """Number of neighbours (slices, H, W) that both are not 0, and of those that differ."""
    pairs = unequal_pairs = 0
    for one, other in (
        (values[:, :, :-1], values[:, :, 1:]),
        (values[:, :-1], values[:, 1:]),
    ):
        is_pair = (one != 0) & (other != 0)
        pairs += int(is_pair.sum())
        unequal_pairs += int((is_pair & (one != other)).sum())
    return pairs, unequal_pairs


def _count_parts(mask: np.ndarray) -> tuple[int, bool]:
    """Number of parts of a mask (H, W), bool, and whether specks enlarge its box."""
    parts, count = connected_parts(mask, structure=EIGHT_NEIGHBOURS)
    areas = np.bincount(parts.ravel())
    areas[0] = 0
    is_part = areas >= SPECK_SHARE * areas.sum()
    is_part[0] = False
    return count, tight_box(is_part[parts]) != tight_box(mask)
