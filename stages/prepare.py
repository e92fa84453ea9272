"""Raw scans, masks or drawn boxes -> data/prepared: 8-bit images, boxes and splits in an index, masks of the test set.

    python stages/prepare.py
    python stages/prepare.py --check -S dataset=folder -S data_dir=../my_data     looks, tells, and writes nothing

Boxes are drawn by somebody (`annotations`) or simulated from masks; no mask of a training or validation image leaves
this stage.
"""

import argparse
from collections import Counter
from pathlib import Path

from tqdm import tqdm

from automedsam.annotations import Annotations, read_annotations
from automedsam.archives import FRAMINGS, acdc_scans, camus_scans, hc18_scans
from automedsam.cases import SPLITS, Case, Split, write_index
from automedsam.data_report import draw_data_report
from automedsam.errors import InputError
from automedsam.framing import Framing
from automedsam.images import write_image
from automedsam.intensity import Intensity
from automedsam.outputs import fresh_folder
from automedsam.params import StageParams, load_params, parse_change
from automedsam.paths import DATA_REPORT, IMAGES, INDEX, PREPARATION, PREPARED, TEST_MASKS
from automedsam.phantoms import PIXEL_RANGE
from automedsam.preparation import Preparation, PreparedScan, pixel_spacing_mm
from automedsam.sources import RawScan, folder_scans, synthetic_scans
from automedsam.splits import assign_splits
from automedsam.stage import run
from automedsam.survey import (
    BoxRules,
    Survey,
    SurveyedSlice,
    choose_slices,
    describe_survey,
    list_classes,
    object_masks,
    survey_scans,
)


def main() -> None:
    arguments = parse_arguments()
    params = load_params("prepare", changes=dict(arguments.set))
    preparation = choose_preparation(params)
    annotations = find_annotations(params)
    scans = list_scans(params, annotations)
    rules = BoxRules(**params.pick("class_ids", "boxes_per_object", "min_object_px", "box_jitter", "seed"))
    survey = survey_scans(tqdm(scans, "look", unit="scan"), split_scans(scans, params), preparation.framing, rules)
    survey.classes.update(annotations.classes if annotations else [])
    chosen = choose_slices(survey.slices, params.train_cases, params.keep_empty, params.seed)
    if survey.faults:
        raise InputError("; ".join(survey.faults))
    print("\n".join(describe_survey(survey, chosen)))
    check_splits(survey, chosen)
    if not arguments.check:
        with fresh_folder(PREPARED) as folder:
            (folder / TEST_MASKS.name).mkdir()  # DVC wants it, be there masks or not
            cases = write_cases(chosen, preparation, rules, folder)
            write_index(folder / INDEX.name, cases)
            (folder / PREPARATION.name).write_text(preparation.to_json() + "\n", encoding="utf-8", newline="\n")
            draw_data_report(DATA_REPORT, cases, folder / IMAGES.name)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="look the data over, tell what is there, write nothing")
    parser.add_argument("-S", "--set", action="append", default=[], type=parse_change, metavar="KEY=VALUE",
                        help="with --check: take this value in place of that in params.yaml")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.set and not arguments.check:
        parser.error("-S goes with --check alone: what is written must be what params.yaml says")
    return arguments


def choose_preparation(params: StageParams) -> Preparation:
    if params.dataset == "synthetic":
        return Preparation(intensity=Intensity(PIXEL_RANGE))
    intensity = Intensity.between(params.window_low, params.window_high)
    return Preparation(params.slice_axis, intensity, FRAMINGS.get(params.dataset, Framing()))


def find_annotations(params: StageParams) -> Annotations | None:
    """The boxes that somebody drew; the path is one below `data_dir`, or names it in full.

    Raises:
      InputError: a path elsewhere: DVC watches `data_dir` alone.
    """
    if params.annotations is None:
        return None
    for path in (params.data_dir / params.annotations, params.annotations):
        if path.exists() and path.resolve().is_relative_to(params.data_dir.resolve()):
            return read_annotations(path)
    raise InputError(
        f"annotations: expected a file or folder in data_dir, {params.data_dir}, found {params.annotations}"
    )


def list_scans(params: StageParams, annotations: Annotations | None) -> list[RawScan]:
    if params.dataset == "synthetic":
        return synthetic_scans()
    if params.dataset == "folder":
        return folder_scans(params.data_dir, params.group_by, params.slice_axis, annotations, params.class_ids)
    archives = {"hc18": hc18_scans, "acdc": acdc_scans, "camus": camus_scans}
    return archives[params.dataset](params.data_dir, params.slice_axis)


def split_scans(scans: list[RawScan], params: StageParams) -> dict[str, Split]:
    groups = {scan.name: scan.group for scan in scans}
    fixed = {scan.name: scan.split for scan in scans if scan.split is not None}
    return assign_splits(groups, fixed, params.val_fraction, params.test_fraction)


def check_splits(survey: Survey, chosen: list[SurveyedSlice]) -> None:
    """Raises InputError for each split without an object."""
    boxed = {surveyed.split for surveyed in chosen if surveyed.boxes_xyxy}
    classes = list_classes(survey.classes)
    too_small = Counter(surveyed.split for surveyed in survey.slices if surveyed.is_too_small)
    faults = [
        f"class_ids: expected an object in the {split} images, found only the classes {classes}"
        + (f" and {too_small[split]} objects below min_object_px" if too_small[split] else "")
        for split in SPLITS
        if split not in boxed
    ]
    if faults:
        raise InputError("; ".join(faults))


def write_cases(chosen: list[SurveyedSlice], preparation: Preparation, rules: BoxRules, folder: Path) -> list[Case]:
    """Write the images and the masks to test on, and return the lines of the index.

    Raises:
      InputError: every file that is at fault.
    """
    slices_of: dict[str, list[SurveyedSlice]] = {}
    for surveyed in chosen:
        slices_of.setdefault(surveyed.scan.name, []).append(surveyed)
    cases, faults = [], []
    for slices in tqdm(slices_of.values(), "prepare", unit="scan"):
        try:
            cases += write_scan(slices, preparation, rules, folder)
        except InputError as fault:
            faults.append(str(fault))
    if faults:
        raise InputError("; ".join(faults))
    return cases


def write_scan(slices: list[SurveyedSlice], preparation: Preparation, rules: BoxRules, folder: Path) -> list[Case]:
    """Write the slices of one scan, which is read once."""
    raw = slices[0].scan
    scan = raw.open()
    prepared = PreparedScan(scan, preparation, slices[0].spacing_mm)
    masks = object_masks(raw.read_labels(), rules.class_ids) if slices[0].has_mask and raw.read_labels else None
    cases = []
    for surveyed in slices:
        image = prepared.slice(surveyed.number)
        write_image(folder / IMAGES.name / f"{surveyed.name}.png", image)
        if masks is not None:
            mask = preparation.framing.frame_mask(masks[surveyed.number], pixel_spacing_mm(surveyed.spacing_mm))
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
            )
        )
    return cases


if __name__ == "__main__":
    run(main)
