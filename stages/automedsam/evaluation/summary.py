"""Tables, summary and verdict of an evaluation: per case, per class, per volume, and over all."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import asdict, fields, replace
from pathlib import Path
from typing import Any

from automedsam.cases.boxes import EDGES
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.evaluation.evaluator import CaseResult
from automedsam.evaluation.findings import collect_findings
from automedsam.evaluation.held_out import collect_held_out_findings
from automedsam.evaluation.scores import COLUMNS, Scores, mean_scores
from automedsam.evaluation.verdict_page import verdict_page
from automedsam.evaluation.volumes import COLUMNS as VOLUME_COLUMNS
from automedsam.evaluation.volumes import VolumeScores, score_volumes
from automedsam.runtime.files import atomic_file, write_metrics, write_table
from automedsam.runtime.paths import PER_CASE, PER_CLASS, PER_VOLUME, SUMMARY, VERDICT
from automedsam.supervision.label_report import read_poor_classes

logger = logging.getLogger(__name__)

CASE_COLUMNS = ("case", "group", "class")
PROMPT_COLUMNS = (*CASE_COLUMNS, *EDGES, "presence")

ORDER = (*(field.name for field in fields(Scores)), "volume_dice")  # in the summary

VolumesByClass = dict[str, list[VolumeScores]]  # by the name of the class
Means = dict[str, dict[str, float]]  # by the name of the class


def write_report(
    results: Sequence[CaseResult],
    classes: Classes,
    train_cases: Sequence[Case],
    backbone: str,
    checkpoint: Path | None = None,
) -> None:
    """Write all tables, the summary and the verdict, and print the verdict.

    Without results, the tables are empty, and the verdict rests on held-out boxes.

    Args:
      results: results of the test cases.
      classes: the classes, in the order of the results.
      train_cases: cases that the model was trained on.
      backbone: name of the backbone.
      checkpoint: file of its weights; `None` for the official ones.
    """
    volumes = _score_volumes(results, classes)
    means = class_means(results, volumes, classes)
    summary = summarize(results, volumes, means)
    write_table(PER_CASE, _case_rows(results, classes), [*CASE_COLUMNS, *COLUMNS])
    class_rows: list[dict[str, Any]] = [{"class": name, **scores} for name, scores in means.items()]
    write_table(PER_CLASS, class_rows, ["class", *COLUMNS, "volume_dice"])
    write_table(PER_VOLUME, _volume_rows(volumes), VOLUME_COLUMNS)
    write_metrics(SUMMARY, summary)
    poor_labels = read_poor_classes(classes)
    findings = (
        collect_findings(results, train_cases, classes, means, summary, backbone, poor_labels)
        if results
        else collect_held_out_findings(train_cases, classes, backbone, poor_labels)
    )
    _report_verdict(verdict_page(replace(findings, has_checkpoint=checkpoint is not None)))
    _warn_about_volumes(results, volumes)


def prompt_rows(results: Sequence[CaseResult], classes: Classes) -> list[dict[str, Any]]:
    """One row per case and class, with the predicted prompt."""
    return _rows(results, classes, [[p.row() for p in result.prompts] for result in results])


def class_means(results: Sequence[CaseResult], volumes: VolumesByClass, classes: Classes) -> Means:
    """The mean of each score of each class over the cases, or volumes, that define it."""
    means = {}
    for number, cls in enumerate(classes):
        case_rows = [result.classes[number].scores.row() for result in results]
        volume_rows = [{"volume_dice": volume.volume_dice} for volume in volumes[cls.name]]
        class_scores = mean_scores([*case_rows, *volume_rows])
        means[cls.name] = {key: class_scores[key] for key in ORDER if key in class_scores}
    return means


def summarize(
    results: Sequence[CaseResult], volumes: VolumesByClass, means: Means
) -> dict[str, float]:
    """The mean over the classes, the main score of each of several classes, and counts.

    The main score is Dice, or the overlap of boxes if there is no true mask.
    """
    summary = mean_scores(means.values())
    if len(means) > 1:
        score = "dice" if "dice" in summary else "box_iou"
        summary |= {
            f"{score}_of_{name}": scores[score] for name, scores in means.items() if score in scores
        }
    volume_names = {volume.volume for of_class in volumes.values() for volume in of_class}
    if volume_names:
        summary["n_volumes"] = len(volume_names)
    summary["n_cases"] = len(results)
    summary["n_masks"] = sum(result.has_mask for result in results)
    return summary


def _score_volumes(results: Sequence[CaseResult], classes: Classes) -> VolumesByClass:
    volumes = {}
    for number, cls in enumerate(classes):
        overlaps = [(result.case, result.classes[number].overlap) for result in results]
        volumes[cls.name] = score_volumes(
            [(case, overlap) for case, overlap in overlaps if overlap is not None]
        )
    return volumes


def _case_rows(results: Sequence[CaseResult], classes: Classes) -> list[dict[str, Any]]:
    scores = [[one.scores.row() for one in result.classes] for result in results]
    return _rows(results, classes, scores)


def _volume_rows(volumes: VolumesByClass) -> list[dict[str, Any]]:
    rows = [
        {"class": name, **asdict(volume)}
        for name, of_class in volumes.items()
        for volume in of_class
    ]
    return sorted(rows, key=lambda row: row["volume"])


def _rows(
    results: Sequence[CaseResult],
    classes: Classes,
    rows: Sequence[Sequence[Mapping[str, Any]]],
) -> list[dict[str, Any]]:
    """One row per case and class, preceded by the names of both and the group of the case."""
    return [
        {"case": result.case.name, "group": result.case.group, "class": cls.name, **row}
        for result, case_rows in zip(results, rows, strict=True)
        for cls, row in zip(classes, case_rows, strict=True)
    ]


def _report_verdict(page: Sequence[str]) -> None:
    with atomic_file(VERDICT) as building:
        building.write_text("\n".join([*page, ""]), encoding="utf-8", newline="\n")
    for line in page:
        logger.info(line)


def _warn_about_volumes(results: Sequence[CaseResult], volumes: VolumesByClass) -> None:
    if any(result.case.volume for result in results) and not any(volumes.values()):
        logger.warning(
            "no volume has all of its slices and masks among the test cases (see keep_empty): "
            "no volume Dice was measured"
        )
