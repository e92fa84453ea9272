"""TODO"""

from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from automedsam.cases.colours import (
    BLACK,
    BLUE,
    GREEN,
    ORANGE,
    RED,
    SKY,
)
from automedsam.figures.panels import save_figure


def draw_loss_curves(path: Path, history: pd.DataFrame) -> None:
    """Losses, their parts and the choice of the best epoch, over the epochs of plots/train.csv."""
    figure = Figure(figsize=(13, 3.8), layout="constrained")
    total, parts, choice = figure.subplots(1, 3)
    _draw_curves(
        total,
        history,
        {"loss": (BLUE, "-"), "val_loss": (ORANGE, "--")},
        "training loss; box losses on validation cases",
    )
    looks = {
        "loss_empty": (GREEN, "-"),
        "loss_tightbox": (RED, "--"),
        "loss_size": (BLUE, ":"),
        "loss_pseudo": (ORANGE, "-."),
        "loss_box": (SKY, "-"),
        "loss_embedding": (GREEN, "-"),
        "loss_image": (BLUE, "--"),
    }
    styles = {column: look for column, look in looks.items() if column in history}
    _draw_curves(parts, history, styles, "parts, unweighted (training)")
    if "loss_tightbox" in history:  # far greater than the others, and below zero
        parts.set_yscale("symlog")
    _draw_curves(
        choice, history, {"val_box_iou": (BLACK, "-")}, "overlap with the validation boxes"
    )
    choice.set_ylim(0, 1)
    best = history.sort_values(
        ["val_box_iou", "val_loss"], ascending=[False, True], kind="stable"
    ).iloc[0]
    choice.plot(
        best["epoch"], best["val_box_iou"], "o", color=RED, label=f"best: epoch {best['epoch']:.0f}"
    )
    choice.legend(frameon=False)
    save_figure(figure, path)


def draw_score_histogram(path: Path, per_case: pd.DataFrame) -> None:
    """How the Dice of the test cases is spread, with the yardsticks' means as lines; the box overlap without masks.

    Args:
      per_case: a row a case, or a case and class.
    """
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    axes = figure.subplots()
    score, name = (
        ("dice", "Dice")
        if per_case["dice"].notna().any()
        else ("box_iou", "overlap with the given boxes (IoU)")
    )
    scored = per_case[per_case[score].notna()]
    axes.hist(scored[score], bins=np.linspace(0, 1, 21).tolist(), color=SKY, edgecolor="white")
    for column, label, colour, style in (
        (score, "automatic, no prompt", BLUE, "-"),
        ("true_box_dice", "backbone with the true box", GREEN, "--"),
        ("mean_box_dice", "backbone with the mean training box", RED, "-."),
        ("box_fill_dice", "true box filled", BLACK, ":"),
    ):
        if scored[column].notna().any():
            mean = scored[column].mean()
            axes.axvline(
                mean, color=colour, linestyle=style, linewidth=2, label=f"{label}: mean {mean:.3f}"
            )
    counted, where = (
        ("test cases", " with an object")
        if per_case["case"].is_unique
        else ("objects", " in test cases")
    )
    axes.set(
        xlim=(0, 1), xlabel=name, ylabel=counted, title=f"{name} of {len(scored)} {counted}{where}"
    )
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, path)


def _draw_curves(
    axes: Axes, history: pd.DataFrame, styles: dict[str, tuple[str, str]], title: str
) -> None:
    for column, (colour, style) in styles.items():
        axes.plot(
            history["epoch"],
            history[column],
            color=colour,
            linestyle=style,
            linewidth=2,
            label=column,
        )
    axes.set(xlabel="epoch", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)
