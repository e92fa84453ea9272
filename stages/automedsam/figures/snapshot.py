"""TODO"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from automedsam.cases.boxes import EMPTY, Box, tight_box
from automedsam.cases.colours import (
    BLACK,
    GREEN,
    RED,
    SKY,
    class_colours,
    colour_labels,
)
from automedsam.figures.panels import (
    _panels,
    draw_box,
    draw_boxes,
    legend_lines,
    save_figure,
    show_image,
)


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
    figure.suptitle(
        f"{snapshot.title}\n{scores}", parse_math=False
    )  # a file name may hold a dollar sign
    show_image(axes[0, 0], "image", snapshot.image, vmax=255)
    if len(snapshot.classes) == 1:
        _draw_class(axes[0, 0], snapshot, snapshot.classes[0], "", (GREEN, RED, SKY))
    else:
        for shown, colour in zip(
            snapshot.classes, class_colours(len(snapshot.classes)), strict=True
        ):
            _draw_class(axes[0, 0], snapshot, shown, f"{shown.name}: ", (colour,) * 3)
    columns = (
        3 if len(snapshot.classes) == 1 else min(len(snapshot.classes), 4)
    )  # filled one by one: each a class's
    handles = axes[0, 0].get_legend_handles_labels()
    figure.legend(*handles, loc="outside lower left", ncols=columns, frameon=False, fontsize=9)
    if snapshot.truth is None:
        axes[0, 1].set_axis_off()
        axes[0, 1].text(
            0.5, 0.5, "nobody drew a mask", ha="center", va="center", transform=axes[0, 1].transAxes
        )
    else:
        _show_labels(axes[0, 1], "true mask", snapshot.truth, snapshot.classes)
    heat = show_image(
        axes[0, 2], "predicted probability", snapshot.soft_mask / 255, vmax=1, cmap="viridis"
    )
    figure.colorbar(heat, ax=axes[0, 2], ticks=[0, 0.5, 1], shrink=0.9)
    _show_labels(axes[0, 3], "predicted mask", snapshot.labels, snapshot.classes)
    save_figure(figure, path)


def _draw_class(
    axes: Axes, snapshot: Snapshot, shown: ShownClass, prefix: str, colours: tuple[str, str, str]
) -> None:
    """The true and the predicted box of one class, and its prompt; the line styles tell them apart as well."""
    of_truth, of_mask, of_prompt = colours
    predicted = tight_box(snapshot.labels == shown.value)
    given = "given box" if snapshot.truth is None else "true box"
    draw_boxes(axes, shown.boxes_xyxy, f"{prefix}{given}", of_truth, "-")
    draw_boxes(
        axes,
        [predicted] if predicted != EMPTY else [],
        f"{prefix}box of the predicted mask",
        of_mask,
        "--",
    )
    if shown.prompt is not None:
        _draw_prompt(axes, shown.prompt, f"{prefix}predicted prompt", of_prompt)


def _show_labels(axes: Axes, title: str, labels: np.ndarray, classes: Sequence[ShownClass]) -> None:
    """A label mask: of one class white, of several in their colours."""
    if len(classes) == 1:
        show_image(axes, title, labels > 0, vmax=1)
    else:
        show_image(axes, title, colour_labels(labels, [shown.value for shown in classes]), vmax=255)


def draw_progress(
    path: Path,
    images: list[np.ndarray],
    boxes: list[dict[str, tuple[Box, ...]]],
    masks: list[dict[int, np.ndarray]],
) -> None:
    """A row a case: the image, then the probability after ever more epochs; the given boxes on each.

    Args:
      images: (H, W[, 3]) uint8, of the fixed cases.
      boxes: class to given boxes, of each.
      masks: epoch to soft mask (H, W) uint8, of the likeliest class at each pixel, of each.
    """
    figure, axes = _panels(len(images), 1 + len(masks[0]), images[0].shape[:2], panel_width=2.0)
    names = list(boxes[0])
    colours = dict(
        zip(names, class_colours(len(names)) if len(names) > 1 else [GREEN], strict=True)
    )
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
        figure.suptitle(
            "Probability of the likeliest class on validation cases, and the given boxes"
        )
        figure.legend(
            handles=legend_lines(colours),
            loc="outside lower center",
            ncols=1 + len(masks[0]),
            frameon=False,
        )
    save_figure(figure, path)


def _draw_prompt(
    axes: Axes, prompt: tuple[float, float, float, float], label: str, colour: str
) -> None:
    x0, y0, x1, y1 = prompt
    if (x0, y0) == (x1, y1):
        axes.plot(
            x0 - 0.5, y0 - 0.5, "*", color=colour, markersize=12, markeredgecolor=BLACK, label=label
        )
    else:
        draw_box(axes, prompt, label, colour, ":")  # type: ignore[arg-type]
