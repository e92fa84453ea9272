"""A report on drawn boxes in words: how they were read, and what images without a box mean."""

from collections.abc import Sequence

from automedsam.datasets.annotations.placing import Placement
from automedsam.preparation.box_brightness import count_dark_slices
from automedsam.preparation.survey import Survey, SurveyedSlice
from automedsam.runtime.errors import count_phrase, name_some
from automedsam.runtime.options import Unboxed
from automedsam.scans.slicing import PLANES

PLURAL = "they", "are", "have", "teach"
# Where an axis begins that runs in the direction of a letter of `PLANES`.
ORIGINS = {"S": "the feet", "I": "the head", "P": "the front", "L": "the patient's right"}


def describe_annotations(
    placement: Placement, survey: Survey, unboxed: Unboxed, keep_empty: bool
) -> list[str]:
    """The report, in lines.

    Args:
      placement: the drawn boxes.
      survey: all slices.
      unboxed: the parameter of this name.
      keep_empty: the parameter of this name.
    """
    lines = [*placement.notes, *_describe_unboxed(placement, survey, unboxed, keep_empty)]
    if placement.marked_empty:
        count = count_phrase(len(placement.marked_empty), _unit(placement))
        lines.append(f"marked as showing no object: {count}")
    return [*lines, *_describe_axes(survey.slices)]


def find_doubts(placement: Placement, survey: Survey, unboxed: Unboxed) -> list[str]:
    """Warnings about boxes and images without a box that are probably wrong."""
    doubts = [*placement.doubts]
    hidden = [s.name for s in survey.slices if s.lacks_box and _is_negative(s)]
    if hidden:
        setting = "set unboxed: unknown and " if unboxed == "empty" else ""
        doubts.append(
            f"{count_phrase(len(hidden), _unit(placement))} listed without a box, but with an "
            f"object in the mask: {name_some(hidden)}; draw their boxes, or {setting}do not mark "
            "them as empty"
        )
    dark, total = count_dark_slices(
        {s.scan.name: s.scan for s in survey.slices if s.is_volume}.values()
    )
    if dark > total / 2:
        doubts.append(
            f"in {dark} of {total} slices of volumes, the image is not brighter inside the boxes "
            "than outside; unless the object is dark, check the numbers of the slices and the "
            "directions of x and y"
        )
    return doubts


def _describe_unboxed(
    placement: Placement, survey: Survey, unboxed: Unboxed, keep_empty: bool
) -> list[str]:
    count, listed = len(placement.unboxed), sum(map(len, placement.boxes.values()))
    if not count:
        return []
    they, are, have, teach = ("it", "is", "has", "teaches") if count == 1 else PLURAL
    line = f"{count} of {count_phrase(listed, f'listed {_unit(placement)}')} {have} no box; {they} "
    if not keep_empty:
        return [f"{line}{are} left out (keep_empty: false)"]
    if unboxed == "empty":
        return [
            f"{line}{teach} that nothing is there (unboxed: empty); with unboxed: unknown {they} "
            "would be left out"
        ]
    line += (
        f"{are} left out (unboxed: unknown); with unboxed: empty {they} would teach that nothing "
        "is there"
    )
    if hidden := sum(s.lacks_box and not _is_negative(s) for s in survey.slices):
        line += f", but the masks of {hidden} of them show an object"
    return [line]


def _is_negative(surveyed: SurveyedSlice) -> bool:
    """Whether a slice that is listed without a box is taken for one without the object."""
    return surveyed.number in (surveyed.scan.boxes or {})


def _unit(placement: Placement) -> str:
    is_sliced = any(number for numbers in placement.boxes.values() for number in numbers)
    return "slice" if is_sliced else "image"


def _describe_axes(slices: Sequence[SurveyedSlice]) -> list[str]:
    """A line per plane about where the axes of drawn boxes on volumes begin."""
    boxed = {s.plane for s in slices if s.is_volume and s.scan.boxes}
    lines = []
    for plane, letters in PLANES.items():
        if plane in boxed:
            slice_origin, y_origin, x_origin = (ORIGINS[letter] for letter in letters)
            lines.append(
                f"boxes on {plane} slices: slice 0 is at {slice_origin}, x = 0 at {x_origin}, "
                f"y = 0 at {y_origin}, as in the pictures of slices.py"
            )
    if None in boxed:
        lines.append(
            "boxes on stacks without a position: slice 0 is the first one in the file, x = 0 at "
            "the left, y = 0 at the top"
        )
    return lines
