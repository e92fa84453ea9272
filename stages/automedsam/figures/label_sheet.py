"""A contact sheet of the pseudo-labels: each training image with its boxes and its pseudo-label."""

import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from automedsam.cases.boxes import Box
from automedsam.cases.colours import GREEN, ORANGE, RED
from automedsam.figures.panels import draw_boxes, legend_lines, save_figure, show_image

COLUMNS = 5
MAX_SHOWN = 40


@dataclass(frozen=True)
class ShownLabel:
    """A pseudo-label, and the image that it was made for."""

    name: str  # of the case, and of the class if there are several
    boxes_xyxy: tuple[Box, ...]  # px
    image: np.ndarray  # (H, W) or (H, W, 3) uint8
    probability: np.ndarray  # (H, W), 0 to 1
    rejection: str | None  # the reason for rejecting it


class LabelSheet:
    """Counts pseudo-labels, and keeps as many of either kind as fit on the sheet."""

    def __init__(self) -> None:
        self.accepted = 0
        self.rejected = 0
        self._shown: list[ShownLabel] = []

    def add(self, label: ShownLabel) -> None:
        """Count a label; the first ones of each kind are shown."""
        if label.rejection is None:
            self.accepted += 1
            number = self.accepted
        else:
            self.rejected += 1
            number = self.rejected
        if number <= MAX_SHOWN:
            self._shown.append(label)

    def draw(self, path: Path) -> None:
        """Draw the sheet, rejected labels first, with contours at probability 0.5."""
        shown = sorted(self._shown, key=lambda label: label.rejection is None)[:MAX_SHOWN]
        rows = max(math.ceil(len(shown) / COLUMNS), 1)
        figure = Figure(figsize=(14, 2.9 * rows + 0.4), layout="constrained")
        panels: np.ndarray = figure.subplots(rows, COLUMNS, squeeze=False)
        for panel in panels.flat:
            panel.set_axis_off()
        for panel, label in zip(panels.flat, shown, strict=False):
            _draw_label(panel, label)
        lines = {"given box": GREEN, "pseudo-label": ORANGE}
        if self.rejected:
            lines["rejected"] = RED
        handles = legend_lines(lines)
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        save_figure(figure, path)


def _draw_label(panel: Axes, label: ShownLabel) -> None:
    is_rejected = label.rejection is not None
    title = f"{label.name}: rejected,\nit {label.rejection}" if is_rejected else label.name
    show_image(panel, title, label.image, vmax=255)
    draw_boxes(panel, label.boxes_xyxy, "given box", GREEN, "-")
    if (label.probability > 0.5).any():
        colour = RED if is_rejected else ORANGE
        panel.contour(label.probability, [0.5], colors=[colour], linewidths=1.5)
