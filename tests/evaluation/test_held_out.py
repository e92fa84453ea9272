"""Findings from held-out boxes, which stand in for those of test images."""

import json
from pathlib import Path
from typing import Any

import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.evaluation.held_out import ALL_CLASSES, collect_held_out_findings

LIVER, SPLEEN = ObjectClass("liver", 1), ObjectClass("spleen", 7)
ONE, TWO = Classes([LIVER]), Classes([LIVER, SPLEEN])


def make_case(name: str, group: str, *present: ObjectClass) -> Case:
    boxes = {cls.value: ((1, 2, 5, 6),) if cls in present else () for cls in TWO}
    return Case(name, group, "train", 24, 30, boxes)


CASES = [
    make_case("a", "p", LIVER),
    make_case("b", "p", LIVER, SPLEEN),
    make_case("c", "q", LIVER),
    make_case("d", "q", LIVER),
    make_case("e", "r"),
]


def collect(tmp_path: Path, classes: Classes, poor: set[str], **metrics: Any) -> Findings:
    path = tmp_path / "train.json"
    path.write_text(json.dumps({"epoch": 20, "best_val_box_iou": 0.7, **metrics}), "utf-8")
    return collect_held_out_findings(CASES, classes, "sam_tiny", poor, path)


def test_a_cross_validation_holds_out_each_training_case_once(tmp_path: Path) -> None:
    findings = collect(
        tmp_path,
        ONE,
        set(),
        cv_box_iou=0.75,
        cv_mean_box_iou=0.25,
        cv_missed=0.5,
        cv_left_empty=0.0,
    )
    assert findings == Findings(
        [
            ClassFindings(
                "liver",
                {"box_iou": 0.75, "mean_box_iou": 0.25, "missed": 0.5, "left_empty": 0.0},
                present=4,
                left_empty=2,
                absent=1,
                invented=1,
                train_present=4,
                train_absent=1,
            )
        ],
        "sam_tiny",
        groups=2,  # r shows no object
        measured_on="cross-validation",
    )


def test_each_class_has_its_own_scores(tmp_path: Path) -> None:
    findings = collect(
        tmp_path,
        TWO,
        {"spleen"},
        cv_box_iou=0.5,
        cv_box_iou_of_liver=0.8,
        cv_missed_of_liver=0.0,
        cv_left_empty_of_liver=1.0,
        cv_box_iou_of_spleen=0.2,
        cv_missed_of_spleen=1.0,
        cv_left_empty_of_spleen=0.75,
    )
    liver, spleen = findings.classes
    assert (liver.scores["box_iou"], spleen.scores["box_iou"]) == (0.8, 0.2)
    assert (liver.left_empty, spleen.left_empty) == (0, 1)
    assert (liver.absent, liver.invented, spleen.absent, spleen.invented) == (1, 0, 4, 1)
    assert (liver.has_poor_labels, spleen.has_poor_labels) == (False, True)


@pytest.mark.parametrize(("classes", "name"), [(ONE, "liver"), (TWO, ALL_CLASSES)])
def test_of_validation_boxes_only_the_mean_overlap_is_known(
    tmp_path: Path, classes: Classes, name: str
) -> None:
    assert collect(tmp_path, classes, {"liver"}) == Findings(
        [
            ClassFindings(
                name, {"box_iou": 0.7}, train_present=4, train_absent=1, has_poor_labels=True
            )
        ],
        "sam_tiny",
        measured_on="validation",
    )
