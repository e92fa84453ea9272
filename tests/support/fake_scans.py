"""Scans with nothing but a size and masks, and slices as the survey finds them."""

from dataclasses import dataclass

import numpy as np

from automedsam.cases.classes import SINGLE_CLASS_VALUE, ObjectClass
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.survey import SurveyedSlice

OBJECT = [ObjectClass("object", SINGLE_CLASS_VALUE, None, None)]  # every value over 0, as one class
SIZE = (12, 16)
BOX = (2, 3, 9, 7)


@dataclass(frozen=True)
class Stack:
    """An opened scan with nothing in it."""

    shape: tuple
    is_volume: bool = False
    spacing_mm: tuple | None = None
    slicing: object = None


def alone(boxes):
    """Boxes by slice as those of a class that is alone."""
    return boxes and {number: {SINGLE_CLASS_VALUE: of_slice} for number, of_slice in boxes.items()}


def make_scan(name, *masks, slices=1, spacing_mm=None, own_spacing_mm=None, slicing=None, **fields):
    """A scan with a mask for each of its slices, or of so many slices without any."""
    stack = Stack(
        (len(masks) or slices, *SIZE), max(len(masks), slices) > 1, own_spacing_mm, slicing
    )
    read_labels = (lambda: np.stack(masks)) if masks else None
    return RawScan(
        name,
        **{"group": name, "open": lambda: stack, "read_labels": read_labels} | fields,
        spacing_mm=spacing_mm,
    )


def make_slice(name, split="train", boxes_xyxy=(BOX,), is_too_small=False, scan=None, **fields):
    """With boxes of a class that is alone, or with `boxes` of several."""
    fields = {
        "number": 0,
        "is_volume": False,
        "plane": None,
        "image_size": SIZE,
        "spacing_mm": None,
        "has_mask": False,
        "overlaps": (),
        "boxes": {SINGLE_CLASS_VALUE: boxes_xyxy},
    } | fields
    scan = scan or make_scan(name)
    return SurveyedSlice(scan, split, name, is_too_small=is_too_small, **fields)


def names_of(slices, split=None):
    return [surveyed.name for surveyed in slices if split in (None, surveyed.split)]
