"""The sheet to check the data: images with their boxes, and distributions."""

import numpy as np
import pytest
from matplotlib.colors import to_hex
from PIL import Image

from automedsam.cases.case import SPLITS, Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.cases.colours import BLACK, BLUE, ORANGE
from automedsam.figures.data_sheet import draw_data_sheet
from automedsam.runtime.image_files import write_image
from figure_checks import box_colours, check_png, legend_labels

BELOW = [
    "sizes of boxes",
    "share of cases boxed at each place",
    "cases with + without an object",
    "raw values shown from black to white",
]
SINGLE_CLASS = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])


def make_case(name, split, boxes_xyxy=((2, 3, 9, 7),), size=(12, 16), **fields):
    """A case with boxes of a single class, or with `boxes` of several."""
    boxes = fields.pop("boxes", {SINGLE_CLASS_VALUE: boxes_xyxy})
    return Case(name, name, split, *size, boxes, **fields)


def make_cases(train=2, val=1, test=1, **fields):
    counts = {"train": train, "val": val, "test": test}
    return [
        make_case(f"{split}_{n:02d}", split, **fields)
        for split, count in counts.items()
        for n in range(count)
    ]


def draw_sheet(folder, cases, colour=False, classes=SINGLE_CLASS):
    """Draw the sheet into the folder, with images of noise."""
    rng = np.random.default_rng(0)
    for case in cases:
        shape = (*case.image_size, 3) if colour else case.image_size
        pixels = rng.integers(0, 256, shape, np.uint8)
        write_image(folder / "images" / f"{case.name}.png", pixels)
    draw_data_sheet(folder / "plots/data.png", cases, folder / "images", classes)
    return folder / "plots/data.png"


def panels_of(figure):
    """The images of the sheet, and the axes below them in the order of BELOW."""
    by_title = {axes.get_title(): axes for axes in figure.axes}
    images = [axes for title, axes in by_title.items() if title and title not in BELOW]
    return images, [by_title[title] for title in BELOW]


def test_sheet_is_a_small_png(tmp_path):
    path = draw_sheet(tmp_path, make_cases(12, 6, 6))
    check_png(path, min_side=500, max_bytes=500_000)


def test_sheet_has_the_same_bytes_twice(tmp_path):
    cases = make_cases(value_range=(0, 99.5))
    one, other = (draw_sheet(tmp_path / name, cases) for name in ("one", "other"))
    assert one.read_bytes() == other.read_bytes()


def test_sheet_shows_images_with_their_boxes_by_split(tmp_path, figures):
    cases = [
        make_case("c", "test", ()),
        make_case("b", "val", ((0, 0, 16, 12),)),
        make_case("a", "train", ((2, 3, 9, 7), (10, 1, 11, 2))),
    ]
    draw_sheet(tmp_path, cases)
    shown, _ = panels_of(figures[0])
    assert [panel.get_title() for panel in shown] == ["train: a", "val: b", "test: c"]
    boxes = [[patch.get_bbox().bounds for patch in panel.patches] for panel in shown]
    assert boxes == [[(1.5, 2.5, 7, 4), (9.5, 0.5, 1, 1)], [(-0.5, -0.5, 16, 12)], []]
    for panel, name in zip(shown, "abc", strict=True):
        with Image.open(tmp_path / "images" / f"{name}.png") as image:
            assert np.array_equal(panel.images[0].get_array(), np.asarray(image))


def test_shown_cases_are_evenly_spaced_and_prefer_those_with_an_object(tmp_path, figures):
    cases = [
        *make_cases(train=23, val=0, test=0),
        *(make_case(f"val_{n}", "val", ((0, 0, 1, 1),) if n in (3, 7) else ()) for n in range(9)),
        *(make_case(f"test_{n}", "test", () if n == 1 else ((0, 0, 1, 1),)) for n in range(7)),
    ]
    draw_sheet(tmp_path, cases)
    shown, _ = panels_of(figures[0])
    assert [panel.get_title() for panel in shown] == [
        *(f"train: train_{number:02d}" for number in range(0, 23, 2)),
        *(f"val: val_{number}" for number in (3, 7, 0, 1, 2, 4)),
        *(f"test: test_{number}" for number in (0, 2, 3, 4, 5, 6)),
    ]


@pytest.mark.parametrize(
    ("name", "title"),
    [
        ("a" * 23, "train: " + "a" * 23),
        ("patient001_frame01_s004", "train: patient001_frame01_s004"),
        ("site_a__patient001_frame01_s004", "train: site_a__pat…rame01_s004"),
        ("a$b_$c^{", "train: a$b_$c^{"),
    ],
)
def test_long_names_are_shown_without_their_middle(tmp_path, figures, name, title):
    draw_sheet(tmp_path, [make_case(name, "train"), *make_cases(0)])
    assert panels_of(figures[0])[0][0].get_title() == title


def test_sizes_of_boxes_are_points_in_the_colour_of_their_split(tmp_path, figures):
    cases = [
        make_case("a", "train", ((2, 3, 9, 7), (10, 1, 11, 2))),
        make_case("b", "val", ((0, 0, 16, 12),)),
        make_case("c", "test", ()),
    ]
    draw_sheet(tmp_path, cases)
    sizes, *_ = panels_of(figures[0])[1]
    assert [line.get_xydata().tolist() for line in sizes.lines] == [
        [[7, 4], [1, 1]],
        [[16, 12]],
        [],
    ]
    assert [to_hex(line.get_color()).upper() for line in sizes.lines] == [BLUE, ORANGE, BLACK]
    assert legend_labels(sizes.get_legend()) == ["train", "val", "test"]


def test_heat_map_is_independent_of_the_size_of_images(tmp_path, figures):
    cases = [
        make_case("a", "train", ((0, 0, 8, 12),)),  # the left half
        # The lower half, a part of it twice.
        make_case("b", "val", ((0, 50, 50, 100), (0, 75, 10, 100)), size=(100, 50)),
        make_case("c", "test", (), size=(8, 8)),
    ]
    draw_sheet(tmp_path, cases)
    places = panels_of(figures[0])[1][1].images[0]
    expected = np.zeros((64, 64))
    expected[:, :32] += 1 / 2
    expected[32:] += 1 / 2
    assert np.array_equal(places.get_array(), expected)
    assert places.get_clim() == (0, 1)


@pytest.mark.parametrize(
    ("box", "cell"),
    [((0, 0, 1, 1), (0, 0)), ((999, 999, 1000, 1000), (63, 63)), ((500, 999, 501, 1000), (63, 32))],
)
def test_heat_map_shows_the_smallest_box_even_at_the_edges(tmp_path, figures, box, cell):
    draw_sheet(tmp_path, [make_case(split, split, (box,), (1000, 1000)) for split in SPLITS])
    places = panels_of(figures[0])[1][1].images[0].get_array()
    assert np.argwhere(places).tolist() == [list(cell)]
    assert places.max() == 1


def test_counts_distinguish_cases_with_and_without_an_object(tmp_path, figures):
    draw_sheet(
        tmp_path, [*make_cases(3, 2, 1), make_case("x", "train", ()), make_case("y", "test", ())]
    )
    counts = panels_of(figures[0])[1][2]
    assert [(bar.get_y(), bar.get_height()) for bar in counts.patches] == [
        (0, 3),
        (3, 1),
        (0, 2),
        (2, 0),
        (0, 1),
        (1, 1),
    ]
    assert [text.get_text() for text in counts.texts] == ["3 + 1", "2 + 0", "1 + 1"]
    assert [label.get_text() for label in counts.get_xticklabels()] == ["train", "val", "test"]


def test_value_ranges_are_lines_ordered_by_split_and_name(tmp_path, figures):
    cases = [
        make_case("a", "train", value_range=(5, 9)),
        make_case("b", "train", value_range=(-3, 7)),
        make_case("c", "test", value_range=(0, 1)),
        make_case("d", "val", value_range=(2, 4)),
    ]
    draw_sheet(tmp_path, cases)
    values = panels_of(figures[0])[1][3]
    lines = [
        [segment.tolist() for segment in split_lines.get_segments()]
        for split_lines in values.collections
    ]
    assert lines == [[[[0, 5], [0, 9]], [[1, -3], [1, 7]]], [[[2, 2], [2, 4]]], [[[3, 0], [3, 1]]]]


@pytest.mark.parametrize(
    ("cases", "colour"),
    [
        (make_cases(1, 1, 1), False),
        (make_cases(1, 1, 1), True),
        (make_cases(1, 1, 1, boxes_xyxy=()), False),
        (make_cases(1, 1, 1, value_range=(3, 3)), False),
        ([make_case(split, split, ((0, 0, 90, 700),), (700, 90)) for split in SPLITS], False),
        ([make_case(split, split, ((0, 0, 700, 90),), (90, 700)) for split in SPLITS], False),
    ],
    ids=["one of each split", "colour", "no object", "one value", "high", "wide"],
)
def test_unusual_data_are_drawn(tmp_path, cases, colour):
    with Image.open(draw_sheet(tmp_path, cases, colour)) as image:
        assert min(image.size) > 500


def test_each_of_several_classes_has_a_colour_and_a_legend_entry(tmp_path, figures):
    classes = Classes([ObjectClass("liver", 1), ObjectClass("$spleen", 3)])
    boxes = {1: ((2, 3, 9, 7),), 3: ((10, 2, 14, 9), (1, 8, 4, 11))}
    draw_sheet(tmp_path, make_cases(boxes=boxes), classes=classes)
    sheet = figures[0].subfigs[0]
    legend = sheet.legends[0]
    assert legend_labels(legend) == ["liver", r"\$spleen"]
    liver, spleen = (to_hex(line.get_color()).upper() for line in legend.get_lines())
    assert liver != spleen
    assert box_colours(sheet.axes[0]) == [liver, spleen, spleen]
