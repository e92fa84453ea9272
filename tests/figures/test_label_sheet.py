"""The contact sheet of pseudo-labels: a picture of each, the dropped ones first, the same bytes each time."""

from pathlib import Path

import numpy as np
import pytest
from matplotlib.figure import Figure
from PIL import Image

from automedsam.figures import label_sheet as label_report
from automedsam.figures.label_sheet import SHOWN, Labelled, LabelReport


def labelled(
    name: str, fault: str | None = None, *, level: float = 0.9, channels: tuple[int, ...] = ()
) -> Labelled:
    image = np.random.default_rng(0).integers(0, 256, (40, 60, *channels), np.uint8)
    label = np.zeros((40, 60), np.float32)
    label[10:30, 15:45] = level
    return Labelled(name, ((15, 10, 45, 30),), image, label, fault)


def draw_report(path: Path, labels: list[Labelled]) -> None:
    report = LabelReport()
    for one in labels:
        report.add(one)
    report.draw(path)


@pytest.fixture
def figures(monkeypatch: pytest.MonkeyPatch) -> list[Figure]:
    """Those that are saved from now on."""
    found: list[Figure] = []
    save = label_report.save_figure
    monkeypatch.setattr(
        label_report, "save_figure", lambda figure, path: (found.append(figure), save(figure, path))
    )
    return found


def titles_of(figure: Figure) -> list[str]:
    """Of its panels."""
    return [title for axes in figure.axes if (title := axes.get_title())]


def legend_of(figure: Figure) -> list[str]:
    return [text.get_text() for legend in figure.legends for text in legend.get_texts()]


def test_it_is_a_picture_and_the_same_bytes_each_time(tmp_path: Path) -> None:
    shown = [labelled("a"), labelled("b", "fills 3% of its box"), labelled("c", channels=(3,))]
    for name in ("one.png", "other.png"):
        draw_report(tmp_path / name, shown)
    with Image.open(tmp_path / "one.png") as picture:
        assert picture.format == "PNG"
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "other.png").read_bytes()


def test_another_label_is_another_picture(tmp_path: Path) -> None:
    draw_report(tmp_path / "one.png", [labelled("a")])
    draw_report(tmp_path / "other.png", [labelled("a", level=0.3)])
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


def test_the_dropped_ones_come_first_with_their_fault(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_report(
        tmp_path / "a.png", [labelled("a"), labelled("b", "fills 3% of its box"), labelled("c")]
    )
    assert titles_of(figures[0]) == ["b: dropped,\nit fills 3% of its box", "a", "c"]


def test_of_very_many_some_are_shown(tmp_path: Path, figures: list[Figure]) -> None:
    draw_report(
        tmp_path / "a.png",
        [labelled(str(number)) for number in range(SHOWN)] + [labelled("z", "is wrong")],
    )
    assert len(titles_of(figures[0])) == SHOWN
    assert titles_of(figures[0])[0].startswith("z: dropped")


@pytest.mark.parametrize("level", [0.0, 0.2, 1.0])
def test_a_label_without_a_contour_is_drawn_too(tmp_path: Path, level: float) -> None:
    """Nowhere a half, or over a half in all of the image, as with a box round all of it."""
    label = np.full((40, 60), level)
    draw_report(
        tmp_path / "a.png",
        [Labelled("a", ((0, 0, 60, 40),), np.zeros((40, 60), np.uint8), label, None)],
    )
    assert (tmp_path / "a.png").is_file()


def test_without_any_label_there_is_a_picture_nevertheless(tmp_path: Path) -> None:
    draw_report(tmp_path / "a.png", [])
    assert (tmp_path / "a.png").is_file()


def test_all_are_counted_also_those_that_are_not_shown() -> None:
    report = LabelReport()
    for number in range(3 * SHOWN):
        report.add(labelled(str(number), None if number % 3 else "is wrong"))
    assert (report.kept, report.dropped) == (2 * SHOWN, SHOWN)


def test_the_legend_tells_of_dropped_labels_where_there_are_any(
    tmp_path: Path, figures: list[Figure]
) -> None:
    draw_report(tmp_path / "a.png", [labelled("a")])
    assert legend_of(figures[0]) == ["given box", "pseudo-label"]
    draw_report(tmp_path / "a.png", [labelled("a", "is wrong")])
    assert legend_of(figures[1]) == ["given box", "pseudo-label", "dropped"]
