"""Figures of cases and of the training: legible, the same bytes each time, safe for colour-blind eyes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from automedsam.boxes import EMPTY, Box, tight_box
from automedsam.colours import BLACK, BLUE, GREEN, ORANGE, RED, SKY, class_colours, colour_labels

DOTS_PER_INCH = 80


@dataclass(frozen=True)
class ShownClass:
    """Of one class in one test case."""

    name: str
    value: int  # in label masks
    boxes_xyxy: tuple[Box, ...]  # px, half open
    prompt: tuple[float, float, float, float] | None  # box_xyxy in px; a point as x, y, x, y


@dataclass(frozen=True)
class Snapshot:
    """All that there is to show of one test case."""

    title: str
    image: np.ndarray  # (H, W) or (H, W, 3) uint8
    truth: np.ndarray | None  # (H, W) uint8, the classes' values
    labels: np.ndarray  # (H, W) uint8, as predicted
    soft_mask: np.ndarray  # (H, W) uint8, probability 0 to 255
    classes: tuple[ShownClass, ...]
    scores: dict[str, float]


def draw_snapshot(path: Path, snapshot: Snapshot) -> None:
    """Image with boxes, true mask, soft mask as a heat map, binary mask, and the scores above."""
    figure, axes = _panels(1, 4, snapshot.soft_mask.shape)
    scores = "   ".join(f"{name} {value:.3g}" for name, value in snapshot.scores.items())
    figure.suptitle(f"{snapshot.title}\n{scores}", parse_math=False)  # a file name may hold a dollar sign
    show_image(axes[0, 0], "image", snapshot.image, vmax=255)
    if len(snapshot.classes) == 1:
        _draw_class(axes[0, 0], snapshot, snapshot.classes[0], "", (GREEN, RED, SKY))
    else:
        for shown, colour in zip(snapshot.classes, class_colours(len(snapshot.classes)), strict=True):
            _draw_class(axes[0, 0], snapshot, shown, f"{shown.name}: ", (colour,) * 3)
    columns = 3 if len(snapshot.classes) == 1 else min(len(snapshot.classes), 4)  # filled one by one: each a class's
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=9)
    if snapshot.truth is None:
        axes[0, 1].set_axis_off()
        axes[0, 1].text(0.5, 0.5, "nobody drew a mask", ha="center", va="center", transform=axes[0, 1].transAxes)
    else:
        _show_labels(axes[0, 1], "true mask", snapshot.truth, snapshot.classes)
    heat = show_image(axes[0, 2], "predicted probability", snapshot.soft_mask / 255, vmax=1, cmap="viridis")
    figure.colorbar(heat, ax=axes[0, 2], ticks=[0, 0.5, 1], shrink=0.9)
    _show_labels(axes[0, 3], "predicted mask", snapshot.labels, snapshot.classes)
    save_figure(figure, path)


def _draw_class(axes: Axes, snapshot: Snapshot, shown: ShownClass, prefix: str, colours: tuple[str, str, str]) -> None:
    """The true and the predicted box of one class, and its prompt; the line styles tell them apart as well."""
    of_truth, of_mask, of_prompt = colours
    predicted = tight_box(snapshot.labels == shown.value)
    given = "given box" if snapshot.truth is None else "true box"
    draw_boxes(axes, shown.boxes_xyxy, f"{prefix}{given}", of_truth, "-")
    draw_boxes(axes, [predicted] if predicted != EMPTY else [], f"{prefix}box of the predicted mask", of_mask, "--")
    if shown.prompt is not None:
        _draw_prompt(axes, shown.prompt, f"{prefix}predicted prompt", of_prompt)


def _show_labels(axes: Axes, title: str, labels: np.ndarray, classes: Sequence[ShownClass]) -> None:
    """A label mask: of one class white, of several in their colours."""
    if len(classes) == 1:
        show_image(axes, title, labels > 0, vmax=1)
    else:
        show_image(axes, title, colour_labels(labels, [shown.value for shown in classes]), vmax=255)


def draw_progress(
    path: Path, images: list[np.ndarray], boxes: list[dict[str, tuple[Box, ...]]], masks: list[dict[int, np.ndarray]]
) -> None:
    """A row a case: the image, then the probability after ever more epochs; the given boxes on each.

    Args:
      images: (H, W[, 3]) uint8, of the fixed cases.
      boxes: class to given boxes, of each.
      masks: epoch to soft mask (H, W) uint8, of the likeliest class at each pixel, of each.
    """
    figure, axes = _panels(len(images), 1 + len(masks[0]), images[0].shape[:2], panel_width=2.0)
    names = list(boxes[0])
    colours = dict(zip(names, class_colours(len(names)) if len(names) > 1 else [GREEN], strict=True))
    for row, image, by_class, by_epoch in zip(axes, images, boxes, masks, strict=True):
        show_image(row[0], "image", image, vmax=255)
        for panel, (epoch, soft_mask) in zip(row[1:], by_epoch.items(), strict=True):
            heat = show_image(panel, f"epoch {epoch}", soft_mask / 255, vmax=1, cmap="viridis")
        for panel, (name, boxes_xyxy) in product(row, by_class.items()):
            draw_boxes(panel, boxes_xyxy, name, colours[name], "-")
    figure.colorbar(heat, ax=axes, ticks=[0, 0.5, 1], shrink=0.4)
    if len(names) == 1:
        figure.suptitle("Predicted probability on validation cases, and the given box")
    else:
        figure.suptitle("Probability of the likeliest class on validation cases, and the given boxes")
        figure.legend(handles=legend_lines(colours), loc="outside lower center", ncols=1 + len(masks[0]), frameon=False)
    save_figure(figure, path)


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
    _draw_curves(choice, history, {"val_box_iou": (BLACK, "-")}, "overlap with the validation boxes")
    choice.set_ylim(0, 1)
    best = history.sort_values(["val_box_iou", "val_loss"], ascending=[False, True], kind="stable").iloc[0]
    choice.plot(best["epoch"], best["val_box_iou"], "o", color=RED, label=f"best: epoch {best['epoch']:.0f}")
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
        ("dice", "Dice") if per_case["dice"].notna().any() else ("box_iou", "overlap with the given boxes (IoU)")
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
            axes.axvline(mean, color=colour, linestyle=style, linewidth=2, label=f"{label}: mean {mean:.3f}")
    counted, where = ("test cases", " with an object") if per_case["case"].is_unique else ("objects", " in test cases")
    axes.set(xlim=(0, 1), xlabel=name, ylabel=counted, title=f"{name} of {len(scored)} {counted}{where}")
    figure.legend(loc="outside lower center", ncols=2, frameon=False)
    save_figure(figure, path)


def _panels(
    rows: int, columns: int, image_size: tuple[int, ...], panel_width: float = 3.0
) -> tuple[Figure, np.ndarray]:
    """A figure with (rows, columns) axes of the image's shape."""
    panel_height = panel_width * image_size[0] / image_size[1]
    figure = Figure(figsize=(columns * panel_width + 0.5, rows * panel_height + 1.1), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_image(axes: Axes, title: str, pixels: np.ndarray, vmax: float, cmap: str = "gray") -> AxesImage:
    """Pixels (H, W[, 3]) from 0 to `vmax`, as they are."""
    axes.set_title(title, fontsize=10, parse_math=False)  # a file name may hold a dollar sign
    axes.set_axis_off()
    return axes.imshow(pixels, cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest")


def draw_boxes(axes: Axes, boxes_xyxy: Sequence[Box], label: str, colour: str, style: str) -> None:
    """Each box, and one entry in the legend."""
    label = label.replace("$", r"\$")  # a class's name is no formula
    for number, box in enumerate(boxes_xyxy):
        draw_box(axes, box, "_" * bool(number) + label, colour, style)  # matplotlib leaves out what starts with "_"


def legend_lines(colours: Mapping[str, str]) -> list[Line2D]:
    """For a legend: a line of each colour, by what it stands for."""
    return [Line2D([], [], color=colour, label=label.replace("$", r"\$")) for label, colour in colours.items()]


def draw_box(axes: Axes, box_xyxy: Box, label: str, colour: str, style: str) -> None:
    """Along the outer edges of the box's pixels, whose centres lie at whole numbers."""
    x0, y0, x1, y1 = box_xyxy
    place = (x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0
    outline = [withStroke(linewidth=3.5, foreground=BLACK)]  # seen on any image
    axes.add_patch(
        Rectangle(*place, fill=False, edgecolor=colour, linestyle=style, linewidth=2, label=label, path_effects=outline)
    )


def _draw_prompt(axes: Axes, prompt: tuple[float, float, float, float], label: str, colour: str) -> None:
    x0, y0, x1, y1 = prompt
    if (x0, y0) == (x1, y1):
        axes.plot(x0 - 0.5, y0 - 0.5, "*", color=colour, markersize=12, markeredgecolor=BLACK, label=label)
    else:
        draw_box(axes, prompt, label, colour, ":")  # type: ignore[arg-type]


def _draw_curves(axes: Axes, history: pd.DataFrame, styles: dict[str, tuple[str, str]], title: str) -> None:
    for column, (colour, style) in styles.items():
        axes.plot(history["epoch"], history[column], color=colour, linestyle=style, linewidth=2, label=column)
    axes.set(xlabel="epoch", title=title)
    axes.grid(alpha=0.3)
    axes.legend(frameon=False)


def save_figure(figure: Figure, path: Path) -> None:
    """The same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
