"""The choice of snapshots, and the figures of the render stage from files."""

import numpy as np
import pandas as pd
import pytest

from automedsam.cases.boxes import EDGES, fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.figures.gallery import draw_progress_strip, draw_snapshots
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import (
    IMAGES,
    PREDICTED_MASKS,
    PROGRESS_STRIP,
    PROMPTS,
    SNAPSHOTS,
    SOFT_MASKS,
    TEST_MASKS,
    image_path,
)
from figure_checks import legend_labels

SINGLE_CLASS = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 3)])
BOX = (4, 3, 20, 12)


def make_case(name, split="test", classes=SINGLE_CLASS, has_mask=True):
    boxes = {cls.value: (BOX,) for cls in classes}
    return Case(name, name, split, 24, 32, boxes, has_mask=has_mask)


def write_results(cases, classes=SINGLE_CLASS):
    """Write images, masks and prompts; the first case has no prompt."""
    rows = []
    for case in cases:
        mask = fill_boxes([BOX], case.image_size).astype(np.uint8)
        write_image(image_path(IMAGES, case.name), 100 * mask)
        write_image(image_path(PREDICTED_MASKS, case.name), classes[0].value * mask)
        write_image(image_path(SOFT_MASKS, case.name), 200 * mask)
        if case.has_mask:
            write_image(image_path(TEST_MASKS, case.name), classes[0].value * mask)
        prompt = (None,) * 4 if case is cases[0] else (3.5, 2.5, 19.5, 12.5)
        rows += [(case.name, cls.name, *prompt) for cls in classes]
    PROMPTS.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(rows, columns=["case", "class", *EDGES]).to_csv(PROMPTS, index=False)


def make_scores(cases, dice, classes=SINGLE_CLASS):
    rows = [(case.name, cls.name) for case in cases for cls in classes]
    table = pd.DataFrame(rows, columns=["case", "class"])
    others = dict.fromkeys(["iou", "loss_empty", "loss_tightbox", "loss_size"], np.nan)
    overlaps = np.linspace(0.9, 0.1, len(rows))
    return table.assign(dice=np.array(dice, float), box_iou=overlaps, loss=0.5, **others)


@pytest.fixture(autouse=True)
def _working_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)


def titles_of(figures):
    return [figure.get_suptitle().splitlines()[0] for figure in figures]


def test_snapshots_show_worst_median_best_and_three_fixed_cases(figures):
    cases = [make_case(f"c{n}") for n in range(6)]
    write_results(cases)
    draw_snapshots(cases, SINGLE_CLASS, make_scores(cases, [0.5, 0.1, 0.9, 0.7, 0.3, None]))
    assert titles_of(figures) == [
        "worst: c1",
        "median: c0",
        "best: c2",
        "fixed 1: c0",
        "fixed 2: c2",
        "fixed 3: c4",
    ]
    names = {path.name for path in SNAPSHOTS.iterdir()}
    assert names == {f"{title.split(':')[0].replace(' ', '_')}.png" for title in titles_of(figures)}
    assert figures[0].get_suptitle().splitlines()[1] == "Dice 0.1   box IoU 0.74   loss 0.5"


def test_snapshots_without_true_masks_are_ranked_by_the_box_overlap(figures):
    cases = [make_case(f"c{n}", has_mask=False) for n in range(3)]
    write_results(cases)
    draw_snapshots(cases, SINGLE_CLASS, make_scores(cases, [None] * 3))
    assert titles_of(figures)[:3] == ["worst: c2", "median: c1", "best: c0"]
    labels = [legend_labels(*figure.legends) for figure in figures[:3]]
    assert labels == [
        ["given box", "box of the predicted mask", "predicted prompt"],
        ["given box", "box of the predicted mask", "predicted prompt"],
        ["given box", "box of the predicted mask"],
    ]


def test_snapshots_without_any_score_are_the_fixed_ones(figures):
    cases = [make_case(f"c{n}") for n in range(2)]
    write_results(cases)
    scores = make_scores(cases, [None] * 2).assign(box_iou=np.nan)
    draw_snapshots(cases, SINGLE_CLASS, scores)
    assert titles_of(figures) == ["fixed 1: c0", "fixed 2: c1"]


def test_snapshots_of_several_classes_average_their_scores(figures):
    cases = [make_case(f"c{n}", classes=TWO) for n in range(3)]
    write_results(cases, TWO)
    scores = make_scores(cases, [0.2, 1.0, 0.4, 0.4, 0.9, None], TWO)  # means 0.6, 0.4 and 0.9
    draw_snapshots(cases, TWO, scores)
    assert titles_of(figures)[:3] == ["worst: c1", "median: c0", "best: c2"]
    assert "spleen: true box" in legend_labels(*figures[0].legends)


def test_snapshots_without_test_cases_are_a_line_of_text(figures):
    write_results([])
    draw_snapshots([], SINGLE_CLASS, make_scores([], []))
    assert [path.name for path in SNAPSHOTS.iterdir()] == ["fixed_1.png"]
    assert figures[0].texts[0].get_text() == "no test images: see metrics/verdict.md"


def test_progress_strip_shows_the_cases_that_have_masks(figures):
    cases = [make_case(f"v{n}", "val") for n in range(4)]
    for case in cases:
        write_image(image_path(IMAGES, case.name), np.zeros(case.image_size, np.uint8))
    masks = {
        name: {epoch: np.full((24, 32), 10 * epoch, np.uint8) for epoch in (1, 5)}
        for name in ("v2", "v0")
    }
    draw_progress_strip(masks, cases, SINGLE_CLASS)
    assert PROGRESS_STRIP.is_file()
    titles = [axes.get_title() for axes in figures[0].axes[:6]]
    assert titles == ["image", "epoch 1", "epoch 5"] * 2
