"""Figures of cases and of the training: legible, the same bytes each time, safe for colour-blind eyes."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.patheffects import withStroke

from automedsam.cases.boxes import Box
from automedsam.cases.colours import (
    BLACK,
)

DOTS_PER_INCH = 80


def _panels(
    rows: int, columns: int, image_size: tuple[int, ...], panel_width: float = 3.0
) -> tuple[Figure, np.ndarray]:
    """A figure with (rows, columns) axes of the image's shape."""
    panel_height = panel_width * image_size[0] / image_size[1]
    figure = Figure(
        figsize=(columns * panel_width + 0.5, rows * panel_height + 1.1), layout="constrained"
    )
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_image(
    axes: Axes, title: str, pixels: np.ndarray, vmax: float, cmap: str = "gray"
) -> AxesImage:
    """Pixels (H, W[, 3]) from 0 to `vmax`, as they are."""
    axes.set_title(title, fontsize=10, parse_math=False)  # a file name may hold a dollar sign
    axes.set_axis_off()
    return axes.imshow(pixels, cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest")


def draw_boxes(axes: Axes, boxes_xyxy: Sequence[Box], label: str, colour: str, style: str) -> None:
    """Each box, and one entry in the legend."""
    label = label.replace("$", r"\$")  # a class's name is no formula
    for number, box in enumerate(boxes_xyxy):
        draw_box(
            axes, box, "_" * bool(number) + label, colour, style
        )  # matplotlib leaves out what starts with "_"


def legend_lines(colours: Mapping[str, str]) -> list[Line2D]:
    """For a legend: a line of each colour, by what it stands for."""
    return [
        Line2D([], [], color=colour, label=label.replace("$", r"\$"))
        for label, colour in colours.items()
    ]


def draw_box(axes: Axes, box_xyxy: Box, label: str, colour: str, style: str) -> None:
    """Along the outer edges of the box's pixels, whose centres lie at whole numbers."""
    x0, y0, x1, y1 = box_xyxy
    place = (x0 - 0.5, y0 - 0.5), x1 - x0, y1 - y0
    outline = [withStroke(linewidth=3.5, foreground=BLACK)]  # seen on any image
    axes.add_patch(
        Rectangle(
            *place,
            fill=False,
            edgecolor=colour,
            linestyle=style,
            linewidth=2,
            label=label,
            path_effects=outline,
        )
    )


def save_figure(figure: Figure, path: Path) -> None:
    """The same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})
