"""A survey of the data before anything is written: all slices, and their boxes."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from automedsam.cases.boxes import (
    Box,
    BoxesByClass,
    Size,
    Spacing,
    boxes_of_all_classes,
    mask_box_iou,
)
from automedsam.cases.case import Split
from automedsam.cases.classes import Classes, label_mask
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.mask_look import MaskLook, look_at_mask
from automedsam.preparation.mask_survey import choose_threshold
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.runtime.errors import ErrorCollector
from automedsam.scans.framing import Framing
from automedsam.scans.prepared_scan import pixel_spacing_mm
from automedsam.scans.scan import Scan, slice_name


@dataclass(frozen=True)
class SurveyedSlice:
    """One slice that may become a case; its boxes are in the frame that it will be prepared in."""

    scan: RawScan
    split: Split
    name: str
    number: int
    is_volume: bool
    plane: str | None  # of a volume with a position in space
    image_size: Size  # in its own pixels, before framing
    spacing_mm: Spacing | None
    boxes: BoxesByClass
    is_too_small: bool  # shows an object of some class, but it is too small to be boxed
    has_mask: bool  # for testing
    # IoU of drawn boxes with the boxes of the mask, for each class that either of them shows.
    overlaps: tuple[float, ...]
    lacks_box: bool = False  # listed without a box, although its mask shows an object

    @property
    def group(self) -> str:
        """The group of its scan."""
        return self.scan.group

    @property
    def is_disputed(self) -> bool:
        """Whether drawn boxes and mask do not meet, or only one of them shows an object."""
        return 0 in self.overlaps

    @property
    def all_boxes_xyxy(self) -> tuple[Box, ...]:
        """The boxes of all classes."""
        return boxes_of_all_classes(self.boxes)


@dataclass
class Survey:
    """The slices of all scans, and the content of their masks."""

    slices: list[SurveyedSlice] = field(default_factory=list)
    mask_values: set[int] = field(default_factory=set)
    looks: list[MaskLook] = field(default_factory=list)
    classes: Classes = field(default_factory=Classes)  # with the threshold that the masks need
    default_geometry: list[str] = field(default_factory=list)  # scans without a real spacing


@dataclass(frozen=True)
class _SliceBoxes:
    """The boxes of one slice, and how they agree with its mask."""

    boxes: BoxesByClass
    is_too_small: bool = False
    overlaps: tuple[float, ...] = ()


class Surveyor:
    """Surveys one scan after another.

    A scan's masks are read if they are test masks, if boxes must be derived from them, or to check
    that slices without a box, which are used as negative examples, show no object.
    """

    def __init__(
        self,
        splits: Mapping[str, Split],
        framing: Framing,
        simulation: BoxSimulation,
        classes: Classes,
    ) -> None:
        self._splits = splits
        self._framing = framing
        self._simulation = simulation
        self._classes = classes

    def survey(self, scans: Iterable[RawScan]) -> Survey:
        """Survey all scans, twice if their masks turn out to be blurred.

        The boxes of a test slice that has a mask are the tight boxes of the mask, because the model
        is measured against them.

        Raises:
          InputError: every scan and mask with a fault, and slices with equal names.
        """
        listed: list[RawScan] = []
        survey = self._survey_all(scans, listed)
        if any(cls.mask_values is not None for cls in self._classes):
            return survey
        threshold = choose_threshold(survey.looks)
        if threshold is None:
            return survey
        self._classes = Classes(replace(cls, threshold=threshold) for cls in self._classes)
        return self._survey_all(listed, [])

    def _survey_all(self, scans: Iterable[RawScan], listed: list[RawScan]) -> Survey:
        """Survey all scans, and add each to `listed`."""
        survey, errors = Survey(classes=self._classes), ErrorCollector()
        for scan in scans:
            listed.append(scan)
            with errors.catch():
                self._survey_scan(scan, survey)
        for name, count in Counter(surveyed.name for surveyed in survey.slices).items():
            if count > 1:
                errors.add(f"{name}: {count} images or slices have this name; rename all but one")
        errors.raise_if_any()
        return survey

    def _survey_scan(self, scan: RawScan, survey: Survey) -> None:
        """Add the slices of one scan, and the content of its masks, to the survey."""
        opened = scan.open()
        split = self._splits[scan.name]
        spacing_mm = scan.spacing_mm or opened.spacing_mm
        has_test_mask = split == "test" and scan.read_labels is not None
        drawn = scan.boxes or {}
        uses_masks = has_test_mask or scan.boxes is None
        labels: Mapping[int, np.ndarray] = {}
        if scan.read_labels is not None and (uses_masks or scan.listed_without_box & drawn.keys()):
            # Masks of boxed images are compared with the boxes only, and not a part of the survey.
            labels = dict(enumerate(self._read_labels(scan, survey if uses_masks else Survey())))
        if opened.slicing and opened.slicing.is_default and scan.spacing_mm is None:
            survey.default_geometry.append(scan.name)

        for number in sorted(labels if uses_masks else drawn):
            name = slice_name(scan.name, number) if opened.is_volume else scan.name
            shows_object = number in labels and bool(labels[number].any())
            if uses_masks and number in labels:
                framed = self._framing.frame_mask(labels[number], pixel_spacing_mm(spacing_mm))
                found = self._boxes_of_mask(name, split, framed, drawn.get(number, {}))
            else:
                found = _SliceBoxes(drawn[number])
            survey.slices.append(
                SurveyedSlice(
                    scan=scan,
                    split=split,
                    name=name,
                    number=number,
                    is_volume=opened.is_volume,
                    plane=_plane(opened),
                    image_size=opened.shape[1:],
                    spacing_mm=spacing_mm,
                    boxes=found.boxes,
                    is_too_small=found.is_too_small,
                    has_mask=has_test_mask,
                    overlaps=found.overlaps,
                    lacks_box=shows_object and number in scan.listed_without_box,
                )
            )

    def _read_labels(self, scan: RawScan, survey: Survey) -> np.ndarray:
        """Label masks (slices, H, W) of a scan; their content is added to the survey."""
        assert scan.read_labels is not None
        raw_masks = scan.read_labels()
        labels = label_mask(raw_masks, self._classes)
        survey.looks.append(look_at_mask(scan.mask_name or scan.name, raw_masks, labels))
        survey.mask_values.update(survey.looks[-1].counts)
        return labels

    def _boxes_of_mask(
        self, name: str, split: Split, labels: np.ndarray, drawn: BoxesByClass
    ) -> _SliceBoxes:
        """Derive the boxes of one slice from its label mask (H, W), in the frame of the slice."""
        objects = {cls: labels == cls.value for cls in self._classes}
        simulated = {cls: self._simulation.simulate(mask) for cls, mask in objects.items()}
        is_too_small = any(mask.any() and not simulated[cls] for cls, mask in objects.items())
        overlaps = [
            mask_box_iou(objects[cls], drawn[cls.value])
            for cls in self._classes
            if drawn and (drawn[cls.value] or objects[cls].any())
        ]
        if split == "test":  # measured against the tight boxes of all objects
            exact = replace(self._simulation, min_object_px=1)
            boxes = {cls.value: exact.simulate(mask) for cls, mask in objects.items()}
        else:
            boxes = {
                cls.value: self._simulation.jitter(
                    boxes_xyxy, labels.shape, self._classes.key_of(name, cls)
                )
                for cls, boxes_xyxy in simulated.items()
            }
        return _SliceBoxes(boxes, is_too_small, tuple(overlaps))


def _plane(scan: Scan) -> str | None:
    return scan.slicing.plane if scan.slicing and scan.is_volume else None
