"""Snapshots of test cases."""

import numpy as np
import pytest

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.colours import GREEN, ORANGE, RED, SKY, as_rgb
from automedsam.figures.snapshot import draw_snapshot
from figure_checks import (
    box_colours,
    check_png,
    check_reproducible,
    count_pixels,
    legend_labels,
)
from snapshots import UNUSUAL, make_snapshot


def test_snapshot_is_a_small_png_with_the_same_bytes_twice(tmp_path):
    check_reproducible(tmp_path, lambda path: draw_snapshot(path, make_snapshot()))
    check_png(tmp_path / "one/figure.png")


def test_snapshot_labels_boxes_panels_and_scores(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot())
    assert legend_labels(*figures[0].legends) == [
        "true box",
        "box of the predicted mask",
        "predicted prompt",
    ]
    titles = [axes.get_title() for axes in figures[0].axes[:4]]
    assert titles == ["image", "true mask", "predicted probability", "predicted mask"]
    assert figures[0].get_suptitle() == "fixed 1: phantom_000\nDice 0.912   loss 1e-05"


def test_snapshot_draws_boxes_along_the_edges_of_their_pixels(tmp_path, figures):
    snapshot = make_snapshot(
        prompt=None,
        boxes_xyxy=((10, 20, 50, 30), (60, 70, 64, 71)),
        labels=np.zeros((256, 256), np.uint8),
    )
    snapshot.labels[40:45, 60:70] = 255
    draw_snapshot(tmp_path / "a.png", snapshot)
    boxes = [patch.get_bbox().bounds for patch in figures[0].axes[0].patches]
    assert boxes == [(9.5, 19.5, 40, 10), (59.5, 69.5, 4, 1), (59.5, 39.5, 10, 5)]


def test_snapshot_has_a_colour_for_true_box_predicted_box_and_prompt(tmp_path):
    draw_snapshot(tmp_path / "a.png", make_snapshot())
    assert min(count_pixels(tmp_path / "a.png", colour) for colour in (GREEN, RED, SKY)) > 100


def test_masks_of_a_single_class_are_black_and_white(tmp_path, figures):
    snapshot = make_snapshot()
    draw_snapshot(tmp_path / "a.png", snapshot)
    truth, mask = (figures[0].axes[panel].images[0].get_array() for panel in (1, 3))
    for shown, labels in ((truth, snapshot.truth), (mask, snapshot.labels)):
        white = 255 * (labels > 0).astype(np.uint8)
        assert np.array_equal(shown, np.dstack([white, white, white]))


def test_several_classes_have_boxes_and_masks_in_their_own_colours(tmp_path, figures):
    truth, labels = np.zeros((2, 60, 80), np.uint8)
    truth[10:30, 10:30], truth[10:30, 40:60] = 1, 3
    labels[12:30, 10:30] = 3
    snapshot = make_snapshot(
        60,
        80,
        truth=truth,
        labels=labels,
        classes=Classes([ObjectClass("1", 1), ObjectClass("3", 3), ObjectClass("liver", 7)]),
        boxes={1: ((10, 10, 30, 30),), 3: ((40, 10, 60, 30),), 7: ()},
        prompts={1: None, 3: (39.0, 9.0, 61.0, 31.0), 7: None},
    )
    draw_snapshot(tmp_path / "a.png", snapshot)
    axes = figures[0].axes
    assert legend_labels(*figures[0].legends) == [
        "1: true box",
        "3: true box",
        "3: box of the predicted mask",
        "3: predicted prompt",
    ]
    assert box_colours(axes[0]) == [ORANGE, SKY, SKY, SKY]
    shown_truth, shown_mask = (axes[panel].images[0].get_array() for panel in (1, 3))
    assert tuple(shown_truth[20, 20]) == as_rgb(ORANGE)
    assert tuple(shown_truth[20, 50]) == tuple(shown_mask[20, 20]) == as_rgb(SKY)
    assert not shown_truth[50, 50].any()
    assert not shown_mask[20, 50].any()


def test_snapshot_without_a_prompt_has_no_legend_entry_for_it(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(prompt=None))
    assert legend_labels(*figures[0].legends) == ["true box", "box of the predicted mask"]


def test_snapshot_with_several_boxes_has_one_legend_entry_for_them(tmp_path, figures):
    boxes_xyxy = ((10, 20, 50, 30), (60, 70, 64, 71), (0, 0, 9, 9))
    draw_snapshot(tmp_path / "a.png", make_snapshot(boxes_xyxy=boxes_xyxy))
    assert len(figures[0].axes[0].patches) == 3 + 2
    assert legend_labels(*figures[0].legends) == [
        "true box",
        "box of the predicted mask",
        "predicted prompt",
    ]


def test_snapshot_without_a_true_mask_calls_its_box_given(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(truth=None, prompt=None))
    assert legend_labels(*figures[0].legends) == ["given box", "box of the predicted mask"]


def test_snapshot_without_a_true_mask_has_a_note_in_its_place(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(truth=None))
    panel = figures[0].axes[1]
    assert [text.get_text() for text in panel.texts] == ["no true mask"]
    assert (panel.get_title(), len(panel.images)) == ("", 0)


def test_snapshot_without_an_object_has_no_box(tmp_path, figures):
    soft_mask = np.zeros((256, 256), np.uint8)
    draw_snapshot(tmp_path / "a.png", make_snapshot(boxes_xyxy=(), soft_mask=soft_mask))
    assert legend_labels(*figures[0].legends) == ["predicted prompt"]


def test_point_prompt_is_a_star_at_its_pixel(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(prompt=(100.5, 60.5, 100.5, 60.5)))
    (star,) = figures[0].axes[0].lines
    assert star.get_xydata().tolist() == [[100, 60]]
    assert star.get_label() == "predicted prompt"
    assert len(figures[0].axes[0].patches) == 2


@pytest.mark.parametrize("changes", UNUSUAL.values(), ids=UNUSUAL)
def test_unusual_snapshots_are_drawn(tmp_path, changes):
    draw_snapshot(tmp_path / "a.png", make_snapshot(**changes))
    assert count_pixels(tmp_path / "a.png", "white") > 1000


def test_panels_have_the_shape_of_the_image(tmp_path, figures):
    for height, width in ((100, 320), (320, 100)):
        draw_snapshot(tmp_path / "a.png", make_snapshot(height, width))
    wide, high = (figure.get_size_inches() for figure in figures)
    assert wide[0] == high[0]
    assert wide[1] < 3 < high[1]


def test_colour_images_are_shown_in_colour(tmp_path, figures):
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    draw_snapshot(tmp_path / "a.png", make_snapshot(image=image))
    assert np.array_equal(figures[0].axes[0].images[0].get_array(), image)
