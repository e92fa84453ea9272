"""Findings from held-out training boxes, which stand in for a test if there is no test image."""

import json
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import Any

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.evaluation.findings import ClassFindings, Findings
from automedsam.runtime.paths import TRAIN_METRICS

SCORES = ("box_iou", "mean_box_iou", "missed", "left_empty")  # `cv_SCORE` in metrics/train.json
ALL_CLASSES = "all classes"


def collect_held_out_findings(
    train_cases: Sequence[Case],
    classes: Classes,
    backbone: str,
    poor_labels: Collection[str] = (),
    path: Path = TRAIN_METRICS,
) -> Findings:
    """Collect the findings of a training, from the cases that were held out from it.

    With cross-validation, these are the training cases themselves. Otherwise they are the
    validation cases, of which only the mean overlap over all classes is known.

    Args:
      train_cases: cases that the model was trained on.
      classes: the classes.
      backbone: name of the backbone.
      poor_labels: names of the classes whose pseudo-labels fit the drawn boxes poorly.
      path: metrics/train.json.
    """
    metrics = json.loads(path.read_text(encoding="utf-8"))
    if "cv_box_iou" in metrics:
        return Findings(
            [_collect_class(metrics, cls, classes, train_cases, poor_labels) for cls in classes],
            backbone,
            groups=len({case.group for case in train_cases if case.has_object}),
            measured_on="cross-validation",
        )
    present = sum(case.has_object for case in train_cases)
    all_classes = ClassFindings(
        classes[0].name if classes.is_single else ALL_CLASSES,
        {"box_iou": metrics["best_val_box_iou"]},
        train_present=present,
        train_absent=len(train_cases) - present,
        has_poor_labels=bool(poor_labels),
    )
    return Findings([all_classes], backbone, measured_on="validation")


def _collect_class(
    metrics: Mapping[str, Any],
    cls: ObjectClass,
    classes: Classes,
    train_cases: Sequence[Case],
    poor_labels: Collection[str],
) -> ClassFindings:
    """The scores and counts of one class, which each training case has given once."""
    keys = {score: f"cv_{score}{classes.suffix_of(cls)}" for score in SCORES}
    scores = {score: metrics[key] for score, key in keys.items() if key in metrics}
    present = sum(bool(case.boxes[cls.value]) for case in train_cases)
    absent = len(train_cases) - present
    return ClassFindings(
        cls.name,
        scores,
        present=present,
        left_empty=round(scores.get("missed", 0) * present),
        absent=absent,
        invented=round((1 - scores.get("left_empty", 1)) * absent),
        train_present=present,
        train_absent=absent,
        has_poor_labels=cls.name in poor_labels,
    )
