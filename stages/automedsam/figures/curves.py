"""Curves of the losses over the epochs, and the histogram of the test scores."""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from automedsam.cases.colours import BLACK, BLUE, GREEN, ORANGE, RED, SKY
from automedsam.figures.panels import NO_TEST_CASES, save_figure, save_note

LineStyle = tuple[str, str]  # colour and dashes
TOTAL_STYLES = {"loss": (BLUE, "-"), "val_loss": (ORANGE, "--")}
# The two ways of training have different parts.
PART_STYLES = {
    "loss_empty": (GREEN, "-"),
    "loss_tightbox": (RED, "--"),
    "loss_size": (BLUE, ":"),
    "loss_pseudo": (ORANGE, "-."),
    "loss_box": (SKY, "-"),
    "loss_embedding": (GREEN, "-"),
    "loss_image": (BLUE, "--"),
}
CHOICE_STYLES = {"val_box_iou": (BLACK, "-"), "val_left_empty": (SKY, "--")}
# Column of per_case.csv -> label and style of the line at its mean.
BASELINE_STYLES = {
    "true_box_dice": ("backbone with the true box", GREEN, "--"),
    "mean_box_dice": ("backbone with the mean training box", RED, "-."),
    "box_fill_dice": ("true box filled", BLACK, ":"),
}


def draw_loss_curves(path: Path, history: pd.DataFrame, best_epoch: int) -> None:
    """Draw the losses, their parts and the choice of the best epoch over the epochs.

    Args:
      path: the PNG to write.
      history: plots/train.csv, one row per epoch.
      best_epoch: the epoch that the training keeps.
    """
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    total, parts, choice = figure.subplots(1, 3)
    _draw_curves(total, history, TOTAL_STYLES, "training loss; box losses on held-out cases")
    _draw_curves(parts, history, PART_STYLES, "parts, unweighted (training)")
    if "loss_tightbox" in history:  # far greater than the others, and also negative
        parts.set_yscale("symlog")
    _draw_curves(choice, history, CHOICE_STYLES, "overlap with held-out boxes")
    best = history.loc[history["epoch"] == best_epoch, "val_box_iou"]
    choice.plot([best_epoch], best, "o", color=RED, label=f"best: epoch {best_epoch}")
    choice.set_ylim(0, 1)
    choice.legend(frameon=False)
    save_figure(figure, path)


def draw_score_histogram(path: Path, per_case: pd.DataFrame) -> None:
    """Draw the histogram of the Dice of the test cases, with the means of the baselines as lines.

    Without true masks, the histogram shows the overlap with the given boxes instead; without test
    cases, there is a line of text.

    Args:
      path: the PNG to write.
      per_case: metrics/per_case.csv, one row per case and class.
    """
    if per_case.empty:
        save_note(path, NO_TEST_CASES)
        return
    score, score_name = "dice", "Dice"
    if per_case["dice"].isna().all():
        score, score_name = "box_iou", "overlap with the given boxes (IoU)"
    scored = per_case[per_case[score].notna()]

    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.hist(scored[score], bins=np.linspace(0, 1, 21).tolist(), color=SKY, edgecolor="white")
    lines = {score: ("automatic, no prompt", BLUE, "-"), **BASELINE_STYLES}
    for column, (label, colour, dashes) in lines.items():
        if scored[column].notna().any():
            mean = scored[column].mean()
            text = f"{label}: mean {mean:.3f}"
            axes.axvline(mean, color=colour, linestyle=dashes, linewidth=2, label=text)
    if per_case["case"].is_unique:
        unit, title = "test cases", f"{score_name} of {len(scored)} test cases with an object"
    else:
        unit, title = "objects", f"{score_name} of {len(scored)} objects in test cases"
    axes.set(xlim=(0, 1), xlabel=score_name, ylabel=unit, title=title)
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, path)


def _draw_curves(
    axes: Axes, history: pd.DataFrame, styles: dict[str, LineStyle], title: str
) -> None:
    """Draw the columns that the history has."""
    present = {column: style for column, style in styles.items() if column in history}
    for column, (colour, dashes) in present.items():
        axes.plot(
            history["epoch"],
            history[column],
            color=colour,
            linestyle=dashes,
            linewidth=2,
            label=column,
        )
    axes.set(xlabel="epoch", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
