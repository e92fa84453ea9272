"""The progress of a training on validation cases."""

import pytest

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.colours import CLASS_COLOURS, GREEN
from figure_checks import (
    box_colours,
    check_png,
    check_reproducible,
    count_pixels,
    legend_labels,
)
from snapshots import UNUSUAL, draw_strip


def test_strip_is_a_small_png_with_the_same_bytes_twice(tmp_path):
    check_reproducible(tmp_path, draw_strip)
    check_png(tmp_path / "one/figure.png")


def test_strip_has_one_row_per_case_and_one_column_per_epoch(tmp_path, figures):
    draw_strip(tmp_path / "a.png")
    titles = [axes.get_title() for axes in figures[0].axes[:12]]
    assert titles == ["image", "epoch 1", "epoch 3", "epoch 10"] * 3
    assert all(len(axes.patches) == 1 for axes in figures[0].axes[:12])


def test_strip_shows_all_given_boxes_in_each_panel(tmp_path, figures):
    draw_strip(tmp_path / "a.png", cases=1, boxes_xyxy=((1, 2, 9, 8), (20, 20, 30, 40)))
    assert all(len(axes.patches) == 2 for axes in figures[0].axes[:4])


def test_strip_shows_several_classes_in_their_colours(tmp_path, figures):
    classes = Classes([ObjectClass("liver", 1), ObjectClass("$p", 2)])
    boxes = {1: ((1, 2, 9, 8),), 2: ((20, 20, 30, 40), (5, 5, 9, 9))}
    draw_strip(tmp_path / "a.png", cases=1, classes=classes, boxes=boxes)
    first, second = CLASS_COLOURS[:2]
    assert box_colours(figures[0].axes[0]) == [first, second, second]
    assert legend_labels(figures[0].legends[0]) == ["liver", r"\$p"]


def test_strip_of_one_case_and_one_epoch_is_drawn(tmp_path):
    draw_strip(tmp_path / "a.png", cases=1, epochs=(1,))
    assert count_pixels(tmp_path / "a.png", GREEN) > 50


@pytest.mark.parametrize("changes", UNUSUAL.values(), ids=UNUSUAL)
def test_strips_of_unusual_cases_are_drawn(tmp_path, changes):
    draw_strip(tmp_path / "a.png", cases=2, epochs=(1,), **changes)
    assert count_pixels(tmp_path / "a.png", "white") > 1000
