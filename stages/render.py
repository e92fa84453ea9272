"""Predictions, test masks and histories -> plots/: what to look at before any number is believed.

python stages/render.py
"""

import pandas as pd

from automedsam.cases.boxes import EDGES
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, read_classes
from automedsam.cases.index import read_index
from automedsam.figures.curves import draw_loss_curves, draw_score_histogram
from automedsam.figures.snapshot import ShownClass, Snapshot, draw_progress, draw_snapshot
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import (
    CLASSES,
    HISTORY,
    IMAGES,
    INDEX,
    LOSS_CURVES,
    PER_CASE,
    PREDICTED_MASKS,
    PROGRESS,
    PROGRESS_STRIP,
    PROMPTS,
    SCORE_HISTOGRAM,
    SNAPSHOTS,
    SOFT_MASKS,
    TEST_MASKS,
)
from automedsam.runtime.script import run
from automedsam.training.progress import load_progress

FIXED_SNAPSHOTS = 3  # of the same test cases in every run, so that runs can be laid side by side

WRITTEN_SCORES = {
    "Dice": "dice",
    "IoU": "iou",
    "box IoU": "box_iou",
    "loss": "loss",
    "empty": "loss_empty",
    "tightbox": "loss_tightbox",
    "size": "loss_size",
}


def main() -> None:
    per_case = pd.read_csv(PER_CASE, converters={"case": str})
    draw_loss_curves(LOSS_CURVES, pd.read_csv(HISTORY))
    draw_score_histogram(SCORE_HISTOGRAM, per_case)
    classes = read_classes(CLASSES)
    draw_strip(read_index(INDEX, "val"), classes)
    draw_snapshots(
        read_index(INDEX, "test"), classes, per_case.groupby("case").mean(numeric_only=True)
    )


def draw_strip(val_cases: list[Case], classes: list[ObjectClass]) -> None:
    masks = load_progress(PROGRESS)
    shown = [case for case in val_cases if case.name in masks]
    images = [read_image(IMAGES / f"{case.name}.png") for case in shown]
    boxes = [{of.name: case.of_class(of.value).boxes_xyxy for of in classes} for case in shown]
    draw_progress(PROGRESS_STRIP, images, boxes, [masks[case.name] for case in shown])


def draw_snapshots(
    test_cases: list[Case], classes: list[ObjectClass], scores: pd.DataFrame
) -> None:
    """The best, the median and the worst case, and a few that are always the same.

    Args:
      scores: by case, the means over its classes.
    """
    score = "dice" if scores["dice"].notna().any() else "box_iou"
    ranked = scores[scores[score].notna()].sort_values(score, kind="stable").index
    chosen = (
        {"worst": ranked[0], "median": ranked[len(ranked) // 2], "best": ranked[-1]}
        if len(ranked)
        else {}
    )
    fixed = test_cases[:: max(len(test_cases) // FIXED_SNAPSHOTS, 1)][:FIXED_SNAPSHOTS]
    chosen |= {f"fixed_{number}": case.name for number, case in enumerate(fixed, start=1)}
    cases = {case.name: case for case in test_cases}
    prompts = pd.read_csv(PROMPTS, converters={"case": str, "class": str}).set_index(
        ["case", "class"]
    )[list(EDGES)]
    with atomic_folder(SNAPSHOTS) as folder:
        for role, name in chosen.items():
            row = scores.loc[name]
            snapshot = Snapshot(
                title=f"{role.replace('_', ' ')}: {name}",
                image=read_image(IMAGES / f"{name}.png"),
                truth=read_image(TEST_MASKS / f"{name}.png") if cases[name].has_mask else None,
                labels=read_image(PREDICTED_MASKS / f"{name}.png"),
                soft_mask=read_image(SOFT_MASKS / f"{name}.png"),
                classes=tuple(
                    show_class(of, cases[name], prompts.loc[(name, of.name)]) for of in classes
                ),
                scores={
                    label: row[column]
                    for label, column in WRITTEN_SCORES.items()
                    if pd.notna(row[column])
                },
            )
            draw_snapshot(folder / f"{role}.png", snapshot)


def show_class(of: ObjectClass, case: Case, prompt: pd.Series) -> ShownClass:
    """One class's part of a snapshot."""
    return ShownClass(
        of.name,
        of.value,
        case.of_class(of.value).boxes_xyxy,
        None if prompt.isna().any() else tuple(prompt),
    )


if __name__ == "__main__":
    run(main, __doc__)
