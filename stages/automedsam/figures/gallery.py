"""The figures of the render stage: snapshots of test cases, and the progress of the training."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from automedsam.cases.boxes import EDGES
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.figures.panels import NO_TEST_CASES, BoxEdges, save_note
from automedsam.figures.progress_strip import draw_progress
from automedsam.figures.snapshot import Snapshot, draw_snapshot
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import (
    IMAGES,
    PREDICTED_MASKS,
    PROGRESS_STRIP,
    PROMPTS,
    SNAPSHOTS,
    SOFT_MASKS,
    TEST_MASKS,
    image_path,
)

FIXED_SNAPSHOTS = 3  # the same test cases in every run, so that runs can be compared
SHOWN_SCORES = {
    "Dice": "dice",
    "IoU": "iou",
    "box IoU": "box_iou",
    "loss": "loss",
    "empty": "loss_empty",
    "tightbox": "loss_tightbox",
    "size": "loss_size",
}


def draw_progress_strip(
    masks: Mapping[str, dict[int, np.ndarray]], cases: Sequence[Case], classes: Classes
) -> None:
    """Draw the progress of the training on some held-out cases.

    Args:
      masks: case name -> epoch -> soft mask (H, W), uint8.
      cases: the cases, among which are those with masks.
      classes: the classes.
    """
    shown = [case for case in cases if case.name in masks]
    images = [read_image(image_path(IMAGES, case.name)) for case in shown]
    boxes = [case.boxes for case in shown]
    draw_progress(PROGRESS_STRIP, images, boxes, [masks[case.name] for case in shown], classes)


def draw_snapshots(test_cases: Sequence[Case], classes: Classes, per_case: pd.DataFrame) -> None:
    """Draw the best, the median and the worst test case, and a few fixed ones.

    Without test cases, there is a line of text.

    Args:
      test_cases: the test cases.
      classes: the classes.
      per_case: metrics/per_case.csv, one row per case and class.
    """
    if not test_cases:
        with atomic_folder(SNAPSHOTS) as folder:
            # With the name of a snapshot, git restores the committed folder without a leftover.
            save_note(folder / "fixed_1.png", NO_TEST_CASES)
        return
    scores = per_case.groupby("case").mean(numeric_only=True)
    prompts = pd.read_csv(PROMPTS, converters={"case": str, "class": str})
    prompts = prompts.set_index(["case", "class"])[list(EDGES)]
    cases = {case.name: case for case in test_cases}
    with atomic_folder(SNAPSHOTS) as folder:
        for role, name in _choose_cases(test_cases, scores).items():
            title = f"{role.replace('_', ' ')}: {name}"
            snapshot = _load_snapshot(title, cases[name], classes, prompts, scores.loc[name])
            draw_snapshot(folder / f"{role}.png", snapshot)


def _choose_cases(test_cases: Sequence[Case], scores: pd.DataFrame) -> dict[str, str]:
    """File name of each snapshot -> case name."""
    score = "dice" if scores["dice"].notna().any() else "box_iou"
    ranked = scores[scores[score].notna()].sort_values(score, kind="stable").index
    chosen = {}
    if len(ranked):
        chosen = {"worst": ranked[0], "median": ranked[len(ranked) // 2], "best": ranked[-1]}
    step = max(len(test_cases) // FIXED_SNAPSHOTS, 1)
    fixed = test_cases[::step][:FIXED_SNAPSHOTS]
    return chosen | {f"fixed_{number}": case.name for number, case in enumerate(fixed, start=1)}


def _load_snapshot(
    title: str, case: Case, classes: Classes, prompts: pd.DataFrame, scores: pd.Series
) -> Snapshot:
    return Snapshot(
        title=title,
        image=_read(IMAGES, case),
        truth=_read(TEST_MASKS, case) if case.has_mask else None,
        labels=_read(PREDICTED_MASKS, case),
        soft_mask=_read(SOFT_MASKS, case),
        classes=classes,
        boxes=case.boxes,
        prompts={cls.value: _edges(prompts.loc[(case.name, cls.name)]) for cls in classes},
        scores={
            label: scores[column]
            for label, column in SHOWN_SCORES.items()
            if pd.notna(scores[column])
        },
    )


def _read(folder: Path, case: Case) -> np.ndarray:
    return read_image(image_path(folder, case.name))


def _edges(prompt: pd.Series) -> BoxEdges | None:
    return None if prompt.isna().any() else tuple(prompt)
