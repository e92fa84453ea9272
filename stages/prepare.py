"""Raw scans, masks or drawn boxes -> data/prepared: 8-bit images, boxes and splits in an index, masks of the test set.

    python stages/prepare.py
    python stages/prepare.py --check -S dataset=folder -S data_dir=../my_data     looks, tells, and writes nothing

Boxes are drawn by somebody (`annotations`) or simulated from masks; no mask of a training or validation image leaves
this stage.
"""

import argparse

from tqdm import tqdm

from automedsam.cases.case import Split
from automedsam.cases.classes import parse_classes, write_classes
from automedsam.cases.index import read_index, write_index
from automedsam.datasets.catalogue import open_dataset
from automedsam.datasets.raw_scan import RawScan
from automedsam.figures.data_sheet import draw_data_report
from automedsam.preparation.selection import check_splits, choose_slices
from automedsam.preparation.simulated_boxes import BoxSimulation
from automedsam.preparation.splits import assign_splits
from automedsam.preparation.survey import survey_scans
from automedsam.preparation.survey_report import describe_survey, describe_unused
from automedsam.preparation.writing import write_cases
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.params import StageParams, load_params, parse_change
from automedsam.runtime.paths import CLASSES, DATA_REPORT, IMAGES, INDEX, PREPARATION, PREPARED
from automedsam.runtime.script import run


def main() -> None:
    arguments = parse_arguments()
    params = load_params("prepare", changes=dict(arguments.set))
    classes = parse_classes(
        **params.pick("class_ids", "mask_ids"), is_annotated=params.annotations is not None
    )
    data = open_dataset(
        classes=classes,
        **params.pick(
            "dataset",
            "data_dir",
            "annotations",
            "group_by",
            "slice_axis",
            "window_low",
            "window_high",
        ),
    )
    rules = BoxSimulation(**params.pick("boxes_per_object", "min_object_px", "box_jitter", "seed"))
    progress_ = tqdm(data.scans, "look", unit="scan")
    survey = survey_scans(
        progress_, split_scans(data.scans, params), data.preparation.framing, rules, classes
    )
    chosen = choose_slices(survey.slices, **params.pick("train_cases", "keep_empty", "seed"))
    annotated = data.annotations.classes if data.annotations else []
    unused = describe_unused(data.annotations, classes) if data.annotations else []
    print("\n".join([*unused, *describe_survey(survey, chosen, classes, annotated, data.left_out)]))
    check_splits(survey.slices, chosen, classes, annotated or sorted(survey.mask_values))
    if not arguments.check:
        with atomic_folder(PREPARED) as folder:
            write_index(folder / INDEX.name, write_cases(chosen, data.preparation, classes, folder))
            write_classes(folder / CLASSES.name, classes)
            (folder / PREPARATION.name).write_text(
                f"{data.preparation.to_json()}\n", encoding="utf-8", newline="\n"
            )
        draw_data_report(DATA_REPORT, read_index(INDEX), IMAGES, classes)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--check", action="store_true", help="look the data over, tell what is there, write nothing"
    )
    parser.add_argument("-S", "--set", action="append", default=[], type=parse_change, metavar="KEY=VALUE",
                        help="with --check: take this value in place of that in params.yaml")  # fmt: skip
    arguments = parser.parse_args()
    if arguments.set and not arguments.check:
        parser.error("-S goes with --check alone: what is written must be what params.yaml says")
    return arguments


def split_scans(scans: list[RawScan], params: StageParams) -> dict[str, Split]:
    groups = {scan.name: scan.group for scan in scans}
    fixed = {scan.name: scan.split for scan in scans if scan.split is not None}
    return assign_splits(groups, fixed, params.val_fraction, params.test_fraction)


if __name__ == "__main__":
    run(main)
