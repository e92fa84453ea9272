"""TODO"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from automedsam.cases.case import SPLITS, Split
from automedsam.cases.classes import ObjectClass
from automedsam.datasets.annotations.drawn import Annotations
from automedsam.preparation.survey import Survey, SurveyedSlice
from automedsam.runtime.errors import name_some

MIN_AGREEMENT = 0.7  # of tight boxes with the mask's own


def describe_survey(
    survey: Survey,
    chosen: list[SurveyedSlice],
    classes: Sequence[ObjectClass],
    annotated_classes: list[int | str],
    not_annotated: int,
) -> list[str]:
    """What was found and what will be used of it, in lines for people.

    Args:
      classes: those that are looked for.
      annotated_classes: those that drawn boxes have.
      not_annotated: images that were found and have neither boxes nor a mask.
    """
    slices = survey.slices
    volumes = {s.scan.name: s.plane for s in slices if s.is_volume}
    images = sum(not s.is_volume for s in slices)
    planes = Counter(plane for plane in volumes.values() if plane)
    return [
        f"found: {count_phrase(images, 'image')}, {count_phrase(len(volumes), 'volume')} of {count_phrase(len(slices) - images, 'slice')}, "
        f"{count_phrase(len({s.scan.group for s in slices}), 'group')}",
        f"size (rows x columns, px): {_tell_range({s.image_size for s in slices})}",
        f"spacing (slices, rows, columns, mm): {_tell_range({s.spacing_mm for s in slices if s.spacing_mm})}",
        *(
            [f"cut: {', '.join(f'{count} {plane}' for plane, count in sorted(planes.items()))}"]
            if planes
            else []
        ),
        *(
            [f"mask values: {', '.join(map(str, sorted(survey.mask_values)))}"]
            if survey.mask_values
            else []
        ),
        *(
            [f"annotated classes: {', '.join(map(str, annotated_classes))}"]
            if annotated_classes
            else []
        ),
        *(
            _describe_split(split, [s for s in chosen if s.split == split], classes)
            for split in SPLITS
        ),
        *_describe_rest(slices, chosen),
        *(
            [f"no use: {count_phrase(not_annotated, 'image')} with neither boxes nor a mask"]
            if not_annotated
            else []
        ),
    ]


def describe_unused(annotations: Annotations, classes: Sequence[ObjectClass]) -> list[str]:
    """A line of the drawn boxes that are of no class that is looked for, if there are such."""
    unused = [
        drawn for drawn in annotations.boxes if not any(of.takes(drawn.classes) for of in classes)
    ]
    names = sorted({str(name) for drawn in unused for name in drawn.classes})
    count = count_phrase(len(unused), "drawn box", "drawn boxes")
    return [f"not used: {count} of other classes, {', '.join(names)}"] if unused else []


def count_phrase(count: int, what: str, several: str | None = None) -> str:
    """How many of it, in words that agree."""
    return f"{count} {what}" if count == 1 else f"{count} {several or f'{what}s'}"


def _describe_split(
    split: Split, of_split: list[SurveyedSlice], classes: Sequence[ObjectClass]
) -> str:
    boxed = [s for s in of_split if s.boxes_xyxy]
    boxes = sum(len(s.boxes_xyxy) for s in boxed)
    groups = len({s.scan.group for s in of_split})
    return (
        f"{split}: {count_phrase(len(of_split), 'case')} of {count_phrase(groups, 'group')}, {len(boxed)} with an object"
        + (f" in {boxes} boxes" if boxes > len(boxed) else "")
        + (f" ({_tell_classes(of_split, classes)})" if len(classes) > 1 else "")
        + (f", {sum(s.has_mask for s in of_split)} with a mask" if split == "test" else "")
    )


def _tell_classes(slices: list[SurveyedSlice], classes: Sequence[ObjectClass]) -> str:
    """How many boxes each has."""
    return ", ".join(f"{of.name}: {sum(len(s.boxes[of.value]) for s in slices)}" for of in classes)


def _describe_rest(slices: list[SurveyedSlice], chosen: list[SurveyedSlice]) -> list[str]:
    used = {s.name for s in chosen}
    of_train = sum(s.split == "train" and s.name not in used for s in slices)
    left_out = f"left out: {of_train} of the training split, {len(slices) - len(used) - of_train} of the others"
    too_small = sum(s.is_too_small for s in slices)
    return [
        left_out
        + (f"; {count_phrase(too_small, 'object')} below min_object_px" if too_small else ""),
        *_describe_disputes(slices),
    ]


def _describe_disputes(slices: list[SurveyedSlice]) -> list[str]:
    """How well drawn boxes and masks of test slices agree, where there are both."""
    overlaps = [overlap for s in slices for overlap in s.overlaps]
    if not overlaps:
        return []
    mean = sum(overlaps) / len(overlaps)
    doubt = (
        ""
        if mean >= MIN_AGREEMENT
        else ": are these their masks, and mask_ids in the order of class_ids?"
    )
    lines = [f"drawn boxes of test slices overlap those of their masks by {mean:.2f} (IoU){doubt}"]
    if disputed := [s.name for s in slices if s.is_disputed]:
        count = count_phrase(len(disputed), "test slice")
        lines.append(
            f"look at these: {count} whose drawn boxes do not meet the mask's: {name_some(disputed)}"
        )
    return lines


def _tell_range(found: set[Any]) -> str:
    """The one kind there is, or the least and the greatest."""
    ordered = [" x ".join(f"{length:.4g}" for length in lengths) for lengths in sorted(found)]
    if len(ordered) < 2:
        return ordered[0] if ordered else "unknown"
    return f"{len(ordered)} kinds, {ordered[0]} to {ordered[-1]}"
