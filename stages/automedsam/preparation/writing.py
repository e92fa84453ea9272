"""The prepared data set on disk: images, masks to test on, and the lines of the index."""

from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, label_mask
from automedsam.preparation.survey import SurveyedSlice
from automedsam.runtime.errors import ErrorCollector
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import IMAGES, TEST_MASKS
from automedsam.scans.prepared_scan import Preparation, PreparedScan, pixel_spacing_mm


def write_cases(
    chosen: list[SurveyedSlice],
    preparation: Preparation,
    classes: Sequence[ObjectClass],
    folder: Path,
) -> list[Case]:
    """Write the images and the masks to test on, each scan read once, and return the cases.

    Raises:
      InputError: every file that is at fault.
    """
    slices_of: dict[str, list[SurveyedSlice]] = {}
    for surveyed in chosen:
        slices_of.setdefault(surveyed.scan.name, []).append(surveyed)
    (folder / TEST_MASKS.name).mkdir()  # DVC wants it, be there masks or not
    cases, errors = [], ErrorCollector()
    for slices in tqdm(slices_of.values(), "prepare", unit="scan"):
        with errors.catch():
            cases += _write_scan(slices, preparation, classes, folder)
    errors.raise_if_any()
    return cases


def _write_scan(
    slices: list[SurveyedSlice],
    preparation: Preparation,
    classes: Sequence[ObjectClass],
    folder: Path,
) -> list[Case]:
    raw = slices[0].scan
    scan = raw.open()
    prepared = PreparedScan(scan, preparation, slices[0].spacing_mm)
    masks = (
        label_mask(raw.read_labels(), classes) if slices[0].has_mask and raw.read_labels else None
    )
    cases = []
    for surveyed in slices:
        image = prepared.slice(surveyed.number)
        write_image(folder / IMAGES.name / f"{surveyed.name}.png", image)
        if masks is not None:
            mask = preparation.framing.frame_mask(
                masks[surveyed.number], pixel_spacing_mm(surveyed.spacing_mm)
            )
            write_image(folder / TEST_MASKS.name / f"{surveyed.name}.png", mask)
        cases.append(
            Case(
                name=surveyed.name,
                group=raw.group,
                split=surveyed.split,
                height=image.shape[0],
                width=image.shape[1],
                boxes_xyxy=surveyed.boxes_xyxy,
                volume=raw.name if scan.is_volume else None,
                slice=surveyed.number if scan.is_volume else None,
                volume_slices=scan.shape[0] if scan.is_volume else None,
                has_mask=masks is not None,
                spacing_mm=prepared.spacing_mm,
                value_range=prepared.value_range,
                box_classes=surveyed.box_classes,
            )
        )
    return cases
