"""Pictures: drawn for whatever comes, small, labelled and the same bytes twice."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure
from PIL import Image

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.colours import GREEN, ORANGE, RED, SKY, as_rgb, class_colours
from automedsam.figures import panels as pictures
from automedsam.figures.curves import draw_loss_curves, draw_score_histogram
from automedsam.figures.panels import show_image
from automedsam.figures.snapshot import ShownClass, Snapshot, draw_progress, draw_snapshot

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


def make_snapshot(height=256, width=256, **changes):
    """Noise with a box in the middle, predicted a little to its right; of one class, whose parts may be changed."""
    box = (width // 4, height // 4, width // 2, height // 2)
    shifted = (box[0] + width // 8, box[1], box[2] + width // 8, box[3])
    shown = {"boxes_xyxy": (box,), "prompt": (width / 8, height / 8, width * 0.6, height * 0.6)}
    shown |= {key: changes.pop(key) for key in shown if key in changes}
    soft_mask = changes.get(
        "soft_mask", (200 * fill_boxes([shifted], (height, width))).astype(np.uint8)
    )
    snapshot = Snapshot(
        title="fixed 1: phantom_000",
        image=np.random.default_rng(0).integers(0, 256, (height, width), np.uint8),
        truth=255 * fill_boxes([box], (height, width)).astype(np.uint8),
        labels=255 * (soft_mask > 127).astype(np.uint8),
        soft_mask=soft_mask,
        classes=(ShownClass("object", 255, **shown),),
        scores={"Dice": 0.91234, "loss": 1e-5},
    )
    return replace(snapshot, **changes)


def make_strip(cases=3, epochs=(1, 3, 10), **changes):
    snapshot = make_snapshot(**changes)
    masks = dict.fromkeys(epochs, snapshot.soft_mask)
    boxes = {shown.name: shown.boxes_xyxy for shown in snapshot.classes}
    return [snapshot.image] * cases, [boxes] * cases, [masks] * cases


DRAWN = {
    "snapshot": lambda path: draw_snapshot(path, make_snapshot()),
    "progress": lambda path: draw_progress(path, *make_strip()),
    "loss_curves": lambda path: draw_loss_curves(path, HISTORY),
    "score_histogram": lambda path: draw_score_histogram(path, PER_CASE),
}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory):
    """A folder with each picture, drawn once."""
    folder = tmp_path_factory.mktemp("drawn") / "plots"
    for picture, draw in DRAWN.items():
        draw(folder / f"{picture}.png")
    return folder


@pytest.fixture
def figures(monkeypatch):
    """Every figure that is saved."""
    saved = []
    save = pictures.save_figure
    monkeypatch.setattr(
        pictures, "save_figure", lambda figure, path: (saved.append(figure), save(figure, path))
    )
    return saved


def legend_labels(legend):
    return [text.get_text() for text in legend.get_texts()]


def count_pixels(path, colour):
    """Pixels of the PNG that have this colour, but for rounding."""
    pixels = np.asarray(Image.open(path).convert("RGB")).astype(int)
    return int((np.abs(pixels - 255 * np.array(to_rgb(colour))) <= 2).all(axis=2).sum())


@pytest.mark.parametrize("picture", DRAWN)
def test_picture_is_a_small_png_in_a_folder_that_it_makes(drawn, picture):
    path = drawn / f"{picture}.png"
    with Image.open(path) as image:
        assert image.format == "PNG"
        assert 300 <= min(image.size) < max(image.size) <= 1600
        assert np.ptp(np.asarray(image.convert("L"))) == 255
    assert 5_000 < path.stat().st_size < 300_000


@pytest.mark.parametrize("picture", DRAWN)
def test_picture_has_the_same_bytes_twice(drawn, tmp_path, picture):
    DRAWN[picture](tmp_path / "again.png")
    assert (tmp_path / "again.png").read_bytes() == (drawn / f"{picture}.png").read_bytes()


def test_snapshot_names_boxes_panels_and_scores(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot())
    assert legend_labels(figures[0].legends[0]) == [
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


def test_snapshot_shows_given_predicted_and_prompt_in_their_colours(tmp_path):
    draw_snapshot(tmp_path / "a.png", make_snapshot())
    assert min(count_pixels(tmp_path / "a.png", colour) for colour in (GREEN, RED, SKY)) > 100


def test_masks_of_one_class_are_black_and_white(tmp_path, figures):
    snapshot = make_snapshot()
    draw_snapshot(tmp_path / "a.png", snapshot)
    truth, mask = (figures[0].axes[panel].images[0].get_array() for panel in (1, 3))
    assert np.array_equal(truth, snapshot.truth > 0)
    assert np.array_equal(mask, snapshot.labels > 0)


def test_several_classes_have_boxes_and_masks_of_their_own_colours(tmp_path, figures):
    truth, labels = np.zeros((2, 60, 80), np.uint8)
    truth[10:30, 10:30], truth[10:30, 40:60] = 1, 3
    labels[12:30, 10:30] = 3
    classes = (
        ShownClass("1", 1, ((10, 10, 30, 30),), None),
        ShownClass("3", 3, ((40, 10, 60, 30),), (39.0, 9.0, 61.0, 31.0)),
        ShownClass("liver", 7, (), None),
    )
    draw_snapshot(
        tmp_path / "a.png", make_snapshot(60, 80, truth=truth, labels=labels, classes=classes)
    )
    axes = figures[0].axes
    assert legend_labels(figures[0].legends[0]) == [
        "1: true box", "3: true box", "3: box of the predicted mask", "3: predicted prompt"
    ]  # fmt: skip
    assert [to_hex(patch.get_edgecolor()).upper() for patch in axes[0].patches] == [
        ORANGE,
        SKY,
        SKY,
        SKY,
    ]
    shown_truth, shown_mask = (axes[panel].images[0].get_array() for panel in (1, 3))
    assert tuple(shown_truth[20, 20]) == as_rgb(ORANGE)
    assert tuple(shown_truth[20, 50]) == tuple(shown_mask[20, 20]) == as_rgb(SKY)
    assert not shown_truth[50, 50].any()
    assert not shown_mask[20, 50].any()


def test_snapshot_without_a_prompt_has_none_in_its_legend(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(prompt=None))
    assert legend_labels(figures[0].legends[0]) == ["true box", "box of the predicted mask"]


def test_snapshot_of_several_boxes_names_them_once(tmp_path, figures):
    draw_snapshot(
        tmp_path / "a.png",
        make_snapshot(boxes_xyxy=((10, 20, 50, 30), (60, 70, 64, 71), (0, 0, 9, 9))),
    )
    assert len(figures[0].axes[0].patches) == 3 + 2
    assert legend_labels(figures[0].legends[0]) == [
        "true box",
        "box of the predicted mask",
        "predicted prompt",
    ]


def test_the_box_of_a_snapshot_without_a_mask_is_the_given_one(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(truth=None, prompt=None))
    assert legend_labels(figures[0].legends[0]) == ["given box", "box of the predicted mask"]


def test_snapshot_of_an_absent_object_has_no_true_box(tmp_path, figures):
    draw_snapshot(
        tmp_path / "a.png", make_snapshot(boxes_xyxy=(), soft_mask=np.zeros((256, 256), np.uint8))
    )
    assert legend_labels(figures[0].legends[0]) == ["predicted prompt"]


def test_snapshot_without_a_true_mask_says_so(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(truth=None))
    panel = figures[0].axes[1]
    assert [text.get_text() for text in panel.texts] == ["nobody drew a mask"]
    assert (panel.get_title(), len(panel.images)) == ("", 0)


def test_point_prompt_is_a_star_at_its_pixel(tmp_path, figures):
    draw_snapshot(tmp_path / "a.png", make_snapshot(prompt=(100.5, 60.5, 100.5, 60.5)))
    (star,) = figures[0].axes[0].lines
    assert star.get_xydata().tolist() == [[100, 60]]
    assert star.get_label() == "predicted prompt"
    assert len(figures[0].axes[0].patches) == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"soft_mask": np.zeros((256, 256), np.uint8)},
        {"boxes_xyxy": (), "truth": np.zeros((256, 256), np.uint8)},
        {"image": np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)},
        {"height": 100, "width": 320},
        {"height": 320, "width": 100},
        {"height": 1200, "width": 900},
        {"height": 8, "width": 8},
        {"title": "worst: a$b_$c^{"},
        {"truth": None},
    ],
    ids=[
        "empty_prediction",
        "no_box",
        "colour",
        "wide",
        "high",
        "large",
        "tiny",
        "formula_in_name",
        "no_truth",
    ],
)
def test_unusual_case_is_drawn(tmp_path, changes):
    draw_snapshot(tmp_path / "snapshot.png", make_snapshot(**changes))
    draw_progress(tmp_path / "progress.png", *make_strip(cases=2, epochs=(1,), **changes))
    for name in ("snapshot.png", "progress.png"):
        assert count_pixels(tmp_path / name, "white") > 1000


def test_panels_have_the_shape_of_the_image(tmp_path, figures):
    for height, width in ((100, 320), (320, 100)):
        draw_snapshot(tmp_path / "a.png", make_snapshot(height, width))
    wide, high = (figure.get_size_inches() for figure in figures)
    assert wide[0] == high[0]
    assert wide[1] < 3 < high[1]


def test_colour_image_is_shown_in_colour(tmp_path, figures):
    image = np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)
    draw_snapshot(tmp_path / "a.png", make_snapshot(image=image))
    assert np.array_equal(figures[0].axes[0].images[0].get_array(), image)


def test_progress_has_a_row_a_case_and_a_column_an_epoch(tmp_path, figures):
    draw_progress(tmp_path / "a.png", *make_strip())
    titles = [axes.get_title() for axes in figures[0].axes[:12]]
    assert titles == ["image", "epoch 1", "epoch 3", "epoch 10"] * 3
    assert all(len(axes.patches) == 1 for axes in figures[0].axes[:12])


def test_progress_shows_every_given_box_on_every_panel(tmp_path, figures):
    draw_progress(
        tmp_path / "a.png", *make_strip(cases=1, boxes_xyxy=((1, 2, 9, 8), (20, 20, 30, 40)))
    )
    assert all(len(axes.patches) == 2 for axes in figures[0].axes[:4])


def test_progress_shows_the_boxes_of_several_classes_in_their_colours(tmp_path, figures):
    images, _, masks = make_strip(cases=1)
    boxes = {"liver": ((1, 2, 9, 8),), "$p": ((20, 20, 30, 40), (5, 5, 9, 9))}
    draw_progress(tmp_path / "a.png", images, [boxes], masks)
    drawn = [to_hex(patch.get_edgecolor()).upper() for patch in figures[0].axes[0].patches]
    first, second = class_colours(2)
    assert drawn == [first, second, second]
    assert legend_labels(figures[0].legends[0]) == ["liver", r"\$p"]


def test_progress_of_one_case_and_one_epoch_is_drawn(tmp_path):
    draw_progress(tmp_path / "a.png", *make_strip(cases=1, epochs=(1,)))
    assert count_pixels(tmp_path / "a.png", GREEN) > 50


def test_loss_curves_name_every_column_and_the_best_epoch(tmp_path, figures):
    draw_loss_curves(tmp_path / "a.png", HISTORY)
    labels = [legend_labels(axes.get_legend()) for axes in figures[0].axes]
    assert labels == [
        ["loss", "val_loss"],
        ["loss_empty", "loss_tightbox", "loss_size"],
        ["val_box_iou", "best: epoch 2"],
    ]


def test_of_equal_epochs_that_of_the_least_loss_is_the_best(tmp_path, figures):
    draw_loss_curves(tmp_path / "a.png", HISTORY.assign(val_box_iou=0.1, val_loss=[3.0, 2.0, 1.0]))
    assert legend_labels(figures[0].axes[2].get_legend())[-1] == "best: epoch 3"


def test_loss_curves_of_one_epoch_are_drawn(tmp_path, figures):
    draw_loss_curves(tmp_path / "a.png", HISTORY[:1])
    assert legend_labels(figures[0].axes[2].get_legend())[-1] == "best: epoch 1"


def test_titles_take_dollar_signs_as_they_are(tmp_path, figures):
    figure = Figure()
    show_image(figure.subplots(), "train: a$b_$c^{", np.zeros((4, 4)), vmax=1)
    pictures.save_figure(figure, tmp_path / "a.png")
    assert figures[0].axes[0].get_title() == "train: a$b_$c^{"


def test_score_histogram_counts_cases_and_names_means(tmp_path, figures):
    draw_score_histogram(tmp_path / "a.png", PER_CASE)
    (axes,) = figures[0].axes
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert legend_labels(figures[0].legends[0]) == [
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


def test_score_histogram_leaves_out_the_cases_without_an_object(tmp_path, figures):
    empty = pd.DataFrame({column: [None] for column in PER_CASE.columns[1:]}, dtype=float).assign(
        case="d"
    )
    draw_score_histogram(tmp_path / "a.png", pd.concat([PER_CASE, empty]))
    assert sum(bar.get_height() for bar in figures[0].axes[0].patches) == 3
    assert legend_labels(figures[0].legends[0])[0] == "automatic, no prompt: mean 0.500"


def test_score_histogram_without_masks_is_that_of_the_box_overlap(tmp_path, figures):
    draw_score_histogram(
        tmp_path / "a.png", PER_CASE.assign(**dict.fromkeys(PER_CASE.columns[2:], np.nan))
    )
    (axes,) = figures[0].axes
    assert sum(bar.get_height() for bar in axes.patches) == 3
    assert axes.get_xlabel() == "overlap with the given boxes (IoU)"
    assert legend_labels(figures[0].legends[0]) == ["automatic, no prompt: mean 0.600"]
