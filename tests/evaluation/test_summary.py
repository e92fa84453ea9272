"""Tables, summary and verdict of an evaluation, and a warning about incomplete volumes."""

import csv
import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.evaluation.evaluator import CaseResult, ClassResult
from automedsam.evaluation.scores import COLUMNS, Scores
from automedsam.evaluation.summary import class_means, prompt_rows, summarize, write_report
from automedsam.evaluation.volumes import COLUMNS as VOLUME_COLUMNS
from automedsam.evaluation.volumes import Overlap, VolumeScores
from automedsam.model.segmenter import ImagePrompt
from automedsam.runtime.files import write_metrics
from automedsam.runtime.paths import (
    LABEL_METRICS,
    PER_CASE,
    PER_CLASS,
    PER_VOLUME,
    SUMMARY,
    TRAIN_METRICS,
    VERDICT,
)
from automedsam.runtime.script import logger, set_up_logging

CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)])
LIVER_ONLY = Classes(CLASSES[:1])
LABELS = {
    f"{key}{suffix}": value
    for suffix in ("", "_of_liver", "_of_spleen")
    for key, value in (("accepted", 3), ("rejected", 0), ("box_agreement", 0.9))
}


@pytest.fixture(autouse=True)
def _in_a_folder_with_labels_and_logging(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """Tables are written to the working directory; messages are printed as in a script."""
    monkeypatch.chdir(tmp_path)
    write_metrics(LABEL_METRICS, LABELS)
    handlers, level, propagate = logger.handlers, logger.level, logger.propagate
    set_up_logging()
    yield
    logger.handlers, logger.propagate = handlers, propagate
    logger.setLevel(level)


def make_case(name: str, volume: str | None = None, slices: int | None = None) -> Case:
    boxes = {cls.value: () for cls in CLASSES}
    number = None if volume is None else int(name[-1])
    spacing_mm = (5.0, 2.0, 0.5)
    return Case(
        name=name,
        group=f"patient {name}",
        split="test",
        height=24,
        width=30,
        boxes=boxes,
        volume=volume,
        slice=number,
        volume_slices=slices,
        spacing_mm=spacing_mm,
    )


def make_result(
    case: Case, *scores: Scores, overlaps: list[Overlap] | None = None, presence: float = 0.5
) -> CaseResult:
    """The result of a case; one prompt, one scores and one overlap per class."""
    class_overlaps = overlaps or [None] * len(scores)
    return CaseResult(
        case,
        [ImagePrompt((1.0, 2.0, 3.0, 4.0), presence) for _ in scores],
        [
            ClassResult(one, overlap, is_empty=False)
            for one, overlap in zip(scores, class_overlaps, strict=True)
        ],
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def test_each_class_counts_equally_in_the_summary() -> None:
    """The number of cases that show a class has no effect; a class in no test case has no Dice."""
    results = [
        make_result(make_case("a"), Scores(dice=0.9), Scores(dice=0.2)),
        make_result(make_case("b"), Scores(dice=0.7), Scores(left_empty=1.0)),
    ]
    volumes = {
        "liver": [VolumeScores("v", 2, dice, None, None) for dice in (0.5, 0.7)],
        "spleen": [],
    }
    means = class_means(results, volumes, CLASSES)
    assert means["liver"] == pytest.approx({"dice": 0.8, "volume_dice": 0.6})
    assert means["spleen"] == {"dice": 0.2, "left_empty": 1}
    assert summarize(results, volumes, means) == pytest.approx(
        {
            "dice": 0.5,
            "volume_dice": 0.6,
            "left_empty": 1,
            "dice_of_liver": 0.8,
            "dice_of_spleen": 0.2,
            "n_volumes": 1,
            "n_cases": 2,
            "n_masks": 0,
        }
    )
    without = means | {"spleen": {"left_empty": 1.0}}
    assert "dice_of_spleen" not in summarize(results, volumes, without)


def test_without_masks_the_main_score_is_the_overlap_of_boxes() -> None:
    results = [make_result(make_case("a"), Scores(box_iou=0.5), Scores(box_iou=0.7))]
    volumes: dict[str, list[VolumeScores]] = {"liver": [], "spleen": []}
    means = class_means(results, volumes, CLASSES)
    assert summarize(results, volumes, means) == pytest.approx(
        {
            "box_iou": 0.6,
            "box_iou_of_liver": 0.5,
            "box_iou_of_spleen": 0.7,
            "n_cases": 1,
            "n_masks": 0,
        }
    )


def test_the_score_of_a_single_class_is_not_repeated() -> None:
    assert summarize([], {"liver": []}, {"liver": {"dice": 0.8}}) == {
        "dice": 0.8,
        "n_cases": 0,
        "n_masks": 0,
    }


def test_prompts_have_one_row_per_case_and_class() -> None:
    results = [make_result(make_case(name), Scores(), Scores(), presence=0.25) for name in "ab"]
    rows = prompt_rows(results, CLASSES)
    assert [(row["case"], row["class"]) for row in rows] == [
        ("a", "liver"),
        ("a", "spleen"),
        ("b", "liver"),
        ("b", "spleen"),
    ]
    assert rows[0] == {
        "case": "a",
        "group": "patient a",
        "class": "liver",
        "x_min": 1,
        "y_min": 2,
        "x_max": 3,
        "y_max": 4,
        "presence": 0.25,
    }


def test_the_report_has_a_row_per_case_class_and_volume() -> None:
    overlaps = [Overlap(4, 4, 4), Overlap(3, 5, 2)]
    scores = [Scores(dice=1.0, hd95_px=2.0), Scores(dice=0.5)]
    names = ("w_0", "w_1", "v_0", "v_1")
    write_report(
        [make_result(make_case(name, name[0], 2), *scores, overlaps=overlaps) for name in names],
        CLASSES,
        train_cases=[],
        backbone="sam_tiny",
    )
    per_case, per_class, per_volume = (rows_of(path) for path in (PER_CASE, PER_CLASS, PER_VOLUME))
    assert list(per_case[0]) == ["case", "group", "class", *COLUMNS]
    assert [(row["case"], row["class"]) for row in per_case] == [
        (name, cls) for name in names for cls in CLASSES.names
    ]
    assert [row["hd95_px"] for row in per_case[:2]] == ["2.0", ""]
    assert list(per_class[0]) == ["class", *COLUMNS, "volume_dice"]
    assert [(row["class"], row["dice"], row["volume_dice"]) for row in per_class] == [
        ("liver", "1.0", "1.0"),
        ("spleen", "0.5", "0.5"),
    ]
    assert list(per_volume[0]) == list(VOLUME_COLUMNS)
    assert [(row["volume"], row["class"], row["volume_dice"]) for row in per_volume] == [
        ("v", "liver", "1.0"),
        ("v", "spleen", "0.5"),
        ("w", "liver", "1.0"),
        ("w", "spleen", "0.5"),
    ]
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    assert (summary["dice"], summary["volume_dice"]) == (0.75, 0.75)
    assert (summary["n_volumes"], summary["n_cases"], summary["n_masks"]) == (2, 4, 4)


def write_small_report(results: list[CaseResult]) -> None:
    write_report(results, LIVER_ONLY, [make_case("t")], "sam_tiny")


def test_the_verdict_is_printed_and_written(capsys: pytest.CaptureFixture[str]) -> None:
    scores = Scores(dice=0.75, mean_box_dice=0.5)
    write_small_report([make_result(make_case("a"), scores, overlaps=[Overlap(4, 4, 3)])])
    printed = capsys.readouterr()
    assert printed.out == VERDICT.read_text(encoding="utf-8")
    assert printed.out.startswith("# Verdict\n\n1 test image, 1 with a true mask.")
    assert "| liver |      1 |     0.750 |    0.500 |\n" in printed.out
    assert "The worst images: a (0.750).\n" in printed.out
    assert printed.err == ""


def test_missing_masks_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    write_small_report([make_result(make_case("a"), Scores(box_iou=0.5))])
    printed = capsys.readouterr()
    assert "- No test image has a true mask. Overlaps of boxes show whether" in printed.out
    assert printed.err == ""


def test_incomplete_volumes_are_reported(capsys: pytest.CaptureFixture[str]) -> None:
    case = make_case("v_0", "v", slices=2)
    write_small_report([make_result(case, Scores(dice=0.5), overlaps=[Overlap(4, 4, 2)])])
    assert capsys.readouterr().err.startswith(
        "warning: no volume has all of its slices and masks among the test cases"
    )
    assert rows_of(PER_VOLUME) == []


@pytest.mark.parametrize(
    ("figures", "meaning"),
    [
        (
            {"folds": 3, "cv_box_iou": 0.75},
            "The overlaps of boxes (0 to 1) are from a cross-validation",
        ),
        ({}, "The overlap of boxes (0 to 1) is that with the validation boxes"),
    ],
)
def test_without_test_images_the_verdict_rests_on_held_out_boxes(
    capsys: pytest.CaptureFixture[str], figures: dict[str, float], meaning: str
) -> None:
    write_metrics(TRAIN_METRICS, {"epoch": 3, "best_val_box_iou": 0.5, **figures})
    write_report([], CLASSES, [make_case("t")], "sam_tiny")
    printed = capsys.readouterr()
    assert printed.err == ""
    assert f"- {meaning}" in printed.out
    summary = json.loads(SUMMARY.read_text(encoding="utf-8"))
    assert summary == {"n_cases": 0, "n_masks": 0}
    assert PER_CASE.read_text(encoding="utf-8") == ",".join(["case,group,class", *COLUMNS]) + "\n"
    assert [row["class"] for row in rows_of(PER_CLASS)] == CLASSES.names
    assert rows_of(PER_VOLUME) == []


def test_poor_labels_and_own_weights_reach_the_advice(capsys: pytest.CaptureFixture[str]) -> None:
    write_metrics(LABEL_METRICS, {**LABELS, "box_agreement_of_spleen": 0.5})
    write_metrics(TRAIN_METRICS, {"best_val_box_iou": 0.5, "cv_box_iou": 0.9, "folds": 3})
    write_report([], CLASSES, [make_case("t")], "sam_tiny", Path("own.pth"))
    printed = capsys.readouterr().out
    assert "1. spleen: Try another backbone (`-S backbone=lite_medsam -S" in printed
