"""The report on drawn boxes, and the warnings."""

import pytest

from automedsam.datasets.annotations.placing import Placement
from automedsam.preparation.annotation_report import describe_annotations, find_doubts
from automedsam.preparation.survey import Survey
from fake_scans import BOX, make_scan, make_slice, single_class

BOXES = {f"{name}.png": single_class({0: ()}) for name in "abcde"}


def report(placement, slices=(), unboxed="unknown", keep_empty=True):
    return describe_annotations(placement, Survey(list(slices)), unboxed, keep_empty)


@pytest.mark.parametrize(
    ("unboxed", "keep_empty", "line"),
    [
        (
            "unknown",
            True,
            "2 of 5 listed images have no box; they are left out (unboxed: unknown); with unboxed: "
            "empty they would teach that nothing is there",
        ),
        (
            "empty",
            True,
            "2 of 5 listed images have no box; they teach that nothing is there (unboxed: empty); "
            "with unboxed: unknown they would be left out",
        ),
        ("empty", False, "2 of 5 listed images have no box; they are left out (keep_empty: false)"),
        (
            "unknown",
            False,
            "2 of 5 listed images have no box; they are left out (keep_empty: false)",
        ),
    ],
)
def test_the_effect_of_unboxed_is_stated(unboxed, keep_empty, line):
    placement = Placement(BOXES, unboxed={("a.png", 0), ("c.png", 0)})
    assert report(placement, unboxed=unboxed, keep_empty=keep_empty) == [line]


def test_one_slice_is_singular():
    placement = Placement({"v.nii": single_class({3: ()})}, unboxed={("v.nii", 3)})
    assert report(placement) == [
        "1 of 1 listed slice has no box; it is left out (unboxed: unknown); with unboxed: empty it "
        "would teach that nothing is there"
    ]


def test_masks_that_contradict_empty_are_counted():
    placement = Placement(BOXES, unboxed={("a.png", 0), ("c.png", 0)})
    slices = [make_slice("a", "test", lacks_box=True), make_slice("c", "test")]
    (line,) = report(placement, slices)
    assert line.endswith("that nothing is there, but the masks of 1 of them show an object")


def test_notes_and_marks_are_stated():
    placement = Placement(BOXES, marked_empty={("a.png", 0)}, notes=["a note", "another"])
    assert report(placement) == ["a note", "another", "marked as showing no object: 1 image"]
    assert report(Placement(BOXES)) == []


def test_doubtful_names_are_warnings():
    assert find_doubts(Placement(BOXES, doubts=["a doubt"]), Survey(), "unknown") == ["a doubt"]


@pytest.mark.parametrize(
    ("plane", "line"),
    [
        (
            "axial",
            "boxes on axial slices: slice 0 is at the feet, x = 0 at the patient's right, y = 0 at "
            "the front, as in the pictures of slices.py",
        ),
        (
            "coronal",
            "boxes on coronal slices: slice 0 is at the front, x = 0 at the patient's right, y = 0 "
            "at the head, as in the pictures of slices.py",
        ),
        (
            "sagittal",
            "boxes on sagittal slices: slice 0 is at the patient's right, x = 0 at the front, "
            "y = 0 at the head, as in the pictures of slices.py",
        ),
        (
            None,
            "boxes on stacks without a position: slice 0 is the first one in the file, x = 0 at "
            "the left, y = 0 at the top",
        ),
    ],
)
def test_the_axes_of_boxes_on_volumes_are_stated(plane, line):
    volume = {"is_volume": True, "plane": plane}
    scan = make_scan("v", slices=3, boxes=single_class({1: (BOX,)}))
    assert report(Placement({}), [make_slice("v_s001", scan=scan, **volume)]) == [line]
    assert report(Placement({}), [make_slice("w_s001", scan=make_scan("w"), **volume)]) == []


def listed(name, is_negative, lacks_box=True):
    """A test slice without a box, taken for a negative example or not."""
    scan = make_scan(name, boxes=single_class({0: ()}) if is_negative else None)
    return make_slice(name, "test", (), scan=scan, lacks_box=lacks_box)


def test_negative_examples_that_show_an_object_are_doubted():
    slices = [listed(name, is_negative=True, lacks_box=name != "e") for name in "abcde"]
    found = "4 images listed without a box, but with an object in the mask: a, b, c and 1 more; "
    assert find_doubts(Placement(BOXES), Survey(slices), "empty") == [
        f"{found}draw their boxes, or set unboxed: unknown and do not mark them as empty"
    ]
    assert find_doubts(Placement(BOXES), Survey(slices), "unknown") == [
        f"{found}draw their boxes, or do not mark them as empty"
    ]


def test_marked_images_are_doubted_and_unboxed_ones_are_counted():
    slices = [listed("a", is_negative=True), *(listed(name, False) for name in "bcd")]
    unboxed = {(f"{name}.png", 0) for name in "bcd"}
    placement = Placement(BOXES, marked_empty={("a.png", 0)}, unboxed=unboxed)
    (doubt,) = find_doubts(placement, Survey(slices), "unknown")
    assert doubt.startswith("1 image listed without a box, but with an object in the mask: a; ")
    assert report(placement, slices)[0].endswith("the masks of 3 of them show an object")
