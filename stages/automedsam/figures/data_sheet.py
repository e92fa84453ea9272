"""What a careful person looks at before training: the images with their boxes, and how they are spread."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from automedsam.cases.case import SPLITS, Case
from automedsam.cases.classes import Classes
from automedsam.cases.colours import BLACK, BLUE, GREEN, ORANGE
from automedsam.figures.panels import draw_boxes, legend_lines, save_figure, show_image
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import image_path

SHOWN = {"train": 12, "val": 6, "test": 6}
COLUMNS = 6
COLOURS = {"train": BLUE, "val": ORANGE, "test": BLACK}


def draw_data_sheet(path: Path, cases: list[Case], images: Path, classes: Classes) -> None:
    """A contact sheet with boxes, and below it object sizes and places, splits and intensities.

    Args:
      cases: of all splits.
      images: the folder of their prepared images.
      classes: of the boxes; several have a colour each.
    """
    shown = {
        split: _spread([c for c in cases if c.split == split], SHOWN[split]) for split in SPLITS
    }
    rows = [
        chosen[at : at + COLUMNS]
        for chosen in shown.values()
        for at in range(0, len(chosen), COLUMNS)
    ]
    figure = Figure(figsize=(14, 2.5 * len(rows) + 4.2), layout="constrained")
    sheet, below = figure.subfigures(2, 1, height_ratios=[2.5 * len(rows), 4.2])  # type: ignore[misc]
    panels: np.ndarray = sheet.subplots(len(rows), COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    colours = {cls: classes.colour_of(cls, single=GREEN) for cls in classes}
    if not classes.is_single:
        handles = legend_lines({cls.name: colour for cls, colour in colours.items()})
        sheet.legend(handles=handles, loc="outside upper center", ncols=len(classes), frameon=False)
    for row, row_cases in zip(panels, rows, strict=True):
        for panel, case in zip(row, row_cases, strict=False):
            image = read_image(image_path(images, case.name))
            show_image(panel, f"{case.split}: {_shorten(case.name)}", image, vmax=255)
            for cls, colour in colours.items():
                draw_boxes(panel, case.boxes[cls.value], cls.name, colour, "-")
    sizes, places, counts, values = below.subplots(1, 4)
    _draw_sizes(sizes, cases)
    _draw_places(places, cases)
    _draw_counts(counts, cases)
    _draw_values(values, cases)
    save_figure(figure, path)


def _spread(cases: list[Case], count: int) -> list[Case]:
    """At most `count` of the cases, evenly spaced; those with an object first, as there is more to see."""
    ordered = [c for c in cases if c.has_object] + [c for c in cases if not c.has_object]
    boxed = ordered[: max(sum(c.has_object for c in cases), count)]
    return [
        boxed[i] for i in np.linspace(0, len(boxed) - 1, min(count, len(boxed))).round().astype(int)
    ]


def _shorten(name: str) -> str:
    return name if len(name) <= 23 else f"{name[:11]}…{name[-11:]}"


def _draw_sizes(axes: Axes, cases: list[Case]) -> None:
    for split in SPLITS:
        boxes = np.array(
            [box for c in cases if c.split == split for box in c.all_boxes_xyxy]
        ).reshape(-1, 4)
        axes.plot(
            *(boxes[:, 2:] - boxes[:, :2]).T,
            "o",
            color=COLOURS[split],
            markersize=4,
            alpha=0.6,
            label=split,
        )
    axes.set(title="sizes of boxes", xlabel="width, px", ylabel="height, px")
    axes.margins(0.08)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _draw_places(axes: Axes, cases: list[Case]) -> None:
    """How often each place of the image lies inside a box, all images stretched to one square."""
    cells = 64
    heat = np.zeros((cells, cells))
    for case in cases:
        covered = np.zeros((cells, cells), bool)
        for box in case.all_boxes_xyxy:
            edges = np.divide(box, (case.width, case.height) * 2) * cells
            (x0, y0), (x1, y1) = np.floor(edges[:2]).astype(int), np.ceil(edges[2:]).astype(int)
            covered[y0:y1, x0:x1] = True
        heat += covered
    boxed = max(sum(case.has_object for case in cases), 1)
    show_image(
        axes,
        "share of cases boxed at each place",
        heat / boxed,
        vmax=max(heat.max() / boxed, 0.01),
        cmap="viridis",
    )


def _draw_counts(axes: Axes, cases: list[Case]) -> None:
    for place, split in enumerate(SPLITS):
        of_split = [c for c in cases if c.split == split]
        boxed = sum(c.has_object for c in of_split)
        axes.bar(place, boxed, color=COLOURS[split])
        axes.bar(
            place,
            len(of_split) - boxed,
            bottom=boxed,
            color="white",
            edgecolor=COLOURS[split],
            hatch="//",
        )
        axes.text(
            place, len(of_split), f"{boxed} + {len(of_split) - boxed}", ha="center", va="bottom"
        )
    axes.set(title="cases with + without an object", xticks=range(len(SPLITS)), xticklabels=SPLITS)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(top=1.1 * max(sum(c.split == split for c in cases) for split in SPLITS))


def _draw_values(axes: Axes, cases: list[Case]) -> None:
    """The raw values that became 0 and 255, a line a case."""
    ranged = sorted(
        (c for c in cases if c.value_range), key=lambda c: (SPLITS.index(c.split), c.name)
    )
    for split in SPLITS:
        numbers = [number for number, case in enumerate(ranged) if case.split == split]
        ranges = np.array([ranged[number].value_range for number in numbers]).reshape(-1, 2)
        axes.vlines(numbers, ranges[:, 0], ranges[:, 1], color=COLOURS[split])
    axes.set(
        title="raw values shown from black to white",
        xlabel="case, by split and name",
        ylabel="value",
    )
