"""Scores that stand in for those of test images, if there are none."""

import json
from pathlib import Path

from automedsam.runtime.paths import TRAIN_METRICS

MEANINGS = {  # of the first key, for the printed summary
    "cv_box_iou": (
        "no test images: cv_box_iou is measured by cross-validation, as the overlap of masks with "
        "the boxes of training images that the model of their fold has not seen"
    ),
    "best_val_box_iou": (
        "no test images: best_val_box_iou is the overlap with the validation boxes, which chose "
        "the best epoch; it is not an independent measurement"
    ),
}


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
