"""What the training learns from, to be looked at: each training image with its boxes and its pseudo-label."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure

from automedsam.cases.boxes import Box
from automedsam.cases.colours import GREEN, ORANGE, RED
from automedsam.figures.panels import draw_boxes, legend_lines, save_figure, show_image

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


class LabelReport:
    """Counts the labels, and keeps of either kind as many as the sheet has room for."""

    def __init__(self) -> None:
        self.kept = 0
        self.dropped = 0
        self._shown: list[Labelled] = []

    def add(self, labelled: Labelled) -> None:
        """The next one; of each kind the first are shown."""
        if labelled.fault is None:
            self.kept += 1
            is_shown = self.kept <= SHOWN
        else:
            self.dropped += 1
            is_shown = self.dropped <= SHOWN
        if is_shown:
            self._shown.append(labelled)

    def draw(self, path: Path) -> None:
        """A contact sheet, the dropped ones first: boxes, and the contour of each label where it is one half."""
        shown = sorted(self._shown, key=lambda of: of.fault is None)[:SHOWN]
        rows = max(-(-len(shown) // COLUMNS), 1)
        figure = Figure(figsize=(14, 2.9 * rows + 0.4), layout="constrained")
        panels: np.ndarray = figure.subplots(rows, COLUMNS, squeeze=False)
        for panel in panels.flat:
            panel.set_axis_off()
        for panel, of in zip(panels.flat, shown, strict=False):
            title = of.name if of.fault is None else f"{of.name}: dropped,\nit {of.fault}"
            show_image(panel, title, of.image, vmax=255)
            draw_boxes(panel, of.boxes_xyxy, "given box", GREEN, "-")
            if (of.label > 0.5).any():
                panel.contour(of.label, [0.5], colors=[RED if of.fault else ORANGE], linewidths=1.5)
        lines = {"given box": GREEN, "pseudo-label": ORANGE} | (
            {"dropped": RED} if self.dropped else {}
        )
        figure.legend(
            handles=legend_lines(lines), loc="outside lower center", ncols=3, frameon=False
        )
        save_figure(figure, path)
