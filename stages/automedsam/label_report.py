"""What the training learns from, to be looked at: each training image with its boxes and its pseudo-label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from automedsam.boxes import Box
from automedsam.colours import GREEN, ORANGE, RED
from automedsam.pictures import draw_boxes, save_figure, show_image

COLUMNS = 5
SHOWN = 40  # at most


@dataclass(frozen=True)
class Labelled:
    """A pseudo-label, and the image that it was made of."""

    name: str  # of the case, and of the class if there are several
    boxes_xyxy: tuple[Box, ...]  # px
    image: np.ndarray  # (H, W) or (H, W, 3) uint8
    label: np.ndarray  # (H, W) probability
    fault: str | None  # why it is dropped


def draw_labels(path: Path, labelled: list[Labelled]) -> None:
    """A contact sheet: boxes, and the contour of each label where it is one half; the dropped ones first, and red."""
    shown = sorted(labelled, key=lambda of: of.fault is None)[:SHOWN]
    rows = max(-(-len(shown) // COLUMNS), 1)
    figure = Figure(figsize=(14, 2.9 * rows), layout="constrained")
    panels: np.ndarray = figure.subplots(rows, COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    for panel, of in zip(panels.flat, shown, strict=False):
        show_image(panel, of.name if of.fault is None else f"{of.name}: dropped,\nit {of.fault}", of.image, vmax=255)
        draw_boxes(panel, of.boxes_xyxy, "box", GREEN, "-")
        if (of.label > 0.5).any():
            panel.contour(of.label, [0.5], colors=[RED if of.fault else ORANGE], linewidths=1.5)
    save_figure(figure, path)
