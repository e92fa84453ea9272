"""Boxes on volumes that may lie on the background, because their axes were counted otherwise.

Tools disagree about the end of a volume at which slice 0 is, and about the direction of x and y.
Wrong boxes are inside the image all the same, but mostly on dark background.
"""

from collections.abc import Iterable

import numpy as np

from automedsam.cases.boxes import BoxesByClass, boxes_of_all_classes, fill_boxes
from automedsam.datasets.raw_scan import RawScan
from automedsam.runtime.errors import InputError

MAX_VOLUMES = 8  # are read; more would not change the answer


def count_dark_slices(scans: Iterable[RawScan]) -> tuple[int, int]:
    """Compare the brightness inside and outside of the drawn boxes on volumes.

    Returns:
      The number of slices that are not brighter inside their boxes than outside, and the number of
      slices with boxes; of at most eight volumes.
    """
    dark = total = volumes = 0
    for scan in scans:
        drawn = scan.boxes or {}
        boxed = {number: boxes for number, boxes in drawn.items() if boxes_of_all_classes(boxes)}
        if not boxed or volumes == MAX_VOLUMES:
            continue
        try:
            opened = scan.open()
            if not opened.is_volume:
                continue
            values = opened.read_values()
        except InputError:  # reported when the scan is prepared
            continue
        volumes += 1
        total += len(boxed)
        dark += sum(_is_dark(values[number], boxes) for number, boxes in boxed.items())
    return dark, total


def _is_dark(values: np.ndarray, boxes: BoxesByClass) -> bool:
    """Return whether the mean inside the boxes is not above that outside; (H, W) or (H, W, 3)."""
    grey = values.mean(axis=-1) if values.ndim == 3 else values
    inside = fill_boxes(boxes_of_all_classes(boxes), (grey.shape[0], grey.shape[1]))
    return not inside.all() and float(grey[inside].mean()) <= float(grey[~inside].mean())
