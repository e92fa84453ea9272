"""Boxes of COCO annotations from rotated rectangles, polygons and run lengths."""

import numpy as np
import pytest

from automedsam.cases.boxes import tight_box
from automedsam.datasets.annotations.coco_shapes import has_shape, read_edges
from automedsam.runtime.errors import InputError

SQUARE = [42, 39, 77, 39, 77, 74, 42, 74]
DIAMOND = [59.5, 31.75, 84.25, 56.5, 59.5, 81.25, 34.75, 56.5]


def edges_of(**entry):
    return read_edges("x, 1", entry)


@pytest.mark.parametrize("bbox", [None, [], [0, 0, 0, 0], [0.0, 0.0, 0.0, 0.0]])
def test_a_missing_bbox_is_replaced_by_the_bounds_of_the_polygons(bbox):
    polygons = [SQUARE, [80.5, 10, 81, 12, 80, 12]]
    assert edges_of(bbox=bbox, segmentation=polygons) == ((42, 10, 81, 74), "polygon or mask")


def test_a_bbox_precedes_the_segmentation():
    assert edges_of(bbox=[1, 2, 3, 4], segmentation="any") == ((1, 2, 4, 6), "")


@pytest.mark.parametrize("rotation", [45, 45.0, "45", -45, 135, 405])
@pytest.mark.parametrize("outline", [[], [SQUARE], [DIAMOND]])
def test_a_rotated_box_gives_the_box_around_it(rotation, outline):
    """A square of 35 px has a diagonal of 49.5 px."""
    entry = {"bbox": [42, 39, 35, 35], "segmentation": outline}
    for rotated in ({"attributes": {"rotation": rotation}}, {"rotation": rotation}):
        edges, source = edges_of(**entry, **rotated)
        assert edges == pytest.approx((34.75, 31.75, 84.25, 81.25), abs=0.01)
        assert source == "rotated box"


def test_a_rotated_outline_in_a_bbox_that_encloses_it_is_not_rotated_again():
    bbox = [34.75, 31.75, 49.5, 49.5]
    edges, source = edges_of(bbox=bbox, segmentation=[DIAMOND], rotation=45)
    assert (edges, source) == ((34.75, 31.75, 84.25, 81.25), "rotated box")
    rows, columns = np.mgrid[:20, :30]
    diamond = (abs(rows - 9) + abs(columns - 12) <= 6).astype(int)  # x from 6 to 18, y from 3 to 15
    square = ((abs(rows - 9) <= 6) & (abs(columns - 12) <= 6)).astype(int)
    for mask, expected in ((diamond, (6, 3, 19, 16)), (square, (3.31, 0.31, 21.69, 18.69))):
        outline = {"counts": run_lengths(mask), "size": [20, 30]}
        edges, _ = edges_of(bbox=[6, 3, 13, 13], segmentation=outline, rotation=45)
        assert edges == pytest.approx(expected, abs=0.01)


@pytest.mark.parametrize("rotation", [0, 0.0, 360, None, "left", True, "", [45]])
def test_other_rotations_are_none(rotation):
    edges = edges_of(bbox=[42, 39, 35, 35], attributes={"rotation": rotation})
    assert edges == ((42, 39, 77, 74), "")


def test_a_rotation_by_a_quarter_turn_swaps_width_and_height():
    edges, _ = edges_of(bbox=[0, 0, 4, 10], rotation=90)
    assert edges == pytest.approx((-3, 3, 7, 7))


def run_lengths(mask):
    """Run lengths down the columns, the first of them of background."""
    values = [0, *mask.T.ravel().tolist()]
    changes = [i for i in range(1, len(values)) if values[i] != values[i - 1]]
    ends = [*(i - 1 for i in changes), len(values) - 1]
    return np.diff([0, *ends]).tolist()


def compress(lengths):
    """Six bits per character, as pycocotools writes them."""
    text = ""
    for index, length in enumerate(lengths):
        value, more = length - (lengths[index - 2] if index > 2 else 0), True
        while more:
            bits, value = value & 31, value >> 5
            more = value != (-1 if bits & 16 else 0)
            text += chr(48 + (bits | 32 * more))
    return text


@pytest.mark.parametrize(
    "box", [(0, 0, 1, 1), (2, 3, 9, 7), (0, 0, 16, 12), (15, 11, 16, 12), (4, 0, 5, 12)]
)
def test_run_lengths_give_the_tight_box(box):
    mask = np.zeros((12, 16), int)
    mask[box[1] : box[3], box[0] : box[2]] = 1
    lengths = run_lengths(mask)
    for counts in (lengths, compress(lengths)):
        outline = {"counts": counts, "size": [12, 16]}
        assert edges_of(segmentation=outline) == (tight_box(mask > 0), "polygon or mask")


def test_run_lengths_of_a_scattered_mask_give_the_tight_box():
    rng = np.random.default_rng(0)
    for _ in range(50):
        mask = np.zeros((300, 200), int)
        mask[rng.integers(40, 260, 30), rng.integers(30, 170, 30)] = 1
        outline = {"counts": compress(run_lengths(mask)), "size": [300, 200]}
        assert edges_of(segmentation=outline)[0] == tight_box(mask > 0)


def test_a_compressed_string_is_read():
    """Rows 1 and 2 of columns 1 to 3: 5 2 2 2 2 2 5 px, of which the last four are differences."""
    assert edges_of(segmentation={"counts": "5220003", "size": [4, 5]})[0] == (1, 1, 4, 3)


@pytest.mark.parametrize(
    "outline",
    [
        "text",
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [[1, 2, 3, 4, 5, "6"]],
        [[1, 2, 3, 4, 5, float("nan")]],
        [1, 2, 3, 4, 5, 6],
        {"counts": [1, 2]},
        {"counts": [1, -2], "size": [4, 5]},
        {"counts": [1, 2.5], "size": [4, 5]},
        {"counts": [10, 11], "size": [4, 5]},
        {"counts": [20], "size": [4, 5]},
        {"counts": "~~~", "size": [4, 5]},
        {"counts": "é", "size": [4, 5]},
        {"counts": "", "size": [4, 5]},
        {"counts": [1, 2], "size": [4]},
        {"counts": [0, 0], "size": [0, 0]},
    ],
)
def test_a_malformed_segmentation_is_rejected(outline):
    with pytest.raises(InputError, match=r"^x, 1: .*segmentation"):
        edges_of(segmentation=outline)


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ({}, False),
        ({"bbox": []}, False),
        ({"bbox": [0, 0, 0, 0], "segmentation": []}, False),
        ({"bbox": [0, 0, 1, 1]}, True),
        ({"bbox": "text"}, True),
        ({"segmentation": [SQUARE]}, True),
    ],
)
def test_a_category_alone_has_no_shape(entry, expected):
    assert has_shape(entry) is expected
