"""Raw scans, masks or drawn boxes -> data/prepared: 8-bit images, boxes, splits and test masks.

python stages/prepare.py
python stages/prepare.py --check -S dataset=folder -S data_dir=../my_data
automedsam prepare --check -S dataset=folder -S data_dir=../my_data

Boxes are drawn (`annotations`) or derived from masks. No mask of a training or validation image
leaves this stage.
"""

import logging
from argparse import Namespace
from collections.abc import Collection, Sequence
from pathlib import Path

from automedsam.cases.case import Split
from automedsam.cases.classes import Classes, write_classes
from automedsam.cases.index import write_index
from automedsam.datasets.catalogue import open_dataset
from automedsam.datasets.class_ids import parse_classes
from automedsam.datasets.raw_scan import RawScan
from automedsam.preparation.amounts import Amounts, choose_amounts
from automedsam.preparation.annotation_report import describe_annotations, find_doubts
from automedsam.preparation.mask_survey import check_masks
from automedsam.preparation.selection import check_splits, choose_slices
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.preparation.splits import assign_splits
from automedsam.preparation.survey import SurveyedSlice, Surveyor
from automedsam.preparation.survey_report import describe_survey
from automedsam.preparation.unlabelled import choose_unlabelled
from automedsam.preparation.unsplit import describe_missing_splits, warn_about_folds
from automedsam.preparation.writing import write_cases
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.parameters.loading import add_set_option, load_params
from automedsam.runtime.parameters.stages import PrepareParams
from automedsam.runtime.paths import CLASSES, INDEX, PREPARATION, PREPARED
from automedsam.runtime.script import argument_parser, parse, progress_bar
from automedsam.scans.finding import describe_unread
from automedsam.scans.notices import report_notices
from automedsam.scans.slicing import describe_default_geometry

logger = logging.getLogger(__name__)


def main() -> bool:
    """Prepare or check the data; return whether anything was written."""
    arguments = _parse_arguments()
    params = load_params(PrepareParams, dict(arguments.set), or_defaults=arguments.check)
    is_annotated = params.annotations is not None
    classes = parse_classes(params.class_ids, params.mask_ids, is_annotated)
    data = open_dataset(
        dataset=params.dataset,
        data_dir=params.data_dir,
        annotations=params.annotations,
        unboxed=params.unboxed,
        classes=classes,
        group_by=params.group_by,
        slice_axis=params.slice_axis,
        window_low=params.window_low,
        window_high=params.window_high,
    )

    # Survey all scans, choose the slices to use, and report both.
    simulation = BoxSimulation(
        params.boxes_per_object, params.min_object_px, params.box_jitter, params.seed
    )
    amounts = choose_amounts(
        data.scans, params.val_fraction, params.test_fraction, params.train_cases
    )
    splits = _split_scans(data.scans, amounts)
    surveyor = Surveyor(splits, data.preparation.framing, simulation, classes)
    survey = surveyor.survey(progress_bar(data.scans, "survey", "scan"))
    chosen = choose_slices(survey.slices, amounts.train_cases, params.keep_empty, params.seed)
    if params.unlabelled == "use":
        chosen += choose_unlabelled(
            survey.slices, chosen, data.unboxed, classes, params.max_unlabelled, params.seed
        )
    lines = describe_survey(survey, chosen, classes, data.annotations, data.unboxed)
    if data.placement:
        lines += describe_annotations(data.placement, survey, params.unboxed, params.keep_empty)
    for line in lines:
        logger.info(line)
    warnings = find_doubts(data.placement, survey, params.unboxed) if data.placement else []
    key = "mask_ids" if is_annotated else "class_ids"
    warnings += [*check_masks(survey.looks, survey.classes, key), *data.notes]
    if survey.default_geometry:
        warnings.append(describe_default_geometry(survey.default_geometry))
    for line in warnings:
        logger.warning(line)
    annotated = data.annotations.classes if data.annotations else []
    available, used = annotated or sorted(survey.mask_values), set(splits.values())
    check_splits(survey.slices, chosen, classes, available, used)
    _report_missing_splits(chosen, used, amounts, classes)
    _report_read(len(data.scans) + len(data.unboxed) + data.beside_boxes, data.unread)
    if arguments.check:
        report_notices()
        return False

    # Write the prepared data set as a whole.
    with atomic_folder(PREPARED) as folder:
        write_index(
            folder / INDEX.name, write_cases(chosen, data.preparation, survey.classes, folder)
        )
        write_classes(folder / CLASSES.name, classes)
        preparation = f"{data.preparation.to_json()}\n"
        (folder / PREPARATION.name).write_text(preparation, encoding="utf-8", newline="\n")
    report_notices()
    return True


def _parse_arguments() -> Namespace:
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--check", action="store_true", help="check the data and print a summary; write nothing"
    )
    add_set_option(parser, "with --check: use this value instead of the one in params.yaml")
    arguments = parse(parser)
    if arguments.set and not arguments.check:
        parser.error("-S requires --check: the stage itself uses params.yaml only")
    return arguments


def _report_read(count: int, unread: Sequence[Path]) -> None:
    """Log the number of scans, as a warning if there are files in formats that are not read."""
    if unread:
        logger.warning("read %d, skipped %d: %s", count, len(unread), describe_unread(unread))
    else:
        logger.info("read %d, skipped 0", count)


def _split_scans(scans: list[RawScan], amounts: Amounts) -> dict[str, Split]:
    groups = {scan.name: scan.group for scan in scans}
    fixed = {scan.name: scan.split for scan in scans if scan.split is not None}
    return assign_splits(groups, fixed, amounts.val_fraction, amounts.test_fraction)


def _report_missing_splits(
    chosen: Sequence[SurveyedSlice], used: Collection[Split], amounts: Amounts, classes: Classes
) -> None:
    train = [surveyed for surveyed in chosen if surveyed.split == "train"]
    warnings = [] if "val" in used else warn_about_folds(train, classes)
    for line in describe_missing_splits(train, used, amounts):
        logger.info(line)
    for warning in warnings:
        logger.warning(warning)
