"""A look through a data set: which slices there are, which boxes they have, and which of them are to be used."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import numpy as np

from automedsam.boxes import Box, component_boxes, tight_box
from automedsam.cases import SPLITS, Spacing, Split
from automedsam.errors import InputError
from automedsam.framing import Framing, Size
from automedsam.preparation import pixel_spacing_mm
from automedsam.scans import slice_name
from automedsam.sources import RawScan
from automedsam.splits import rank


@dataclass(frozen=True)
class BoxRules:
    """How boxes are simulated from masks; boxes that somebody drew are taken as they are."""

    class_ids: list[int | str] | None = (
        None  # mask values that are the object; None, or names alone: every value over 0
    )
    boxes_per_object: Literal["union", "component"] = "union"  # one round all of it, or one round each part
    min_object_px: int = 1  # an object or part of fewer pixels gets no box
    box_jitter: int = 0  # px by which each side is moved out, at most, of boxes to learn from
    seed: int = 0  # of the jitter


@dataclass(frozen=True)
class SurveyedSlice:
    """One slice that could be a case. Sizes and boxes are those of the frame that it will be prepared in."""

    scan: RawScan
    split: Split
    name: str
    number: int
    is_volume: bool
    image_size: Size  # of its own pixels, before it is framed
    spacing_mm: Spacing | None
    boxes_xyxy: tuple[Box, ...]
    is_too_small: bool  # there is an object, but nobody would have boxed it
    has_mask: bool


@dataclass
class Survey:
    slices: list[SurveyedSlice] = field(default_factory=list)
    classes: set[int | str] = field(default_factory=set)  # mask values that were found
    faults: list[str] = field(default_factory=list)  # a line each


def survey_scans(scans: Iterable[RawScan], splits: dict[str, Split], framing: Framing, rules: BoxRules) -> Survey:
    """Read the header of every scan, and the masks of those that have no drawn boxes or are there to test on."""
    survey = Survey()
    for scan in scans:
        try:
            _survey_scan(survey, scan, splits[scan.name], framing, rules)
        except InputError as fault:
            survey.faults.append(str(fault))
    names = Counter(surveyed.name for surveyed in survey.slices)
    survey.faults += [
        f"{name}: expected a name of its own for each image and slice, found {n}" for name, n in names.items() if n > 1
    ]
    return survey


def choose_slices(
    slices: list[SurveyedSlice], train_cases: int | None, keep_empty: bool, seed: int
) -> list[SurveyedSlice]:
    """Those to be used, by name.

    Slices without the object are used if `keep_empty`. Those whose object is too small to be boxed are neither trained
    nor validated on, and tested on only if `keep_empty`, as a volume's Dice needs all of its slices. Training slices
    are drawn by the seed until `train_cases` of them have a box, so that those without come in their natural share.
    """
    usable = [s for s in slices if _is_usable(s, keep_empty)]
    chosen = [s for s in usable if s.split != "train"]
    boxed = 0
    for candidate in sorted((s for s in usable if s.split == "train"), key=lambda s: rank(s.name, seed)):
        if boxed == train_cases:
            break
        chosen.append(candidate)
        boxed += bool(candidate.boxes_xyxy)
    return sorted(chosen, key=lambda s: s.name)


def describe_survey(survey: Survey, chosen: list[SurveyedSlice]) -> list[str]:
    """What was found and what will be used of it, in lines for people."""
    slices = survey.slices
    volumes = {s.scan.name for s in slices if s.is_volume}
    images = sum(not s.is_volume for s in slices)
    used = {s.name for s in chosen}
    lines = [
        f"found: {images} images, {len(volumes)} volumes of {len(slices) - images} slices, "
        f"{len({s.scan.group for s in slices})} groups",
        f"sizes (rows x columns, px): {_tell_range({s.image_size for s in slices})}",
        f"spacing (slices, rows, columns, mm): {_tell_range({s.spacing_mm for s in slices if s.spacing_mm})}",
        f"classes: {list_classes(survey.classes)}",
    ]
    for split in SPLITS:
        of_split = [s for s in chosen if s.split == split]
        boxed = [s for s in of_split if s.boxes_xyxy]
        groups = len({s.scan.group for s in of_split})
        line = f"{split}: {len(of_split)} cases of {groups} groups, {len(boxed)} with an object"
        boxes = sum(len(s.boxes_xyxy) for s in boxed)
        lines.append(line + (f" in {boxes} boxes" if boxes > len(boxed) else ""))
        if split == "test":
            lines[-1] += f", {sum(s.has_mask for s in of_split)} with a mask"
    lines.append(
        f"left out: {sum(s.split == 'train' and s.name not in used for s in slices)} of the training split, "
        f"{sum(s.split != 'train' and s.name not in used for s in slices)} of the others; "
        f"{sum(s.is_too_small for s in slices)} objects are below min_object_px"
    )
    return lines


def list_classes(classes: Iterable[int | str]) -> str:
    """For people: numbers first, then words."""
    return ", ".join(map(str, sorted(classes, key=lambda name: (isinstance(name, str), name)))) or "none"


def _tell_range(found: set[Any]) -> str:
    """The one kind there is, or the least and the greatest."""
    ordered = [" x ".join(f"{length:.4g}" for length in lengths) for lengths in sorted(found)]
    if len(ordered) < 2:
        return ordered[0] if ordered else "unknown"
    return f"{len(ordered)} kinds, {ordered[0]} to {ordered[-1]}"


def _is_usable(surveyed: SurveyedSlice, keep_empty: bool) -> bool:
    if surveyed.is_too_small:
        return keep_empty and surveyed.split == "test"
    return keep_empty or bool(surveyed.boxes_xyxy)


def _survey_scan(survey: Survey, scan: RawScan, split: Split, framing: Framing, rules: BoxRules) -> None:
    opened = scan.open()
    spacing_mm = scan.spacing_mm or opened.spacing_mm
    is_test_mask = split == "test" and scan.read_labels is not None
    masks: np.ndarray | None = None  # (slices, H, W), bool
    if scan.read_labels is not None and (is_test_mask or scan.boxes is None):
        labels = scan.read_labels()
        survey.classes.update(np.unique(labels).tolist())
        masks = object_masks(labels, rules.class_ids)
    drawn = scan.boxes or {}
    for number in range(opened.shape[0]) if masks is not None else sorted(drawn):
        name = slice_name(scan.name, number) if opened.is_volume else scan.name
        boxes, is_too_small = drawn.get(number), False
        if boxes is None:
            assert masks is not None
            mask = framing.frame_mask(masks[number], pixel_spacing_mm(spacing_mm))
            boxes = simulate_boxes(mask, rules)
            is_too_small = bool(mask.any()) and not boxes
            if split == "test":
                boxes = simulate_boxes(mask, replace(rules, min_object_px=1))
            else:
                boxes = jitter_boxes(boxes, mask.shape, rules, name)
        survey.slices.append(
            SurveyedSlice(
                scan=scan,
                split=split,
                name=name,
                number=number,
                is_volume=opened.is_volume,
                image_size=opened.shape[1:],
                spacing_mm=spacing_mm,
                boxes_xyxy=boxes,
                is_too_small=is_too_small,
                has_mask=is_test_mask,
            )
        )


def object_masks(labels: np.ndarray, class_ids: list[int | str] | None) -> np.ndarray:
    """Mask values of any shape to bool: where the object is."""
    values = [value for value in class_ids or [] if isinstance(value, int)]
    return np.isin(labels, values) if values else labels > 0


def simulate_boxes(mask: np.ndarray, rules: BoxRules) -> tuple[Box, ...]:
    """The boxes that a careful person would draw round the object of a mask (H, W); none if it is too small."""
    if rules.boxes_per_object == "component":
        return tuple(component_boxes(mask, rules.min_object_px))
    return (tight_box(mask),) if mask.sum() >= rules.min_object_px else ()


def jitter_boxes(
    boxes_xyxy: tuple[Box, ...], image_size: tuple[int, ...], rules: BoxRules, name: str
) -> tuple[Box, ...]:
    """The boxes of a less careful one: each side further out by 0 to `box_jitter` px; the same for a name each time."""
    rng = np.random.default_rng(list(rank(name, rules.seed)))
    moved = []
    for x0, y0, x1, y1 in boxes_xyxy:
        left, above, right, below = rng.integers(0, rules.box_jitter, 4, endpoint=True).tolist()
        height, width = image_size
        moved.append((max(x0 - left, 0), max(y0 - above, 0), min(x1 + right, width), min(y1 + below, height)))
    return tuple(moved)
