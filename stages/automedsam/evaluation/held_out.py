"""Scores that stand in for those of test images, if there are none."""

import json
from pathlib import Path

from automedsam.runtime.paths import TRAIN_METRICS


def read_held_out_scores(path: Path = TRAIN_METRICS) -> dict[str, float]:
    """The scores of the training on cases that were held out from it.

    Args:
      path: metrics/train.json.

    Returns:
      The scores `cv_*` of a cross-validation; without one, `best_val_box_iou`.
    """
    metrics = json.loads(path.read_text(encoding="utf-8"))
    of_folds = {key: value for key, value in metrics.items() if key.startswith("cv_")}
    return of_folds or {"best_val_box_iou": metrics["best_val_box_iou"]}
