"""Names in annotation files, matched to one image and one slice each."""

from dataclasses import replace

import pytest

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.matching import Matcher
from automedsam.runtime.errors import ErrorCollector, InputError
from automedsam.scans.shapes import LazyShapes
from fake_scans import FakeScan

BOX = (1, 2, 30, 40)
SIZES = {
    "a.png": (1, 48, 64),
    "p1/b.png": (1, 48, 64),
    "p2/b.png": (1, 48, 64),
    "vol.nii.gz": (20, 100, 80),
}


def listing(*names, boxed=(), **fields):
    """Annotations that list these names, one per line, some of them with a box."""
    keys = [name if isinstance(name, tuple) else (name, None) for name in names]
    locations = {key: f"x, {number}" for number, key in enumerate(keys, start=1)}
    boxes = [DrawnBox(locations[name, None], name, None, (1,), BOX) for name in boxed]
    return Annotations(boxes, locations, **fields)


def match(annotations, sizes=SIZES):
    """The places by name, the lines about changed names, and the errors."""
    errors = ErrorCollector()
    matcher = Matcher(annotations, sizes, errors)
    places = {name: place for (name, _), place in matcher.places.items()}
    return places, matcher.describe_changes(), errors.found


def test_changed_names_are_counted_by_the_kind_of_change():
    names = ["0a1b2c3d-a.png", "0a1b2c3d-p1__b.png", "p2%2Fb.png", "vol_s003.png"]
    places, lines, errors = match(listing(*names))
    assert list(places.values()) == [
        ("a.png", 0),
        ("p1/b.png", 0),
        ("p2/b.png", 0),
        ("vol.nii.gz", 3),
    ]
    assert lines == [
        "2 names matched after removing a hash prefix, for example 0a1b2c3d-a.png -> a.png",
        "1 name matched after decoding percent signs, for example p2%2Fb.png -> p2/b.png",
    ]
    assert errors == []


def test_a_name_in_the_folder_of_another_patient_has_no_place():
    places, _, errors = match(listing("p3/b.png", "p9/a.png"), SIZES | {"p1/a.png": (1, 9, 9)})
    assert places == {"p3/b.png": None, "p9/a.png": ("a.png", 0)}
    assert errors == [
        "x, 1: no image matches the name 'p3/b.png'; p1/b.png, p2/b.png is in another folder"
    ]


def test_two_different_names_of_one_image_are_rejected():
    for names in (("p1/a.png", "p2/a.png"), ("0a1b2c3d-a.png", "11111111-a.png")):
        _, _, errors = match(listing(*names))
        assert errors == [
            f"x, 2: {names[1]!r} and {names[0]!r} (x, 1) both match slice 0 of a.png, but are "
            "different names"
        ]


def test_two_records_of_one_image_may_not_both_have_boxes():
    names = "x/a.png", "a.png"
    assert match(listing(*names, boxed=names))[2] == []
    assert match(listing(*names, boxed=names[:1], has_records=True))[2] == []
    assert match(listing(*names, boxed=names, has_records=True))[2] == [
        "x, 2: x, 1 has boxes of the same image, a.png; remove one of the two"
    ]


RENAMED = "using the name of the XML file, because no image has the name inside"


@pytest.mark.parametrize(
    ("record", "inner", "place", "change"),
    [
        ("a", "a.png", "a.png", None),
        ("a", "a.jpg", "a.png", "changing the suffix"),
        ("0001", "a.png", "a.png", None),
        ("a", "IMG_7.JPG", "a.png", RENAMED),
        ("p1/b", "p1/b.png", "p1/b.png", None),
        ("p1__b", "b.png", "p1/b.png", None),
        ("vol_s003", "vol_s003.png", "vol.nii.gz", None),
    ],
)
def test_a_record_and_the_name_inside_agree(record, inner, place, change):
    places, lines, errors = match(listing(record, inner_names={record: inner}))
    assert errors == []
    assert places[record][0] == place
    assert [line.split(" matched after ")[1].split(", for")[0] for line in lines] == (
        [change] if change else []
    )


@pytest.mark.parametrize(
    ("record", "inner", "error"),
    [
        ("a", "p1/b.png", "the name of the file is that of a.png, but <filename> is p1/b.png; "),
        ("vol_s003", "vol_s004.png", "the name of the file is that of vol.nii.gz, but <filename>"),
        ("a", "p1/a.png", None),
        ("b", "p3/b.png", "no image matches the name 'p3/b.png'"),
        ("z", "y.png", "no image matches the name 'y.png'"),
        ("b", "b.png", "the name 'b.png' matches several images: p1/b.png, p2/b.png"),
    ],
)
def test_a_record_that_contradicts_the_name_inside_has_no_place(record, inner, error):
    places, _, errors = match(listing(record, inner_names={record: inner}))
    if error is None:
        assert (places, errors) == ({record: ("a.png", 0)}, [])
    else:
        assert places == {record: None}
        assert errors[0].startswith(f"x, 1: {error}")


def test_boxes_drawn_on_an_image_of_another_size_are_rejected():
    """Boxes drawn on a smaller copy may be inside the image, but in the wrong place."""
    for name, index, size in (
        ("a.png", None, (48, 64)),
        ("vol.nii.gz", 3, (100, 80)),
        ("vol_s003.png", None, (100, 80)),
    ):
        annotations = listing((name, index))
        same = replace(annotations, sizes={(name, index): size})
        assert match(same)[2] == []
        path = "a.png" if name == "a.png" else "vol.nii.gz"
        other = replace(annotations, sizes={(name, index): (24, 32)})
        assert match(other)[2] == [
            f"x, 1: {path} has {size[1]} x {size[0]} px, but was annotated with 32 x 24 px"
        ]


def test_an_unreadable_image_keeps_its_name_and_has_no_place():
    def fail():
        raise InputError("p1/b.png: broken")

    sizes = LazyShapes({"p2/b.png": lambda: FakeScan((1, 48, 64)), "p1/b.png": fail})
    places, _, errors = match(listing("p2/b.png"), sizes)
    assert (places, errors) == ({"p2/b.png": ("p2/b.png", 0)}, [])
    assert match(listing("p1/b.png"), sizes)[2] == ["x, 1: p1/b.png: broken"]
    assert match(listing("b.png"), sizes)[2] == [
        "x, 1: the name 'b.png' matches several images: p1/b.png, p2/b.png"
    ]
