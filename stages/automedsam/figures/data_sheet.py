"""A sheet to check the data before training: images with their boxes, and distributions."""

from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from automedsam.cases.case import SPLITS, Case, Split
from automedsam.cases.classes import Classes
from automedsam.cases.colours import BLACK, BLUE, GREEN, ORANGE, PURPLE
from automedsam.figures.panels import draw_boxes, legend_lines, save_figure, show_image
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import image_path

MAX_SHOWN = {"train": 12, "val": 6, "test": 6, "unlabelled": 6}
SPLIT_COLOURS = {"train": BLUE, "val": ORANGE, "test": BLACK, "unlabelled": PURPLE}
COLUMNS = 6
MAX_NAME_LENGTH = 23  # characters; longer names would overlap
HEAT_MAP_CELLS = 64  # per side


def draw_data_sheet(path: Path, cases: list[Case], images: Path, classes: Classes) -> None:
    """Draw images with their boxes, and below them the distributions of all cases.

    The distributions are the sizes and positions of boxes, the numbers of cases, and the ranges of
    raw values.

    Args:
      path: the PNG to write.
      cases: the cases of all splits.
      images: the folder of their prepared images.
      classes: the classes; each of several has its own colour.
    """
    rows = _choose_rows(cases)
    images_height, plots_height = 2.5 * len(rows), 4.2  # inches
    figure = Figure(figsize=(14, images_height + plots_height), layout="constrained")
    sheet, below = figure.subfigures(2, 1, height_ratios=[images_height, plots_height])  # type: ignore[misc]
    colours = {cls: classes.colour_of(cls, single=GREEN) for cls in classes}
    panels: np.ndarray = sheet.subplots(len(rows), COLUMNS, squeeze=False)
    for panel in panels.flat:
        panel.set_axis_off()
    if not classes.is_single:
        handles = legend_lines({cls.name: colour for cls, colour in colours.items()})
        sheet.legend(handles=handles, loc="outside upper center", ncols=len(classes), frameon=False)
    for row_panels, row_cases in zip(panels, rows, strict=True):
        # The last row of a split may have fewer cases than panels.
        for panel, case in zip(row_panels, row_cases, strict=False):
            image = read_image(image_path(images, case.name))
            show_image(panel, f"{case.split}: {_shorten(case.name)}", image, vmax=255)
            for cls, colour in colours.items():
                draw_boxes(panel, case.boxes[cls.value], cls.name, colour, "-")
    sizes, positions, counts, values = below.subplots(1, 4)
    _draw_sizes(sizes, cases)
    _draw_positions(positions, cases)
    _draw_counts(counts, cases)
    _draw_value_ranges(values, cases)
    save_figure(figure, path)


def _choose_rows(cases: list[Case]) -> list[list[Case]]:
    """The cases to show, in rows; each split starts a new row."""
    rows = []
    for split in _used_splits(cases):
        shown = _choose_cases(_cases_in(split, cases), MAX_SHOWN[split])
        rows += [shown[start : start + COLUMNS] for start in range(0, len(shown), COLUMNS)]
    return rows


def _choose_cases(cases: list[Case], count: int) -> list[Case]:
    """At most `count` cases, evenly spaced.

    Cases without an object are chosen only if there are too few with one.
    """
    boxed = [case for case in cases if case.has_object]
    empty = [case for case in cases if not case.has_object]
    candidates = (boxed + empty)[: max(len(boxed), count)]
    positions = np.linspace(0, len(candidates) - 1, min(count, len(candidates)))
    return [candidates[index] for index in positions.round().astype(int)]


def _used_splits(cases: list[Case]) -> list[Split]:
    """The splits; `unlabelled` is among them if it has cases."""
    return [*SPLITS, "unlabelled"] if _cases_in("unlabelled", cases) else [*SPLITS]


def _cases_in(split: Split, cases: list[Case]) -> list[Case]:
    return [case for case in cases if case.split == split]


def _shorten(name: str) -> str:
    if len(name) <= MAX_NAME_LENGTH:
        return name
    kept = MAX_NAME_LENGTH // 2  # characters on either side of the ellipsis
    return f"{name[:kept]}…{name[-kept:]}"


def _draw_sizes(axes: Axes, cases: list[Case]) -> None:
    """Draw the width and height of each box as a point."""
    for split in SPLITS:
        boxes_xyxy = [box for case in _cases_in(split, cases) for box in case.all_boxes_xyxy]
        corners = np.array(boxes_xyxy).reshape(-1, 4)  # also if there are none
        widths, heights = (corners[:, 2:] - corners[:, :2]).T
        colour = SPLIT_COLOURS[split]
        axes.plot(widths, heights, "o", color=colour, markersize=4, alpha=0.6, label=split)
    axes.set(title="sizes of boxes", xlabel="width, px", ylabel="height, px")
    axes.margins(0.08)
    axes.set_xlim(left=0)
    axes.set_ylim(bottom=0)
    axes.legend(frameon=False)


def _draw_positions(axes: Axes, cases: list[Case]) -> None:
    """Draw how often each position is inside a box, with all images stretched to one square."""
    counts = np.zeros((HEAT_MAP_CELLS, HEAT_MAP_CELLS))
    for case in cases:
        is_covered = np.zeros(counts.shape, bool)
        for box_xyxy in case.all_boxes_xyxy:
            edges = np.divide(box_xyxy, (case.width, case.height) * 2) * HEAT_MAP_CELLS
            x0, y0 = np.floor(edges[:2]).astype(int)
            x1, y1 = np.ceil(edges[2:]).astype(int)
            is_covered[y0:y1, x0:x1] = True
        counts += is_covered
    boxed = max(sum(case.has_object for case in cases), 1)
    shares = counts / boxed
    vmax = max(shares.max(), 0.01)  # a colour scale needs a range, also if there are no boxes
    show_image(axes, "share of cases boxed at each place", shares, vmax=vmax, cmap="viridis")


def _draw_counts(axes: Axes, cases: list[Case]) -> None:
    """Draw the number of cases with and without an object in each split."""
    totals, splits = [], _used_splits(cases)
    for position, split in enumerate(splits):
        split_cases = _cases_in(split, cases)
        total = len(split_cases)
        boxed = sum(case.has_object for case in split_cases)
        empty = total - boxed
        colour = SPLIT_COLOURS[split]
        axes.bar(position, boxed, color=colour)
        axes.bar(position, empty, bottom=boxed, color="white", edgecolor=colour, hatch="//")
        text = f"{total} unknown" if split == "unlabelled" else f"{boxed} + {empty}"
        axes.text(position, total, text, ha="center", va="bottom")
        totals.append(total)
    axes.set(title="cases with + without an object", xticks=range(len(splits)), xticklabels=splits)
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(top=1.1 * max(totals))


def _draw_value_ranges(axes: Axes, cases: list[Case]) -> None:
    """Draw the raw values that became 0 and 255, one line per case."""
    first = 0
    for split in _used_splits(cases):
        ranged = [case for case in _cases_in(split, cases) if case.value_range is not None]
        ranged.sort(key=lambda case: case.name)
        numbers = range(first, first + len(ranged))
        ranges = np.array([case.value_range for case in ranged]).reshape(-1, 2)
        axes.vlines(numbers, ranges[:, 0], ranges[:, 1], color=SPLIT_COLOURS[split])
        first += len(ranged)
    axes.set(
        title="raw values shown from black to white",
        xlabel="case, by split and name",
        ylabel="value",
    )
