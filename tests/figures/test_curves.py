"""Loss curves, and the histogram of test scores."""

import numpy as np
import pandas as pd

from automedsam.figures.curves import draw_loss_curves, draw_score_histogram
from figure_checks import check_png, check_reproducible, legend_labels

HISTORY = pd.DataFrame(
    {
        "epoch": [1, 2, 3],
        "loss": [3.0, 2.0, 1.0],
        "val_loss": [3.5, 2.5, 2.6],
        "loss_empty": [1.0, 0.5, 0.0],
        "loss_tightbox": [400.0, 30.0, 5.0],
        "loss_size": [2.0, 0.0, -3.0],
        "val_box_iou": [0.2, 0.8, 0.7],
    }
)
PER_CASE = pd.DataFrame(
    {
        "case": ["a", "b", "c"],
        "box_iou": [0.1, 0.8, 0.9],
        "dice": [0.0, 0.5, 1.0],
        "true_box_dice": [0.9, 0.95, 0.97],
        "mean_box_dice": [0.1, 0.2, 0.3],
        "box_fill_dice": [0.6, 0.7, 0.8],
    }
)


def test_loss_curves_are_a_small_png_with_the_same_bytes_twice(tmp_path):
    check_reproducible(tmp_path, lambda path: draw_loss_curves(path, HISTORY, 2))
    check_png(tmp_path / "one/figure.png")


def test_loss_curves_label_each_column_and_the_best_epoch(tmp_path, figures):
    draw_loss_curves(tmp_path / "a.png", HISTORY, 2)
    labels = [legend_labels(axes.get_legend()) for axes in figures[0].axes]
    assert labels == [
        ["loss", "val_loss"],
        ["loss_empty", "loss_tightbox", "loss_size"],
        ["val_box_iou", "best: epoch 2"],
    ]


def test_loss_curves_show_the_parts_that_the_history_has(tmp_path, figures):
    parts = {"loss_box": 1.0, "loss_embedding": 2.0, "loss_image": 3.0}
    history = HISTORY.drop(columns=["loss_empty", "loss_tightbox", "loss_size"]).assign(**parts)
    draw_loss_curves(tmp_path / "a.png", history, 2)
    assert legend_labels(figures[0].axes[1].get_legend()) == list(parts)
    assert figures[0].axes[1].get_yscale() == "linear"


def test_loss_curves_show_how_many_absent_objects_are_left_empty(tmp_path, figures):
    history = HISTORY.assign(val_left_empty=[0.0, 0.5, 1.0])
    draw_loss_curves(tmp_path / "a.png", history, 3)
    labels = legend_labels(figures[0].axes[2].get_legend())
    assert labels == ["val_box_iou", "val_left_empty", "best: epoch 3"]


def test_loss_curves_of_one_epoch_are_drawn(tmp_path, figures):
    draw_loss_curves(tmp_path / "a.png", HISTORY[:1], 1)
    assert legend_labels(figures[0].axes[2].get_legend())[-1] == "best: epoch 1"


def test_score_histogram_is_a_small_png_with_the_same_bytes_twice(tmp_path):
    check_reproducible(tmp_path, lambda path: draw_score_histogram(path, PER_CASE))
    check_png(tmp_path / "one/figure.png")


def test_score_histogram_counts_cases_and_labels_means(tmp_path, figures):
    draw_score_histogram(tmp_path / "a.png", PER_CASE)
    (axes,) = figures[0].axes
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert legend_labels(*figures[0].legends) == [
        "automatic, no prompt: mean 0.500",
        "backbone with the true box: mean 0.940",
        "backbone with the mean training box: mean 0.200",
        "true box filled: mean 0.700",
    ]
    assert axes.get_xlabel() == "Dice"
    assert axes.get_title() == "Dice of 3 test cases with an object"


def test_score_histogram_of_several_classes_counts_objects(tmp_path, figures):
    draw_score_histogram(tmp_path / "a.png", PER_CASE.assign(case=["a", "a", "b"]))
    (axes,) = figures[0].axes
    assert axes.get_title() == "Dice of 3 objects in test cases"
    assert axes.get_ylabel() == "objects"


def test_score_histogram_leaves_out_cases_without_an_object(tmp_path, figures):
    scores = {column: [None] for column in PER_CASE.columns[1:]}
    empty = pd.DataFrame(scores, dtype=float).assign(case="d")
    draw_score_histogram(tmp_path / "a.png", pd.concat([PER_CASE, empty]))
    assert sum(bar.get_height() for bar in figures[0].axes[0].patches) == 3
    assert legend_labels(*figures[0].legends)[0] == "automatic, no prompt: mean 0.500"


def test_score_histogram_without_masks_shows_the_box_overlap(tmp_path, figures):
    without_masks = PER_CASE.assign(**dict.fromkeys(PER_CASE.columns[2:], np.nan))
    draw_score_histogram(tmp_path / "a.png", without_masks)
    (axes,) = figures[0].axes
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert axes.get_xlabel() == "overlap with the given boxes (IoU)"
    assert legend_labels(*figures[0].legends) == ["automatic, no prompt: mean 0.600"]


def test_score_histogram_without_test_cases_is_a_line_of_text(tmp_path, figures):
    check_reproducible(tmp_path, lambda path: draw_score_histogram(path, PER_CASE[:0]))
    (text,) = figures[0].texts
    assert text.get_text() == "no test images: see metrics/verdict.md"
