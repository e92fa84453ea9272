"""A look through a data set before anything is written: which slices there are, and which boxes they have."""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from automedsam.cases.boxes import Box, BoxesByClass, Size, Spacing, mask_box_iou
from automedsam.cases.case import Split
from automedsam.cases.classes import ObjectClass, label_mask
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.runtime.errors import ErrorCollector
from automedsam.scans.framing import Framing
from automedsam.scans.prepared_scan import pixel_spacing_mm
from automedsam.scans.scan import slice_name


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
    boxes: BoxesByClass
    is_too_small: bool  # there is an object, but nobody would have boxed it; of any class
    has_mask: bool  # to be tested on
    overlaps: tuple[
        float, ...
    ]  # IoU of drawn boxes with the mask's own, of each class that one of both shows

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
    rules: BoxSimulation,
    classes: Sequence[ObjectClass],
) -> Survey:
    """Read the header of every scan, and the masks of those that have no drawn boxes or are there to test on.

    Where a test slice has a mask, its boxes are the mask's own, tight, whatever somebody drew: it is measured by them.

    Raises:
      InputError: every scan and mask that is at fault, and slices of one name.
    """
    survey, errors = Survey(), ErrorCollector()
    for scan in scans:
        with errors.catch():
            survey.slices += _survey_scan(survey, scan, splits[scan.name], framing, rules, classes)
    for name, count in Counter(surveyed.name for surveyed in survey.slices).items():
        if count > 1:
            errors.add(
                f"{name}: expected a name of its own for each image and slice, found {count}"
            )
    errors.raise_if_any()
    return survey


def _survey_scan(
    survey: Survey,
    scan: RawScan,
    split: Split,
    framing: Framing,
    rules: BoxSimulation,
    classes: Sequence[ObjectClass],
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
            is_too_small = any(
                mask.any() and not simulated[value] for value, mask in objects.items()
            )
            if split == "test":
                boxes = {
                    value: replace(rules, min_object_px=1).simulate(mask)
                    for value, mask in objects.items()
                }
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


def _jitter(
    simulated: BoxesByClass, image_size: tuple[int, ...], rules: BoxSimulation, name: str
) -> BoxesByClass:
    """Each class's boxes as a less careful person draws them, each class by a chance of its own."""
    by_chance = {value: name if len(simulated) == 1 else f"{name}/{value}" for value in simulated}
    return {
        value: rules.jitter(boxes, image_size, by_chance[value])
        for value, boxes in simulated.items()
    }
