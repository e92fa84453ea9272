"""Predictions, test masks and histories -> plots: figures to check before any number is believed.

python stages/render.py
"""

import json

import numpy as np
import pandas as pd

from automedsam.cases.classes import Classes, read_classes
from automedsam.cases.index import read_index
from automedsam.figures.curves import draw_loss_curves, draw_score_histogram
from automedsam.figures.gallery import draw_progress_strip, draw_snapshots
from automedsam.figures.label_sheet import LabelSheet, ShownLabel
from automedsam.figures.panels import save_note
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import (
    CLASSES,
    HISTORY,
    IMAGES,
    INDEX,
    LOSS_CURVES,
    PER_CASE,
    PROGRESS,
    SCORE_HISTOGRAM,
    SELF_LABEL_REPORT,
    SELF_LABELS,
    TRAIN_METRICS,
    image_path,
)
from automedsam.runtime.script import argument_parser, parse, run
from automedsam.training.progress import load_progress
from automedsam.training.self_label_file import StoredLabel, load_self_labels


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
    draw_self_labels(load_self_labels(SELF_LABELS), classes)


def draw_self_labels(labels: list[tuple[StoredLabel, np.ndarray | None]], classes: Classes) -> None:
    """Draw the masks that the model learned from, and some that it did not learn from."""
    if not labels:
        save_note(SELF_LABEL_REPORT, "no self-training")
        return
    class_of = {cls.value: cls for cls in classes}
    sheet = LabelSheet("self-label", "box of the self-label")
    for label, mask in labels:
        if mask is not None:
            image = read_image(image_path(IMAGES, label.case))
            sheet.add(
                ShownLabel(
                    name=classes.label_of(label.case, class_of[label.class_value]),
                    boxes_xyxy=label.boxes_xyxy,
                    image=image[:: label.scale, :: label.scale],
                    probability=mask / np.float32(255),
                    score=f"presence {label.presence:.2f}",
                    rejection=label.rejection,
                )
            )
    used = sum(label.rejection is None for label, _ in labels)
    sheet.draw(SELF_LABEL_REPORT, f"self-training on {used} of {len(labels)} self-labels")


if __name__ == "__main__":
    run(main)
