"""Parts that all figures share: panels, images, boxes and legends, and reproducible files."""

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

from automedsam.cases.colours import BLACK

DOTS_PER_INCH = 80
NO_TEST_CASES = "no test images: see metrics/verdict.md"
BoxEdges = Sequence[float]  # x0, y0, x1, y1 in px, half open


def image_panels(
    rows: int, columns: int, image_size: tuple[int, ...], panel_width: float = 3.0
) -> tuple[Figure, np.ndarray]:
    """A figure with (rows, columns) axes that have the shape of the image; widths are in inches."""
    panel_height = panel_width * image_size[0] / image_size[1]
    size = (columns * panel_width + 0.5, rows * panel_height + 1.1)
    figure = Figure(figsize=size, layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False)


def show_image(
    axes: Axes, title: str, pixels: np.ndarray, vmax: float, cmap: str = "gray"
) -> AxesImage:
    """Show pixels (H, W) or (H, W, 3) from 0 to `vmax`, without interpolation."""
    axes.set_title(title, fontsize=10, parse_math=False)  # a file name may contain a dollar sign
    axes.set_axis_off()
    return axes.imshow(pixels, cmap=cmap, vmin=0, vmax=vmax, interpolation="nearest")


def draw_boxes(
    axes: Axes, boxes_xyxy: Sequence[BoxEdges], label: str, colour: str, style: str
) -> None:
    """Draw all boxes, with one entry in the legend."""
    label = _without_math(label)
    for number, box_xyxy in enumerate(boxes_xyxy):
        # Matplotlib leaves labels that start with "_" out of the legend.
        draw_box(axes, box_xyxy, label if number == 0 else f"_{label}", colour, style)


def draw_box(axes: Axes, box_xyxy: BoxEdges, label: str, colour: str, style: str) -> None:
    """Draw the outer edges of a box's pixels, whose centres are at whole numbers."""
    x0, y0, x1, y1 = box_xyxy
    rectangle = Rectangle(
        (x0 - 0.5, y0 - 0.5),
        x1 - x0,
        y1 - y0,
        fill=False,
        edgecolor=colour,
        linestyle=style,
        linewidth=2,
        label=label,
        path_effects=[withStroke(linewidth=3.5, foreground=BLACK)],  # visible on any image
    )
    axes.add_patch(rectangle)


def legend_lines(colours: Mapping[str, str]) -> list[Line2D]:
    """Legend entries: one line per label, in its colour."""
    return [
        Line2D([], [], color=colour, label=_without_math(label))
        for label, colour in colours.items()
    ]


def save_note(path: Path, text: str) -> None:
    """Write a line of text in place of a figure that has nothing to show."""
    figure = Figure(figsize=(8, 1))
    figure.text(0.5, 0.5, text, ha="center", va="center")
    save_figure(figure, path)


def save_figure(figure: Figure, path: Path) -> None:
    """Write a PNG without a time stamp, so that the same figure gives the same bytes."""
    FigureCanvasAgg(figure)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=DOTS_PER_INCH, metadata={"Software": None})


def _without_math(label: str) -> str:
    """The label as plain text: the name of a class may contain a dollar sign."""
    return label.replace("$", r"\$")
