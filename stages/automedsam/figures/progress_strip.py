"""The probability on a few held-out cases over the epochs."""

from collections.abc import Sequence
from itertools import product
from pathlib import Path

import numpy as np

from automedsam.cases.boxes import BoxesByClass
from automedsam.cases.classes import Classes
from automedsam.cases.colours import GREEN
from automedsam.figures.panels import (
    draw_boxes,
    image_panels,
    legend_lines,
    save_figure,
    show_image,
)


def draw_progress(
    path: Path,
    images: Sequence[np.ndarray],
    boxes: Sequence[BoxesByClass],
    masks: Sequence[dict[int, np.ndarray]],
    classes: Classes,
) -> None:
    """Draw one row per case: the image, then the probability after each shown epoch.

    Args:
      path: the PNG to write.
      images: (H, W) or (H, W, 3) uint8, of each case.
      boxes: given boxes of each case, px.
      masks: epoch -> soft mask (H, W) uint8 of the likeliest class per pixel, of each case.
      classes: the classes.
    """
    columns = 1 + len(masks[0])
    figure, axes = image_panels(len(images), columns, images[0].shape[:2], panel_width=2.0)
    colours = {cls.value: classes.colour_of(cls, single=GREEN) for cls in classes}
    for row, image, case_boxes, by_epoch in zip(axes, images, boxes, masks, strict=True):
        show_image(row[0], "image", image, vmax=255)
        for panel, (epoch, soft_mask) in zip(row[1:], by_epoch.items(), strict=True):
            heat = show_image(panel, f"epoch {epoch}", soft_mask / 255, vmax=1, cmap="viridis")
        for panel, cls in product(row, classes):
            draw_boxes(panel, case_boxes[cls.value], cls.name, colours[cls.value], "-")
    figure.colorbar(heat, ax=axes, ticks=[0, 0.5, 1], shrink=0.4)
    if classes.is_single:
        figure.suptitle("Predicted probability on held-out cases, and the given box")
    else:
        figure.suptitle("Probability of the likeliest class on held-out cases, and the given boxes")
        lines = legend_lines({cls.name: colours[cls.value] for cls in classes})
        figure.legend(handles=lines, loc="outside lower center", ncols=columns, frameon=False)
    save_figure(figure, path)
