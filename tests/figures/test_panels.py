"""Parts that all figures share."""

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from automedsam.figures.panels import (
    draw_boxes,
    image_panels,
    legend_lines,
    save_figure,
    show_image,
)
from figure_checks import check_reproducible


def test_titles_show_dollar_signs_unchanged(tmp_path, figures):
    figure = Figure()
    show_image(figure.subplots(), "train: a$b_$c^{", np.zeros((4, 4)), vmax=1)
    save_figure(figure, tmp_path / "a.png")
    assert figures[0].axes[0].get_title() == "train: a$b_$c^{"


def test_image_panels_have_the_shape_of_the_image():
    wide, _ = image_panels(2, 3, (100, 320))
    high, panels = image_panels(2, 3, (320, 100))
    assert panels.shape == (2, 3)
    assert wide.get_size_inches()[0] == high.get_size_inches()[0]
    assert wide.get_size_inches()[1] < high.get_size_inches()[1]


def test_draw_boxes_follows_the_edges_of_pixels_with_one_legend_entry():
    axes = Figure().subplots()
    draw_boxes(axes, [(10, 20, 50, 30), (60, 70, 64, 71)], "$box", "#FF0000", "-")
    assert all(isinstance(patch, Rectangle) for patch in axes.patches)
    assert [patch.get_bbox().bounds for patch in axes.patches] == [
        (9.5, 19.5, 40, 10),
        (59.5, 69.5, 4, 1),
    ]
    assert axes.get_legend_handles_labels()[1] == [r"\$box"]


def test_legend_lines_have_their_colours_and_plain_labels():
    lines = legend_lines({"a$b": "#00FF00", "c": "#0000FF"})
    assert [(line.get_label(), line.get_color()) for line in lines] == [
        (r"a\$b", "#00FF00"),
        ("c", "#0000FF"),
    ]


def test_save_figure_writes_the_same_bytes_twice(tmp_path):
    def draw(path):
        figure = Figure()
        show_image(figure.subplots(), "title", np.eye(4), vmax=1)
        save_figure(figure, path)

    check_reproducible(tmp_path, draw)
