"""A contact sheet of pseudo-labels or self-labels: each image with its boxes and its label."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from automedsam.cases.colours import GREEN, ORANGE, RED
from automedsam.figures.panels import BoxEdges, draw_boxes, legend_lines, save_figure, show_image

COLUMNS = 5
MAX_SHOWN = 40


@dataclass(frozen=True)
class ShownLabel:
    """A label, and the image that it was made for."""

    name: str  # of the case, and of the class if there are several
    boxes_xyxy: Sequence[BoxEdges]  # px
    image: np.ndarray  # (H, W) or (H, W, 3) uint8
    probability: np.ndarray  # (H, W), 0 to 1
    score: str  # in words, for example "agreement 0.88"
    rejection: str | None  # the reason for rejecting it


class LabelSheet:
    """Keeps as many labels, accepted and rejected ones, as fit on the sheet."""

    def __init__(self, label_name: str, box_name: str) -> None:
        """Start without labels.

        Args:
          label_name: what the labels are called in the legend.
          box_name: what their boxes are called.
        """
        self._label_name, self._box_name = label_name, box_name
        self._accepted: list[ShownLabel] = []
        self._rejected: list[ShownLabel] = []

    def add(self, label: ShownLabel) -> None:
        """Keep a label if it is among the first ones of its kind."""
        kept = self._accepted if label.rejection is None else self._rejected
        if len(kept) < MAX_SHOWN:
            kept.append(label)

    def draw(self, path: Path, title: str) -> None:
        """Draw the sheet, rejected labels first, with contours at probability 0.5.

        Args:
          path: the PNG to write.
          title: what to state above the images, in one or more lines.
        """
        shown = [*self._rejected, *self._accepted][:MAX_SHOWN]
        rows = max(math.ceil(len(shown) / COLUMNS), 1)
        title_height = 0.25 * len(title.splitlines())  # inches
        figure = Figure(figsize=(14, 2.9 * rows + title_height + 0.4), layout="constrained")
        figure.suptitle(title, fontsize=12, parse_math=False)  # a class's name may contain a dollar
        panels: np.ndarray = figure.subplots(rows, COLUMNS, squeeze=False)
        for panel in panels.flat:
            panel.set_axis_off()
        for panel, label in zip(panels.flat, shown, strict=False):
            _draw_label(panel, label, self._box_name)
        lines = {self._box_name: GREEN, self._label_name: ORANGE}
        if self._rejected:
            lines["rejected"] = RED
        handles = legend_lines(lines)
        figure.legend(handles=handles, loc="outside lower center", ncols=3, frameon=False)
        save_figure(figure, path)


def _draw_label(panel: Axes, label: ShownLabel, box_name: str) -> None:
    is_rejected = label.rejection is not None
    show_image(panel, _caption(label), label.image, vmax=255)
    draw_boxes(panel, label.boxes_xyxy, box_name, GREEN, "-")
    if (label.probability > 0.5).any():
        colour = RED if is_rejected else ORANGE
        panel.contour(label.probability, [0.5], colors=[colour], linewidths=1.5)


def _caption(label: ShownLabel) -> str:
    """Short lines, so that the captions of neighbours do not overlap."""
    caption = f"{label.name}\n{label.score}"
    return caption if label.rejection is None else f"{caption}, rejected:\nit {label.rejection}"
