"""A report on the data in words: what was found, and what is used of it."""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from automedsam.cases.case import SPLITS, Split
from automedsam.cases.classes import Classes
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.mask_survey import describe_masks, list_values
from automedsam.preparation.survey import Survey, SurveyedSlice
from automedsam.runtime.errors import count_phrase, name_some

MIN_AGREEMENT = 0.7  # mean IoU of drawn boxes with the boxes of masks


def describe_survey(
    survey: Survey,
    chosen: Sequence[SurveyedSlice],
    classes: Classes,
    annotations: Annotations | None,
    unboxed: Sequence[RawScan],
) -> list[str]:
    """The report, in lines.

    Args:
      survey: all slices.
      chosen: the slices that are used.
      classes: the classes.
      annotations: the drawn boxes; `None` if there are none.
      unboxed: images with neither boxes nor a mask.
    """
    lines = _describe_scans(survey.slices)
    if survey.mask_values:
        lines.append(f"mask values: {list_values(survey.mask_values)}")
    if survey.looks:
        lines.append(describe_masks(survey.looks))
    if annotations is not None:
        lines = _describe_other_classes(annotations, classes) + lines
        if annotations.classes:
            lines.append(f"annotated classes: {', '.join(map(str, annotations.classes))}")
    for split in SPLITS:
        if split == "train" or any(s.split == split for s in survey.slices):
            lines.append(_describe_split(split, [s for s in chosen if s.split == split], classes))
    if unlabelled := [s for s in chosen if s.split == "unlabelled"]:
        lines.append(f"{_count_cases('unlabelled', unlabelled)}, for self-training")
    lines.append(_describe_rest(survey.slices, chosen))
    lines += _describe_disputes(survey.slices)
    used = {s.scan.name for s in chosen}
    if unused := sum(scan.name not in used for scan in unboxed):
        lines.append(f"not used: {count_phrase(unused, 'image')} with neither boxes nor a mask")
    return lines


def _describe_scans(slices: Sequence[SurveyedSlice]) -> list[str]:
    planes_by_volume = {s.scan.name: s.plane for s in slices if s.is_volume}
    images = sum(not s.is_volume for s in slices)
    found = (
        count_phrase(images, "image"),
        f"{count_phrase(len(planes_by_volume), 'volume')} with "
        f"{count_phrase(len(slices) - images, 'slice')}",
        count_phrase(len({s.scan.group for s in slices}), "group"),
    )
    spacings = {s.spacing_mm for s in slices if s.spacing_mm}
    lines = [
        f"found: {', '.join(found)}",
        f"size (rows x columns, px): {_format_range({s.image_size for s in slices})}",
        f"spacing (slices, rows, columns, mm): {_format_range(spacings)}",
    ]
    planes = Counter(plane for plane in planes_by_volume.values() if plane)
    if planes:
        cuts = ", ".join(f"{count} {plane}" for plane, count in sorted(planes.items()))
        lines.append(f"slice planes: {cuts}")
    return lines


def _describe_other_classes(annotations: Annotations, classes: Classes) -> list[str]:
    """A line about drawn boxes that belong to none of the classes."""
    unused = [
        box for box in annotations.boxes if not any(cls.takes(box.classes) for cls in classes)
    ]
    if not unused:
        return []
    names = sorted({str(name) for box in unused for name in box.classes})
    count = count_phrase(len(unused), "drawn box", "drawn boxes")
    return [f"not used: {count} of other classes, {', '.join(names)}"]


def _describe_split(split: Split, slices: Sequence[SurveyedSlice], classes: Classes) -> str:
    boxed = [s for s in slices if s.all_boxes_xyxy]
    boxes = sum(len(s.all_boxes_xyxy) for s in boxed)
    line = f"{_count_cases(split, slices)}, {len(boxed)} with an object"
    if boxes > len(boxed):
        line += f" in {boxes} boxes"
    if not classes.is_single:
        counts = {cls.name: sum(len(s.boxes[cls.value]) for s in slices) for cls in classes}
        line += f" ({', '.join(f'{name}: {count}' for name, count in counts.items())})"
    if split == "test":
        line += f", {sum(s.has_mask for s in slices)} with a mask"
    return line


def _count_cases(split: Split, slices: Sequence[SurveyedSlice]) -> str:
    groups = len({s.scan.group for s in slices})
    return f"{split}: {count_phrase(len(slices), 'case')} of {count_phrase(groups, 'group')}"


def _describe_rest(slices: Sequence[SurveyedSlice], chosen: Sequence[SurveyedSlice]) -> str:
    used = {s.name for s in chosen}
    train = sum(s.split == "train" and s.name not in used for s in slices)
    others = sum(s.split != "train" and s.name not in used for s in slices)
    line = f"left out: {train} of the training split, {others} of the others"
    too_small = sum(s.is_too_small for s in slices)
    if too_small:
        line += f"; {count_phrase(too_small, 'object')} below min_object_px"
    return line


def _describe_disputes(slices: Sequence[SurveyedSlice]) -> list[str]:
    """Lines about the agreement of drawn boxes and masks of test slices."""
    overlaps = [overlap for s in slices for overlap in s.overlaps]
    if not overlaps:
        return []
    mean = sum(overlaps) / len(overlaps)
    line = f"drawn boxes of test slices overlap the boxes of their masks by {mean:.2f} (IoU)"
    if mean < MIN_AGREEMENT:
        line += ": check that the masks belong to these images, and the order of mask_ids"
    disputed = [s.name for s in slices if s.is_disputed]
    if not disputed:
        return [line]
    count = count_phrase(len(disputed), "test slice")
    return [line, f"check {count} whose drawn boxes do not meet the mask: {name_some(disputed)}"]


def _format_range(tuples: set[Any]) -> str:
    """The only item, or the smallest and the largest."""
    items = [" x ".join(f"{length:.4g}" for length in lengths) for lengths in sorted(tuples)]
    if not items:
        return "unknown"
    return items[0] if len(items) == 1 else f"{len(items)} kinds, {items[0]} to {items[-1]}"
