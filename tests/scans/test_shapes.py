"""Shapes of images that are read when they are needed."""

import pytest

from automedsam.datasets.annotations.drawn import Annotations
from automedsam.datasets.annotations.placing import place_boxes
from automedsam.runtime.errors import InputError
from automedsam.scans.shapes import LazyShapes, SliceCounts
from fake_scans import OBJECT, FakeScan


@pytest.fixture
def opened():
    return []


@pytest.fixture
def shapes(opened):
    def open_as(name, shape):
        def open_image():
            opened.append(name)
            if shape is None:
                raise InputError(f"{name}: broken")
            return FakeScan(shape)

        return open_image

    sizes = {"a.png": (1, 4, 6), "b.png": (1, 5, 7), "v.nii": (9, 5, 7), "x.png": None}
    return LazyShapes({name: open_as(name, shape) for name, shape in sizes.items()})


def test_each_image_is_opened_once_if_it_is_needed(shapes, opened):
    assert (list(shapes), len(shapes)) == (["a.png", "b.png", "v.nii", "x.png"], 4)
    for _ in range(2):
        assert shapes["b.png"] == (1, 5, 7)
        with pytest.raises(InputError, match=r"^x\.png: broken$"):
            shapes["x.png"]
    assert opened == ["b.png", "x.png"]


def test_images_that_cannot_be_read_have_no_slices(shapes):
    assert dict(SliceCounts(shapes)) == {"a.png": 1, "b.png": 1, "v.nii": 9, "x.png": 0}
    assert len(SliceCounts(shapes)) == 4


def test_boxes_are_placed_without_opening_other_images(shapes, opened):
    listed = {("a.png", None): "x.csv, line 2", ("v_s003.png", None): "x.csv, line 3"}
    placed = place_boxes(Annotations([], listed), shapes, OBJECT)
    assert list(placed.boxes) == ["a.png", "v.nii"]
    assert sorted(opened) == ["a.png", "v.nii"]
