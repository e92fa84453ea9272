"""A look through a data set before anything is written: which slices there are, and which boxes they have."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from automedsam.annotations_drawn import Annotations
from automedsam.box_rules import BoxRules
from automedsam.boxes import Box, BoxesOf, mask_box_iou
from automedsam.cases import SPLITS, Spacing, Split
from automedsam.errors import Faults, name_some
from automedsam.framing import Framing, Size
from automedsam.object_classes import ObjectClass, label_mask
from automedsam.preparation import pixel_spacing_mm
from automedsam.scans import slice_name
from automedsam.sources import RawScan

LEAST_AGREEMENT = 0.7  # of tight boxes with the mask's own


@dataclass(frozen=True)
class SurveyedSlice:
    """One slice that could be a case. Boxes are those of the frame that it will be prepared in."""

    scan: RawScan
    split: Split
    name: str
    number: int
    is_volume: bool
    plane: str | None  # of a volume in space
    image_size: Size  # of its own pixels, before it is framed
    spacing_mm: Spacing | None
    boxes: BoxesOf
    is_too_small: bool  # there is an object, but nobody would have boxed it; of any class
    has_mask: bool  # to be tested on
    overlaps: tuple[float, ...]  # IoU of drawn boxes with the mask's own, of each class that one of both shows

    @property
    def is_disputed(self) -> bool:
        """Whether drawn boxes lie elsewhere than the mask, or one of both says that there is no object."""
        return 0 in self.overlaps

    @property
    def boxes_xyxy(self) -> tuple[Box, ...]:
        """Those of all classes."""
        return tuple(box for boxes in self.boxes.values() for box in boxes)

    @property
    def box_classes(self) -> tuple[int, ...]:
        """The class of each, if there are several classes."""
        if len(self.boxes) == 1:
            return ()
        return tuple(value for value, boxes in self.boxes.items() for _ in boxes)


@dataclass
class Survey:
    slices: list[SurveyedSlice] = field(default_factory=list)
    mask_values: set[int] = field(default_factory=set)


def survey_scans(
    scans: Iterable[RawScan],
    splits: dict[str, Split],
    framing: Framing,
    rules: BoxRules,
    classes: Sequence[ObjectClass],
) -> Survey:
    """Read the header of every scan, and the masks of those that have no drawn boxes or are there to test on.

    Where a test slice has a mask, its boxes are the mask's own, tight, whatever somebody drew: it is measured by them.

    Raises:
      InputError: every scan and mask that is at fault, and slices of one name.
    """
    survey, faults = Survey(), Faults()
    for scan in scans:
        with faults.gather():
            survey.slices += _survey_scan(survey, scan, splits[scan.name], framing, rules, classes)
    for name, count in Counter(surveyed.name for surveyed in survey.slices).items():
        if count > 1:
            faults.add(f"{name}: expected a name of its own for each image and slice, found {count}")
    faults.raise_all()
    return survey


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
        f"found: {tell(images, 'image')}, {tell(len(volumes), 'volume')} of {tell(len(slices) - images, 'slice')}, "
        f"{tell(len({s.scan.group for s in slices}), 'group')}",
        f"size (rows x columns, px): {_tell_range({s.image_size for s in slices})}",
        f"spacing (slices, rows, columns, mm): {_tell_range({s.spacing_mm for s in slices if s.spacing_mm})}",
        *([f"cut: {', '.join(f'{count} {plane}' for plane, count in sorted(planes.items()))}"] if planes else []),
        *([f"mask values: {', '.join(map(str, sorted(survey.mask_values)))}"] if survey.mask_values else []),
        *([f"annotated classes: {', '.join(map(str, annotated_classes))}"] if annotated_classes else []),
        *(_describe_split(split, [s for s in chosen if s.split == split], classes) for split in SPLITS),
        *_describe_rest(slices, chosen),
        *([f"no use: {tell(not_annotated, 'image')} with neither boxes nor a mask"] if not_annotated else []),
    ]


def describe_unused(annotations: Annotations, classes: Sequence[ObjectClass]) -> list[str]:
    """A line of the drawn boxes that are of no class that is looked for, if there are such."""
    unused = [drawn for drawn in annotations.boxes if not any(of.takes(drawn.classes) for of in classes)]
    names = sorted({str(name) for drawn in unused for name in drawn.classes})
    count = tell(len(unused), "drawn box", "drawn boxes")
    return [f"not used: {count} of other classes, {', '.join(names)}"] if unused else []


def tell(count: int, what: str, several: str | None = None) -> str:
    """How many of it, in words that agree."""
    return f"{count} {what}" if count == 1 else f"{count} {several or f'{what}s'}"


def _survey_scan(
    survey: Survey, scan: RawScan, split: Split, framing: Framing, rules: BoxRules, classes: Sequence[ObjectClass]
) -> list[SurveyedSlice]:
    opened = scan.open()
    spacing_mm = scan.spacing_mm or opened.spacing_mm
    is_test_mask = split == "test" and scan.read_labels is not None
    masks: np.ndarray | None = None  # (slices, H, W), uint8, the classes' values
    if scan.read_labels is not None and (is_test_mask or scan.boxes is None):
        raw = scan.read_labels()
        survey.mask_values.update(np.unique(raw).tolist())
        masks = label_mask(raw, classes)
    drawn = scan.boxes or {}
    slices = []
    for number in range(opened.shape[0]) if masks is not None else sorted(drawn):
        name = slice_name(scan.name, number) if opened.is_volume else scan.name
        boxes, is_too_small = drawn.get(number, {}), False
        overlaps: tuple[float, ...] = ()
        if masks is not None:
            labels = framing.frame_mask(masks[number], pixel_spacing_mm(spacing_mm))
            objects = {of.value: labels == of.value for of in classes}
            overlaps = tuple(
                mask_box_iou(objects[value], drawn_xyxy)
                for value, drawn_xyxy in boxes.items()
                if drawn_xyxy or objects[value].any()
            )
            simulated = {value: rules.simulate(mask) for value, mask in objects.items()}
            is_too_small = any(mask.any() and not simulated[value] for value, mask in objects.items())
            if split == "test":
                boxes = {value: replace(rules, min_object_px=1).simulate(mask) for value, mask in objects.items()}
            else:
                boxes = _jitter(simulated, labels.shape, rules, name)
        slices.append(
            SurveyedSlice(
                scan=scan,
                split=split,
                name=name,
                number=number,
                is_volume=opened.is_volume,
                plane=opened.slicing.plane if opened.slicing and opened.is_volume else None,
                image_size=opened.shape[1:],
                spacing_mm=spacing_mm,
                boxes=boxes,
                is_too_small=is_too_small,
                has_mask=is_test_mask,
                overlaps=overlaps,
            )
        )
    return slices


def _jitter(simulated: BoxesOf, image_size: tuple[int, ...], rules: BoxRules, name: str) -> BoxesOf:
    """Each class's boxes as a less careful person draws them, each class by a chance of its own."""
    by_chance = {value: name if len(simulated) == 1 else f"{name}/{value}" for value in simulated}
    return {value: rules.jitter(boxes, image_size, by_chance[value]) for value, boxes in simulated.items()}


def _describe_split(split: Split, of_split: list[SurveyedSlice], classes: Sequence[ObjectClass]) -> str:
    boxed = [s for s in of_split if s.boxes_xyxy]
    boxes = sum(len(s.boxes_xyxy) for s in boxed)
    groups = len({s.scan.group for s in of_split})
    return (
        f"{split}: {tell(len(of_split), 'case')} of {tell(groups, 'group')}, {len(boxed)} with an object"
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
        left_out + (f"; {tell(too_small, 'object')} below min_object_px" if too_small else ""),
        *_describe_disputes(slices),
    ]


def _describe_disputes(slices: list[SurveyedSlice]) -> list[str]:
    """How well drawn boxes and masks of test slices agree, where there are both."""
    overlaps = [overlap for s in slices for overlap in s.overlaps]
    if not overlaps:
        return []
    mean = sum(overlaps) / len(overlaps)
    doubt = "" if mean >= LEAST_AGREEMENT else ": are these their masks, and mask_ids in the order of class_ids?"
    lines = [f"drawn boxes of test slices overlap those of their masks by {mean:.2f} (IoU){doubt}"]
    if disputed := [s.name for s in slices if s.is_disputed]:
        count = tell(len(disputed), "test slice")
        lines.append(f"look at these: {count} whose drawn boxes do not meet the mask's: {name_some(disputed)}")
    return lines


def _tell_range(found: set[Any]) -> str:
    """The one kind there is, or the least and the greatest."""
    ordered = [" x ".join(f"{length:.4g}" for length in lengths) for lengths in sorted(found)]
    if len(ordered) < 2:
        return ordered[0] if ordered else "unknown"
    return f"{len(ordered)} kinds, {ordered[0]} to {ordered[-1]}"
