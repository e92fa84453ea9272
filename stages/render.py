"""Predictions, test masks and histories -> plots/: what to look at before any number is believed.

python stages/render.py
"""

import pandas as pd

from automedsam.cases import Case, read_index
from automedsam.images import read_pixels
from automedsam.outputs import fresh_folder
from automedsam.paths import (
    DICE_HISTOGRAM,
    HISTORY,
    IMAGES,
    INDEX,
    LOSS_CURVES,
    PER_CASE,
    PROGRESS,
    PROGRESS_STRIP,
    PROMPTS,
    SNAPSHOTS,
    SOFT_MASKS,
    TEST_MASKS,
)
from automedsam.pictures import Snapshot, draw_dice_histogram, draw_loss_curves, draw_progress, draw_snapshot
from automedsam.progress import load_progress
from automedsam.stage import run

FIXED_SNAPSHOTS = 3  # of the same test cases in every run, so that runs can be laid side by side


def main() -> None:
    per_case = pd.read_csv(PER_CASE, converters={"case": str}).set_index("case")
    draw_loss_curves(LOSS_CURVES, pd.read_csv(HISTORY))
    draw_dice_histogram(DICE_HISTOGRAM, per_case)
    draw_strip(read_index(INDEX, "val"))
    draw_snapshots(read_index(INDEX, "test"), per_case)


def draw_strip(val_cases: list[Case]) -> None:
    masks = load_progress(PROGRESS)
    shown = [case for case in val_cases if case.name in masks]
    images = [read_pixels(IMAGES / f"{case.name}.png") for case in shown]
    draw_progress(PROGRESS_STRIP, images, [case.box_xyxy for case in shown], [masks[case.name] for case in shown])


def draw_snapshots(test_cases: list[Case], per_case: pd.DataFrame) -> None:
    """The best, the median and the worst case, and a few that are always the same."""
    by_dice = per_case.sort_values("dice", kind="stable").index
    chosen = {"worst": by_dice[0], "median": by_dice[len(by_dice) // 2], "best": by_dice[-1]}
    fixed = test_cases[:: max(len(test_cases) // FIXED_SNAPSHOTS, 1)][:FIXED_SNAPSHOTS]
    chosen |= {f"fixed_{number}": case.name for number, case in enumerate(fixed, start=1)}
    cases = {case.name: case for case in test_cases}
    prompts = pd.read_csv(PROMPTS, converters={"case": str}).set_index("case").drop(columns="group")
    with fresh_folder(SNAPSHOTS) as folder:
        for role, name in chosen.items():
            row, prompt = per_case.loc[name], prompts.loc[name]
            snapshot = Snapshot(
                title=f"{role.replace('_', ' ')}: {name}",
                image=read_pixels(IMAGES / f"{name}.png"),
                truth=read_pixels(TEST_MASKS / f"{name}.png") > 0,
                soft_mask=read_pixels(SOFT_MASKS / f"{name}.png"),
                true_box=cases[name].box_xyxy,
                prompt=tuple(prompt) or None,
                scores={
                    "Dice": row["dice"],
                    "IoU": row["iou"],
                    "loss": row["loss"],
                    "empty": row["loss_empty"],
                    "tightbox": row["loss_tightbox"],
                    "size": row["loss_size"],
                },
            )
            draw_snapshot(folder / f"{role}.png", snapshot)


if __name__ == "__main__":
    run(main)
