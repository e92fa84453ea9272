"""The prepared data set on disk: images, test masks and the cases of the index."""

import logging
from collections.abc import Sequence
from pathlib import Path

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, label_mask
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import IMAGES, TEST_MASKS, image_path
from automedsam.runtime.script import progress_bar
from automedsam.scans.prepared_scan import Preparation, PreparedScan, pixel_spacing_mm

logger = logging.getLogger(__name__)


def write_cases(
    chosen: Sequence[SurveyedSlice], preparation: Preparation, classes: Classes, folder: Path
) -> list[Case]:
    """Write images and test masks into the folder; each scan is read once.

    Returns:
      The cases, without unlabelled ones whose scan has a fault, which are reported.

    Raises:
      InputError: every other file with a fault.
    """
    slices_by_scan: dict[str, list[SurveyedSlice]] = {}
    for surveyed in chosen:
        slices_by_scan.setdefault(surveyed.scan.name, []).append(surveyed)
    (folder / TEST_MASKS.name).mkdir()  # an output of the stage, even if there are no masks
    cases, errors = [], ErrorCollector()
    for slices in progress_bar(slices_by_scan.values(), "prepare", "scan"):
        try:
            cases += _write_scan(slices, preparation, classes, folder)
        except InputError as error:
            if all(s.split == "unlabelled" for s in slices):
                logger.warning("not used: %s", error)
            else:
                errors.add(str(error))
    errors.raise_if_any()
    return cases


def _write_scan(
    slices: Sequence[SurveyedSlice], preparation: Preparation, classes: Classes, folder: Path
) -> list[Case]:
    raw = slices[0].scan
    scan = raw.open()
    prepared = PreparedScan(scan, preparation, slices[0].spacing_mm)
    masks = None
    if slices[0].has_mask and raw.read_labels:
        masks = label_mask(raw.read_labels(), classes)
    cases = []
    for surveyed in slices:
        image = prepared.slice(surveyed.number)
        write_image(image_path(folder / IMAGES.name, surveyed.name), image)
        if masks is not None:
            pixel_mm = pixel_spacing_mm(surveyed.spacing_mm)
            mask = preparation.framing.frame_mask(masks[surveyed.number], pixel_mm)
            write_image(image_path(folder / TEST_MASKS.name, surveyed.name), mask)
        cases.append(
            Case(
                name=surveyed.name,
                group=raw.group,
                split=surveyed.split,
                height=image.shape[0],
                width=image.shape[1],
                boxes=surveyed.boxes,
                volume=raw.name if scan.is_volume else None,
                slice=surveyed.number if scan.is_volume else None,
                volume_slices=scan.shape[0] if scan.is_volume else None,
                has_mask=masks is not None,
                spacing_mm=prepared.spacing_mm,
                value_range=prepared.value_range,
            )
        )
    return cases
