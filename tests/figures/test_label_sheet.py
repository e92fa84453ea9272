"""The contact sheet of pseudo-labels."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from automedsam.figures.label_sheet import MAX_SHOWN, LabelSheet, ShownLabel
from figure_checks import legend_labels


def make_label(
    name: str,
    rejection: str | None = None,
    *,
    level: float = 0.9,
    channels: tuple[int, ...] = (),
    agreement: float = 0.876,
) -> ShownLabel:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, *channels), np.uint8)
    probability = np.zeros((40, 60), np.float32)
    probability[10:30, 15:45] = level
    return ShownLabel(
        name=name,
        boxes_xyxy=((15, 10, 45, 30),),
        image=image,
        probability=probability,
        score=f"agreement {agreement:.2f}",
        rejection=rejection,
    )


def draw_sheet(path: Path, labels: list[ShownLabel], title: str = "title") -> None:
    sheet = LabelSheet("pseudo-label", "given box")
    for label in labels:
        sheet.add(label)
    sheet.draw(path, title)


def titles_of(figure: Figure) -> list[str]:
    """Titles of the panels that show a label."""
    return [title for axes in figure.axes if (title := axes.get_title())]


def test_sheet_is_a_png_with_the_same_bytes_twice(tmp_path: Path) -> None:
    shown = [
        make_label("a"),
        make_label("b", "fills 3% of its box"),
        make_label("c", channels=(3,)),
    ]
    for name in ("one.png", "other.png"):
        draw_sheet(tmp_path / name, shown)
    with Image.open(tmp_path / "one.png") as image:
        assert image.format == "PNG"
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_different_labels_give_different_sheets(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "one.png", [make_label("a")])
    draw_sheet(tmp_path / "other.png", [make_label("a", level=0.3)])
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


def test_rejected_labels_come_first_with_reason_and_agreement(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_sheet(
        tmp_path / "a.png",
        [
            make_label("a"),
            make_label("b", "fills 3% of its box", agreement=0.1),
            make_label("c", agreement=1.0),
        ],
    )
    assert titles_of(figures[0]) == [
        "b\nagreement 0.10, rejected:\nit fills 3% of its box",
        "a\nagreement 0.88",
        "c\nagreement 1.00",
    ]


def test_the_title_is_above_the_images(tmp_path: Path, figures: list[Figure]) -> None:
    draw_sheet(tmp_path / "one.png", [make_label("a")], "1 accepted")
    draw_sheet(tmp_path / "two.png", [make_label("a")], "1 accepted\n$class: poor")
    assert [figure.get_suptitle() for figure in figures] == [
        "1 accepted",
        "1 accepted\n$class: poor",
    ]
    one, two = (figure.get_figheight() for figure in figures)
    assert two > one


def test_sheet_shows_at_most_max_shown_labels(tmp_path: Path, figures: list[Figure]) -> None:
    draw_sheet(
        tmp_path / "a.png",
        [make_label(str(number)) for number in range(MAX_SHOWN)] + [make_label("z", "is wrong")],
    )
    assert len(titles_of(figures[0])) == MAX_SHOWN
    assert titles_of(figures[0])[0].startswith("z\nagreement 0.88, rejected")


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_labels_without_a_contour_are_drawn(tmp_path: Path, level: float) -> None:
    """The probability is below 0.5 everywhere, or above, as in a box around the whole image."""
    probability = np.full((40, 60), level)
    draw_sheet(tmp_path / "a.png", [replace(make_label("a"), probability=probability)])
    assert (tmp_path / "a.png").is_file()


def test_sheet_without_labels_is_drawn(tmp_path: Path) -> None:
    draw_sheet(tmp_path / "a.png", [])
    assert (tmp_path / "a.png").is_file()


def test_legend_has_an_entry_for_rejected_labels_if_there_are_any(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_sheet(tmp_path / "a.png", [make_label("a")])
    assert legend_labels(*figures[0].legends) == ["given box", "pseudo-label"]
    draw_sheet(tmp_path / "a.png", [make_label("a", "is wrong")])
    assert legend_labels(*figures[1].legends) == ["given box", "pseudo-label", "rejected"]
