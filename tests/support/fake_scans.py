"""Scans that have a size and masks only, and surveyed slices that are made without a survey."""

from dataclasses import dataclass

import numpy as np

from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.survey import SurveyedSlice

# One class: every value of a mask over 0, and every drawn box.
OBJECT = Classes([ObjectClass("object", SINGLE_CLASS_VALUE, ids=None, mask_values=None)])
SIZE = (12, 16)
BOX = (2, 3, 9, 7)


@dataclass(frozen=True)
class FakeScan:
    """An opened scan without pixels."""

    shape: tuple
    is_volume: bool = False
    spacing_mm: tuple | None = None
    slicing: object = None


def single_class(boxes_by_slice):
    """Slice -> boxes, as slice -> class value -> boxes of a single class; `None` stays `None`."""
    if boxes_by_slice is None:
        return None
    return {number: {SINGLE_CLASS_VALUE: boxes} for number, boxes in boxes_by_slice.items()}


def make_scan(name, *masks, slices=1, spacing_mm=None, own_spacing_mm=None, slicing=None, **fields):
    """A raw scan with one slice per mask, or with `slices` slices and no masks.

    The dataset specifies `spacing_mm`, the file `own_spacing_mm`.
    """
    count = len(masks) or slices
    scan = FakeScan((count, *SIZE), count > 1, own_spacing_mm, slicing)
    read_labels = (lambda: np.stack(masks)) if masks else None
    defaults = {"group": name, "open": lambda: scan, "read_labels": read_labels}
    return RawScan(name, **defaults | fields, spacing_mm=spacing_mm)


def make_slice(name, split="train", boxes_xyxy=(BOX,), is_too_small=False, scan=None, **fields):
    """A surveyed slice with boxes of a single class, or with `boxes` of several classes."""
    defaults = {
        "number": 0,
        "is_volume": False,
        "plane": None,
        "image_size": SIZE,
        "spacing_mm": None,
        "has_mask": False,
        "overlaps": (),
        "boxes": {SINGLE_CLASS_VALUE: boxes_xyxy},
    }
    scan = scan or make_scan(name)
    return SurveyedSlice(scan, split, name, is_too_small=is_too_small, **defaults | fields)


def names_of(slices, split=None):
    """Names of the slices of one split, or of all splits."""
    return [surveyed.name for surveyed in slices if split in (None, surveyed.split)]


def draw_mask_of(box_xyxy):
    """A mask of the size of a scan, filled inside a box."""
    x0, y0, x1, y1 = box_xyxy
    mask = np.zeros(SIZE, np.uint8)
    mask[y0:y1, x0:x1] = 1
    return mask
