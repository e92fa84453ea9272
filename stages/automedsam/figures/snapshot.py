"""A snapshot of one test case: image with boxes, masks, probability and scores."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from automedsam.cases.boxes import EMPTY, BoxesByClass, tight_box
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.colours import BLACK, GREEN, RED, SKY, colour_labels
from automedsam.figures.panels import (
    BoxEdges,
    draw_box,
    draw_boxes,
    image_panels,
    save_figure,
    show_image,
)

LEGEND_COLUMNS = 4


@dataclass(frozen=True)
class Snapshot:
    """Everything that a snapshot shows."""

    title: str
    image: np.ndarray  # (H, W) or (H, W, 3) uint8
    truth: np.ndarray | None  # label mask (H, W) uint8; None if there is no true mask
    labels: np.ndarray  # predicted label mask (H, W) uint8
    soft_mask: np.ndarray  # (H, W) uint8, probability 0 to 255
    classes: Classes
    boxes: BoxesByClass  # true or given boxes, px
    # Class value -> predicted box in px; a point as x, y, x, y. None: no prompt.
    prompts: Mapping[int, BoxEdges | None]
    scores: dict[str, float]


def draw_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Draw the panels of a snapshot, with its scores in the title."""
    figure, axes = image_panels(1, 4, snapshot.soft_mask.shape)
    image, truth, heat, prediction = axes[0]
    scores = "   ".join(f"{name} {value:.3g}" for name, value in snapshot.scores.items())
    # A file name may contain a dollar sign.
    figure.suptitle(f"{snapshot.title}\n{scores}", parse_math=False)

    show_image(image, "image", snapshot.image, vmax=255)
    for cls in snapshot.classes:
        _draw_class(image, snapshot, cls)
    # The legend is filled column by column: with several classes, each has one.
    columns = 3 if snapshot.classes.is_single else min(len(snapshot.classes), LEGEND_COLUMNS)
    handles = image.get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=9)

    if snapshot.truth is None:
        truth.set_axis_off()
        truth.text(0.5, 0.5, "no true mask", ha="center", va="center", transform=truth.transAxes)
    else:
        _show_labels(truth, "true mask", snapshot.truth, snapshot.classes)
    shown = show_image(heat, "predicted probability", snapshot.soft_mask / 255, 1, "viridis")
    figure.colorbar(shown, ax=heat, ticks=[0, 0.5, 1], shrink=0.9)
    _show_labels(prediction, "predicted mask", snapshot.labels, snapshot.classes)
    save_figure(figure, path)


def _draw_class(axes: Axes, snapshot: Snapshot, cls: ObjectClass) -> None:
    """Draw the true and the predicted box of one class and its prompt, in different line styles."""
    classes = snapshot.classes
    prefix = "" if classes.is_single else f"{cls.name}: "
    given = "given box" if snapshot.truth is None else "true box"
    predicted = tight_box(snapshot.labels == cls.value)
    draw_boxes(
        axes,
        snapshot.boxes[cls.value],
        f"{prefix}{given}",
        classes.colour_of(cls, single=GREEN),
        "-",
    )
    draw_boxes(
        axes,
        [] if predicted == EMPTY else [predicted],
        f"{prefix}box of the predicted mask",
        classes.colour_of(cls, single=RED),
        "--",
    )
    prompt = snapshot.prompts[cls.value]
    if prompt is not None:
        colour = classes.colour_of(cls, single=SKY)
        _draw_prompt(axes, prompt, f"{prefix}predicted prompt", colour)


def _draw_prompt(axes: Axes, prompt: BoxEdges, label: str, colour: str) -> None:
    x0, y0, x1, y1 = prompt
    if (x0, y0) != (x1, y1):
        draw_box(axes, prompt, label, colour, ":")
        return
    axes.plot(
        x0 - 0.5, y0 - 0.5, "*", color=colour, markersize=12, markeredgecolor=BLACK, label=label
    )


def _show_labels(axes: Axes, title: str, labels: np.ndarray, classes: Classes) -> None:
    """Show a label mask: a single class in white, several in their colours."""
    colours = {cls.value: classes.colour_of(cls, single="#FFFFFF") for cls in classes}
    show_image(axes, title, colour_labels(labels, colours), vmax=255)
