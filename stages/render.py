"""Predictions, test masks and histories -> plots: figures to check before any number is believed.

python stages/render.py
"""

import json

import pandas as pd

from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.figures.curves import draw_loss_curves, draw_score_histogram
from automedsam.figures.gallery import draw_progress_strip, draw_snapshots
from automedsam.runtime.paths import (
    CLASSES,
    HISTORY,
    INDEX,
    LOSS_CURVES,
    PER_CASE,
    PROGRESS,
    SCORE_HISTOGRAM,
    TRAIN_METRICS,
)
from automedsam.runtime.script import argument_parser, parse, run
from automedsam.training.progress import load_progress


def main() -> None:
    parse(argument_parser(__doc__))
    classes = read_classes(CLASSES)
    per_case = pd.read_csv(PER_CASE, converters={"case": str})
    best_epoch = json.loads(TRAIN_METRICS.read_text(encoding="utf-8"))["best_epoch"]
    draw_loss_curves(LOSS_CURVES, pd.read_csv(HISTORY), best_epoch)
    draw_score_histogram(SCORE_HISTOGRAM, per_case)
    # Held-out cases of a cross-validation are training cases.
    held_out = read_index(INDEX, classes, "val") or read_index(INDEX, classes, "train")
    draw_progress_strip(load_progress(PROGRESS), held_out, classes)
    draw_snapshots(read_index(INDEX, classes, "test"), classes, per_case)


if __name__ == "__main__":
    run(main)
