"""Scores of held-out cases, which stand in for those of test images."""

import json
from pathlib import Path

from automedsam.evaluation.held_out import read_held_out_scores

METRICS = {"epoch": 20, "best_epoch": 12, "best_val_box_iou": 0.7}


def write(path: Path, **metrics: float) -> Path:
    path.write_text(json.dumps(METRICS | metrics), encoding="utf-8")
    return path


def test_scores_of_a_cross_validation_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a", folds=3, cv_box_iou=0.75, cv_left_empty=0.5, cv_box_iou_of_a=0.8)
    assert read_held_out_scores(path) == {
        "cv_box_iou": 0.75,
        "cv_left_empty": 0.5,
        "cv_box_iou_of_a": 0.8,
    }


def test_without_a_cross_validation_the_best_epoch_is_read(tmp_path: Path) -> None:
    assert read_held_out_scores(write(tmp_path / "a")) == {"best_val_box_iou": 0.7}
