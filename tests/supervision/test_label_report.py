"""Tests of the report on pseudo-labels: numbers, summary and warnings."""

import json
from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.supervision.label_report import LabelReport, read_poor_classes
from automedsam.supervision.pseudo_labels import PseudoLabel

LIVER, SPLEEN = ObjectClass("liver", 1), ObjectClass("spleen", 2)
ONE, TWO = Classes([LIVER]), Classes([LIVER, SPLEEN])
WRONG = "fills 3% of its box"


def report_of(classes: Classes, *labels: tuple[ObjectClass, float, str | None]) -> LabelReport:
    """The report of labels with a class, an agreement and perhaps a reason for rejecting it."""
    report = LabelReport(classes)
    for cls, agreement, rejection in labels:
        report.add(PseudoLabel(cls, np.zeros((2, 3), np.float32), rejection, agreement))
    return report


def test_metrics_of_one_class_include_rejected_labels() -> None:
    report = report_of(ONE, (LIVER, 0.9, None), (LIVER, 0.8, None), (LIVER, 0.1, WRONG))
    assert report.metrics() == {
        "accepted": 2,
        "rejected": 1,
        "box_agreement": pytest.approx(0.6),
    }


def test_metrics_of_several_classes_are_those_of_all_labels_and_of_each_class() -> None:
    report = report_of(TWO, (LIVER, 0.9, None), (SPLEEN, 0.6, None), (SPLEEN, 0.3, WRONG))
    assert report.metrics() == {
        "accepted": 2,
        "rejected": 1,
        "box_agreement": pytest.approx(0.6),
        "accepted_of_liver": 1,
        "rejected_of_liver": 0,
        "box_agreement_of_liver": pytest.approx(0.9),
        "accepted_of_spleen": 1,
        "rejected_of_spleen": 1,
        "box_agreement_of_spleen": pytest.approx(0.45),
    }


def test_a_class_without_labels_has_counts_only_and_no_warning() -> None:
    report = report_of(TWO, (LIVER, 0.9, None))
    of_spleen = {key: value for key, value in report.metrics().items() if "spleen" in key}
    assert of_spleen == {"accepted_of_spleen": 0, "rejected_of_spleen": 0}
    assert report.warnings("lite_medsam") == []


def test_no_labels_at_all() -> None:
    report = report_of(ONE)
    assert report.metrics() == {"accepted": 0, "rejected": 0}
    assert report.summary() == report.title() == "0 pseudo-labels accepted, 0 rejected"
    assert report.warnings("lite_medsam") == []


def test_summary_states_counts_and_agreement() -> None:
    report = report_of(ONE, (LIVER, 0.95, None), (LIVER, 0.91, None), (LIVER, 0.84, WRONG))
    expected = (
        "2 pseudo-labels accepted, 1 rejected; "
        "agreement of their masks with the drawn boxes: 0.90 (mean IoU)"
    )
    assert report.summary() == report.title() == expected
    assert report.warnings("lite_medsam") == []


def test_warning_names_the_class_the_finding_and_another_backbone() -> None:
    report = report_of(
        TWO, (LIVER, 0.9, None), (SPLEEN, 0.7, None), (SPLEEN, 0.6, None), (SPLEEN, 0.53, WRONG)
    )
    (warning,) = report.warnings("lite_medsam")
    assert warning == (
        "class spleen: the masks of lite_medsam fit the drawn boxes poorly (mean IoU 0.61, 1 of 3 "
        "rejected); training on them will give poor masks; look at plots/pseudo_labels.png: if the "
        "boxes are tight, try another backbone, such as medsam_vit_b"
    )
    assert report.title().splitlines()[1:] == [
        "class spleen: the masks fit the drawn boxes poorly (mean IoU 0.61, 1 of 3 rejected)"
    ]


def test_there_is_one_warning_per_poor_class_in_the_order_of_the_classes() -> None:
    report = report_of(TWO, (SPLEEN, 0.2, None), (LIVER, 0.3, None))
    starts = [warning.split(":")[0] for warning in report.warnings("lite_medsam")]
    assert starts == ["class liver", "class spleen"]


@pytest.mark.parametrize(
    ("agreements", "is_poor"), [((0.76,), False), ((0.74,), True), ((0.6, 0.95), False)]
)
def test_mean_agreement_below_the_threshold_is_poor(
    agreements: tuple[float, ...], is_poor: bool
) -> None:
    report = report_of(ONE, *((LIVER, agreement, None) for agreement in agreements))
    assert bool(report.warnings("lite_medsam")) is is_poor


@pytest.mark.parametrize(("rejected", "is_poor"), [(0, False), (2, False), (3, True), (6, True)])
def test_more_than_a_third_rejected_of_six_is_poor(rejected: int, is_poor: bool) -> None:
    reasons = [WRONG] * rejected + [None] * (6 - rejected)
    report = report_of(ONE, *((LIVER, 0.95, reason) for reason in reasons))
    assert bool(report.warnings("lite_medsam")) is is_poor


@pytest.mark.parametrize(
    ("backbone", "other"),
    [
        ("sam_tiny", "lite_medsam"),
        ("lite_medsam", "medsam_vit_b"),
        ("medsam_vit_b", "sam_vit_b"),
        ("sam_vit_b", "lite_medsam"),
        ("sam_vit_h", "lite_medsam"),
    ],
)
def test_a_single_class_is_not_named_and_the_suggestion_is_another_backbone(
    backbone: str, other: str
) -> None:
    (warning,) = report_of(ONE, (LIVER, 0.2, None)).warnings(backbone)
    assert warning.startswith(f"the masks of {backbone} fit the drawn boxes poorly (mean IoU 0.20,")
    assert warning.endswith(f"such as {other}")


def test_poor_classes_are_read_from_the_metrics(tmp_path: Path) -> None:
    report = report_of(
        TWO, (LIVER, 0.9, None), (LIVER, 0.7, None), (SPLEEN, 0.9, None), (SPLEEN, 0.5, None)
    )
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(report.metrics()), encoding="utf-8")
    assert read_poor_classes(TWO, path) == {"spleen"}


@pytest.mark.parametrize(("agreement", "poor"), [(0.76, set()), (0.74, {"liver"})])
def test_a_single_poor_class_is_read_from_the_metrics(
    tmp_path: Path, agreement: float, poor: set[str]
) -> None:
    path = tmp_path / "labels.json"
    metrics = report_of(ONE, (LIVER, agreement, None)).metrics()
    path.write_text(json.dumps(metrics), encoding="utf-8")
    assert read_poor_classes(ONE, path) == poor


def test_a_class_whose_labels_are_mostly_rejected_is_poor(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    labels = [(LIVER, 0.9, None), (LIVER, 0.9, WRONG), (SPLEEN, 0.9, None)]
    path.write_text(json.dumps(report_of(TWO, *labels).metrics()), encoding="utf-8")
    assert read_poor_classes(TWO, path) == {"liver"}


def test_a_class_without_labels_is_not_poor(tmp_path: Path) -> None:
    path = tmp_path / "labels.json"
    path.write_text(json.dumps(report_of(TWO, (LIVER, 0.9, None)).metrics()), encoding="utf-8")
    assert read_poor_classes(TWO, path) == set()
