"""The sheet of self-labels of the render stage."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure

from automedsam.cases.classes import Classes, ObjectClass
from automedsam.runtime.image_files import write_image
from automedsam.runtime.paths import IMAGES, SELF_LABEL_REPORT, image_path
from automedsam.training.self_label_file import StoredLabel
from figure_checks import legend_labels
from render import draw_self_labels

CLASSES = Classes([ObjectClass("left", 1), ObjectClass("right", 2)])


@pytest.fixture(autouse=True)
def _project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("a", "b"):
        write_image(image_path(IMAGES, name), np.full((40, 61), 90, np.uint8))


def test_labels_are_drawn_with_presence_and_reason(figures: list[Figure]) -> None:
    """The mask of `b` is half as large as its image."""
    full, half = np.zeros((40, 61), np.uint8), np.zeros((20, 31), np.uint8)
    full[10:30, 20:40], half[5:15, 10:20] = 255, 255
    labels = [
        (StoredLabel("a", 1, ((20, 10, 40, 30),), 0.75, None), full),
        (StoredLabel("b", 2, ((10, 5, 20, 15),), 0.25, "is larger", 2), half),
        (StoredLabel("b", 1, (), 0.0, "was not found"), None),
    ]
    draw_self_labels(labels, CLASSES)
    assert SELF_LABEL_REPORT.is_file()
    (figure,) = figures
    assert figure.get_suptitle() == "self-training on 1 of 3 self-labels"
    panels = {axes.get_title(): axes for axes in figure.axes if axes.get_title()}
    rejected = "b, right\npresence 0.25, rejected:\nit is larger"
    assert list(panels) == [rejected, "a, left\npresence 0.75"]
    assert [axes.images[0].get_array().shape[:2] for axes in panels.values()] == [
        (20, 31),
        (40, 61),
    ]
    legend = legend_labels(*figure.legends)
    assert {"box of the self-label", "self-label", "rejected"} <= set(legend)


def test_without_self_labels_the_figure_is_a_line_of_text(figures: list[Figure]) -> None:
    draw_self_labels([], CLASSES)
    assert SELF_LABEL_REPORT.is_file()
    (figure,) = figures
    assert [text.get_text() for text in figure.texts] == ["no self-training"]
