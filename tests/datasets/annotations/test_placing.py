"""Drawn boxes placed on the images: edges, classes, images without a box, and errors."""

import json
import re
from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from automedsam.cases.boxes import Box
from automedsam.datasets.annotations.drawn import OUTLINE, ROTATED, Annotations, DrawnBox
from automedsam.datasets.annotations.formats import read_annotations
from automedsam.datasets.annotations.placing import place_boxes
from automedsam.datasets.class_ids import parse_classes
from automedsam.runtime.errors import InputError
from fake_scans import OBJECT

SIZES = {
    "a.png": (1, 48, 64),
    "p1/b.png": (1, 48, 64),
    "p2/b.png": (1, 48, 64),
    "vol.nii.gz": (20, 100, 80),
}
INSIDE = (1, 2, 30, 40)
quick = settings(max_examples=30, deadline=None, derandomize=True)


def drawn(
    image: str, box_xyxy: tuple[float, ...] | None = INSIDE, index: int | None = None, **more
) -> Annotations:
    """Annotations with one box of class 1 on an image or slice, or without a box."""
    location = "x.csv, line 2"
    boxes = []
    if box_xyxy:
        classes = more.pop("classes", (1,))
        boxes.append(DrawnBox(location, image, index, classes, box_xyxy, **more))
    return Annotations(boxes, {(image, index): location})


def merge(*parts: Annotations) -> Annotations:
    return Annotations(
        [box for part in parts for box in part.boxes],
        {key: location for part in parts for key, location in part.locations.items()},
    )


def write(folder: Path, files: dict[str, str | bytes]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


def place_object(annotations, sizes, class_ids):
    """Place the boxes of one class, by image and slice."""
    classes = parse_classes(class_ids and [class_ids], None, is_annotated=True)
    (object_class,) = classes
    placed = place_boxes(annotations, sizes, classes).boxes
    return {
        image: {number: boxes[object_class.value] for number, boxes in slices.items()}
        for image, slices in placed.items()
    }


# Placement


@pytest.mark.parametrize(
    ("image", "index", "place"),
    [
        ("a.png", None, ("a.png", 0)),
        ("a.png", 0, ("a.png", 0)),
        (r"C:\images\a.jpg", None, ("a.png", 0)),
        ("train/p2/b", None, ("p2/b.png", 0)),
        ("vol.nii.gz", 0, ("vol.nii.gz", 0)),
        ("vol", 19, ("vol.nii.gz", 19)),
        ("vol_s012.png", None, ("vol.nii.gz", 12)),
        ("vol_s012.png", 12, ("vol.nii.gz", 12)),
        ("vol_s012.png", 0, ("vol.nii.gz", 12)),
        ("1a2b3c4d-vol_s012", None, ("vol.nii.gz", 12)),
    ],
)
def test_a_box_is_placed_on_its_image_and_slice(image, index, place):
    assert place_object(drawn(image, INSIDE, index), SIZES, None) == {
        place[0]: {place[1]: (INSIDE,)}
    }


@pytest.mark.parametrize(
    ("box_xyxy", "placed"),
    [
        ((1.4, 1.6, 30.49, 40.5), (1, 2, 30, 41)),
        ((1.5, 2.5, 2.5, 3.5), (2, 3, 3, 4)),
        ((0.5, 0.49, 1.5, 1.49), (1, 0, 2, 1)),
        ((-0.5, -0.4, 64.4, 48.49), (0, 0, 64, 48)),
        ((63, 47, 64, 48), (63, 47, 64, 48)),
        ((-2, -1.2, 66, 49.9), (0, 0, 64, 48)),
        ((63.4, 4, 65.9, 9), (63, 4, 64, 9)),
    ],
)
def test_edges_are_rounded_to_whole_pixels(box_xyxy, placed):
    found = place_object(drawn("a.png", box_xyxy), SIZES, None)
    assert found == {"a.png": {0: (placed,)}}
    assert {type(edge) for edge in found["a.png"][0][0]} == {int}


def test_fractions_are_scaled_by_width_and_height():
    found = place_object(drawn("a.png", (0.25, 0.5, 0.75, 1), relative=True), SIZES, None)
    assert found == {"a.png": {0: ((16, 24, 48, 48),)}}


def test_boxes_are_sorted_without_duplicates():
    parts = [
        drawn("a.png", box) for box in [(5, 5, 9, 9), (1, 2, 3, 5), (5.1, 5, 9, 9), (1, 2, 3, 4)]
    ]
    found = place_object(merge(*parts, drawn("vol", INSIDE, 7), drawn("vol", None, 2)), SIZES, None)
    assert found == {
        "a.png": {0: ((1, 2, 3, 4), (1, 2, 3, 5), (5, 5, 9, 9))},
        "vol.nii.gz": {2: (), 7: (INSIDE,)},
    }
    assert list(found["vol.nii.gz"]) == [2, 7]


@pytest.mark.parametrize(
    ("class_ids", "boxes"),
    [
        (None, (INSIDE,)),
        ([1], (INSIDE,)),
        (["liver"], (INSIDE,)),
        ([7, "liver"], (INSIDE,)),
        (["1"], ()),
        ([2], ()),
    ],
)
def test_a_box_is_used_if_its_id_or_its_name_is(class_ids, boxes):
    found = place_object(drawn("a.png", classes=(1, "liver")), SIZES, class_ids)
    assert found == {"a.png": {0: boxes}}


def test_only_listed_images_are_returned():
    assert place_object(drawn("a.png", None), SIZES, None) == {"a.png": {0: ()}}
    assert place_object(Annotations([], {}), SIZES, None) == {}


IMAGES = Path("/data/patient1/images")


def test_names_in_other_folders_than_those_of_the_images_are_doubtful():
    for name in ("patient1/a.png", "images/a.png", "data/patient1/images/a.png", "a.png"):
        assert not place_boxes(drawn(name), SIZES, OBJECT, images_folder=IMAGES).doubts
    (doubt,) = place_boxes(drawn("study/a.png"), SIZES, OBJECT, images_folder=IMAGES).doubts
    assert doubt == (
        "1 name with folders that are not those of the image in /data/patient1/images, for example "
        "study/a.png -> a.png; if it is another image, for example of another patient, remove it "
        "from the annotations"
    )


@pytest.mark.parametrize(
    ("name", "others"),
    [("patient2/a.png", []), ("patient2/images/a.png", []), ("x/a.png", ["patient1/p1/b.png"])],
)
def test_names_in_the_folder_of_another_patient_are_rejected(name, others):
    annotations = merge(drawn(name), *map(drawn, others))
    with pytest.raises(InputError) as caught:
        place_boxes(annotations, SIZES, OBJECT, images_folder=IMAGES)
    assert str(caught.value) == (
        f"x.csv, line 2: no image matches the name {name!r}; /data/patient1/images/a.png is in "
        "another folder"
    )


def test_two_names_of_an_image_may_differ_in_leading_folders():
    found = place_object(
        merge(drawn("x/a.png", (1, 1, 2, 2)), drawn("a.png", (3, 3, 4, 4))), SIZES, None
    )
    assert found == {"a.png": {0: ((1, 1, 2, 2), (3, 3, 4, 4))}}


# Errors

BOXED = "(x_min, y_min, x_max, y_max in px, half open)"
REVERSED = "expected x_min below x_max and y_min below y_max, found"
OUTSIDE = "expected a box inside the image of 64 x 48 px, found"


@pytest.mark.parametrize(
    ("annotations", "message"),
    [
        (drawn("a.png", (9, 2, 5, 4)), f"{REVERSED} 9, 2, 5, 4 {BOXED}"),
        (drawn("a.png", (1, 4.5, 5, 4)), f"{REVERSED} 1, 4.5, 5, 4 {BOXED}"),
        (drawn("a.png", (0.5, 0.5, 0.25, 1), relative=True), f"{REVERSED} 32, 24, 16, 48 {BOXED}"),
        (
            drawn("a.png", (3, 4, 3, 9)),
            f"expected a box of at least one pixel, found 3, 4, 3, 9 {BOXED}",
        ),
        (
            drawn("a.png", (3, 3.6, 5, 4.4)),
            f"expected a box of at least one pixel, found 3, 3.6, 5, 4.4 {BOXED}",
        ),
        (
            drawn("a.png", (64, 4, 64.2, 9)),
            f"expected a box of at least one pixel, found 64, 4, 64.2, 9 {BOXED}",
        ),
        (
            drawn("a.png", (64.5, 4, 66, 9)),
            f"expected a box of at least one pixel, found 64.5, 4, 66, 9 {BOXED}",
        ),
        (
            drawn("a.png", (-2, 4, 0, 9)),
            f"expected a box of at least one pixel, found -2, 4, 0, 9 {BOXED}",
        ),
        (drawn("a.png", (-2.1, 0, 5, 5)), f"{OUTSIDE} -2.1, 0, 5, 5 {BOXED}"),
        (drawn("a.png", (0, -3, 5, 5)), f"{OUTSIDE} 0, -3, 5, 5 {BOXED}"),
        (drawn("a.png", (0, 0, 66.5, 5)), f"{OUTSIDE} 0, 0, 66.5, 5 {BOXED}"),
        (drawn("a.png", (0, 0, 5, 50.5)), f"{OUTSIDE} 0, 0, 5, 50.5 {BOXED}"),
        (drawn("a.png", (70, 50, 80, 60)), f"{OUTSIDE} 70, 50, 80, 60 {BOXED}"),
        (drawn("a.png", (0, 0, float("inf"), 5)), f"{OUTSIDE} 0, 0, inf, 5 {BOXED}"),
        (drawn("a.png", (0, 0, 1e308, 1), relative=True), f"{OUTSIDE} 0, 0, inf, 48 {BOXED}"),
        (drawn("z.png"), "no image matches the name 'z.png'"),
        (drawn("b.png"), "the name 'b.png' matches several images: p1/b.png, p2/b.png"),
        (drawn("vol"), "expected a slice from 0 to 19 of vol.nii.gz, found none"),
        (drawn("vol", INSIDE, 20), "expected a slice from 0 to 19 of vol.nii.gz, found 20"),
        (drawn("vol", INSIDE, -1), "expected a slice from 0 to 19 of vol.nii.gz, found -1"),
        (drawn("vol_s020.png"), "expected a slice from 0 to 19 of vol.nii.gz, found 20"),
        (
            drawn("vol_s012.png", INSIDE, 3),
            "expected slice 12 for the name 'vol_s012.png', found slice 3",
        ),
        (drawn("a.png", INSIDE, 1), "expected a slice from 0 to 0 of a.png, found 1"),
    ],
)
def test_an_invalid_box_or_name_is_reported_with_its_location(annotations, message):
    for class_ids in (None, [2]):  # boxes of other classes are checked too
        with pytest.raises(InputError, match=f"^{re.escape('x.csv, line 2: ' + message)}$"):
            place_object(annotations, SIZES, class_ids)


def test_boxes_past_the_edge_are_counted_beyond_rounding():
    parts = [drawn("a.png", (0, 0, 64.5, 9)), drawn("p1/b.png", (0, 0, 65.2, 9))]
    parts.append(drawn("p2/b.png", (-1, 0, 64, 9)))
    found = place_boxes(merge(*parts), SIZES, OBJECT)
    assert found.notes == [
        "2 boxes cut off at the edge of the image, for example x.csv, line 2 (1.2 px)"
    ]


def test_derived_boxes_are_counted():
    parts = [drawn("a.png", source=OUTLINE), drawn("p1/b.png", source=ROTATED), drawn("p2/b.png")]
    parts.append(drawn("vol", INSIDE, 3, source=OUTLINE))
    assert place_boxes(merge(*parts), SIZES, OBJECT).notes == [
        "2 boxes placed around a polygon or mask",
        "1 box placed around a rotated box",
    ]


def test_listed_slices_without_a_box_are_marked_empty_or_unboxed():
    parts = merge(
        drawn("a.png", classes=(9,)),
        drawn("p1/b.png", None),
        drawn("p2/b.png", None),
        drawn("vol", INSIDE, 1),
        drawn("vol", None, 2),
        drawn("vol_s003.png", None),
        drawn("x/a.png", None),
    )
    marked = frozenset({("p2/b.png", None), ("vol", 2), ("x/a.png", None)})
    found = place_boxes(
        replace(parts, marked_empty=marked), SIZES, parse_classes([1], None, is_annotated=True)
    )
    assert found.marked_empty == {("p2/b.png", 0), ("vol.nii.gz", 2)}
    assert found.unboxed == {("p1/b.png", 0), ("vol.nii.gz", 3)}
    assert {image: sorted(slices) for image, slices in found.boxes.items()} == {
        "a.png": [0],
        "p1/b.png": [0],
        "p2/b.png": [0],
        "vol.nii.gz": [1, 2, 3],
    }


def test_negative_images_are_checked_too():
    with pytest.raises(InputError, match="no image matches the name 'z'"):
        place_object(drawn("z", None), SIZES, None)


def test_errors_are_reported_together():
    parts = [
        drawn("a.png", (9, 2, 5, 4)),
        drawn("z.png"),
        drawn("p1/b", (0, 0, 99, 9)),
        drawn("vol"),
        drawn("z.png"),
    ]
    with pytest.raises(InputError) as error:
        place_object(merge(*parts), SIZES, None)
    messages = re.split("; (?=x.csv)", str(error.value))
    kinds = r"(no image|a slice|x_min|a box inside)"
    assert [re.search(kinds, message)[1] for message in messages] == [
        "no image",
        "a slice",
        "x_min",
        "a box inside",
    ]


# Properties: boxes survive writing and reading in every format; only InputError is raised


@st.composite
def boxed_images(draw) -> tuple[dict[str, tuple[int, int, int]], dict[str, list[Box]]]:
    """Up to four images of up to 2000 px per side, each with up to three boxes."""
    sizes, boxes = {}, {}
    for name in draw(
        st.sets(st.sampled_from(["a", "p1/a", "p1/b", "p2/b.c", "ä"]), min_size=1, max_size=4)
    ):
        height, width = draw(st.integers(1, 2000)), draw(st.integers(1, 2000))
        sizes[f"{name}.png"] = 1, height, width
        boxes[f"{name}.png"] = []
        for _ in range(draw(st.integers(0, 3))):
            x0, y0 = draw(st.integers(0, width - 1)), draw(st.integers(0, height - 1))
            x1, y1 = draw(st.integers(x0 + 1, width)), draw(st.integers(y0 + 1, height))
            boxes[f"{name}.png"].append((x0, y0, x1, y1))
    return sizes, boxes


def as_csv(folder: Path, sizes: dict, boxes: dict[str, list[Box]]) -> Path:
    rows = [
        ",".join(map(str, (image, *box)))
        for image, found in boxes.items()
        for box in found or [("",) * 4]
    ]
    return write(folder, {"x.csv": "\n".join(["image,x_min,y_min,x_max,y_max", *rows])}) / "x.csv"


def as_coco(folder: Path, sizes: dict, boxes: dict[str, list[Box]]) -> Path:
    images = [{"id": index, "file_name": image} for index, image in enumerate(boxes)]
    entries = [
        {"image_id": index, "category_id": 1, "bbox": [x0, y0, x1 - x0, y1 - y0]}
        for index, found in enumerate(boxes.values())
        for x0, y0, x1, y1 in found
    ]
    return (
        write(folder, {"x.json": json.dumps({"images": images, "annotations": entries})}) / "x.json"
    )


def as_yolo(folder: Path, sizes: dict, boxes: dict[str, list[Box]]) -> Path:
    for image, found in boxes.items():
        _, height, width = sizes[image]
        lines = []
        for x0, y0, x1, y1 in found:
            fractions = (
                (x0 + x1) / 2 / width,
                (y0 + y1) / 2 / height,
                (x1 - x0) / width,
                (y1 - y0) / height,
            )
            lines.append("0 " + " ".join(f"{fraction:.6f}" for fraction in fractions))
        write(folder, {f"{image[:-4]}.txt": "\n".join(lines)})
    return folder


def as_voc(folder: Path, sizes: dict, boxes: dict[str, list[Box]]) -> Path:
    for image, found in boxes.items():
        objects = [
            f"<object><name>x</name><bndbox><xmin>{x0}</xmin><ymin>{y0}</ymin>"
            f"<xmax>{x1}</xmax><ymax>{y1}</ymax></bndbox></object>"
            for x0, y0, x1, y1 in found
        ]
        xml = f"<annotation><filename>{image}</filename>{''.join(objects)}</annotation>"
        write(folder, {f"{image[:-4]}.xml": xml})
    return folder


@pytest.mark.parametrize("write_as", [as_csv, as_coco, as_yolo, as_voc])
@given(images=boxed_images())
@quick
def test_boxes_survive_writing_and_reading(write_as: Callable[..., Path], images):
    sizes, boxes = images
    with TemporaryDirectory() as folder:
        found = place_object(read_annotations(write_as(Path(folder), *images)), sizes, None)
    assert found == {image: {0: tuple(sorted(set(one)))} for image, one in boxes.items()}


WORDS = st.sampled_from(
    [
        "image",
        "x_min",
        "y_min",
        "x_max",
        "y_max",
        "slice",
        "class",
        "ends",
        "inclusive",
        "a.png",
        "vol_s001",
        "0",
        "1",
        "-3",
        "0.5",
        "1e400",
        "nan",
        "9" * 5000,
        "é",
        "\0",
        '"',
        ",",
        ";",
        "\n",
        "\r",
        " ",
        "names:",
        "[",
        "{",
        ":",
        "<annotation>",
        "</annotation>",
        "<object>",
        "</object>",
        "<bndbox>",
        "<name>x</name>",
        "<xmin>1</xmin>",
        "&lol;",
        "<filename>a</filename>",
        '{"images": [',
        '], "annotations": [',
        "]}",
        '{"id": 1, "file_name": "a"}',
        '"bbox"',
    ],
)
GARBAGE = st.one_of(st.binary(), st.text(), st.lists(WORDS, max_size=40).map("".join))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.sampled_from(["a.png", "p1/b", ""]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["id", "image_id", "category_id", "file_name", "name", "bbox"]), inner
        )
    ),
    max_leaves=8,
)


def read_and_place(path: Path) -> None:
    with suppress(InputError):
        place_object(read_annotations(path), SIZES, [1])


@pytest.mark.parametrize("name", ["x.csv", "x.json", "a.txt", "a.xml", "data.yaml", "classes.txt"])
@given(content=GARBAGE)
@quick
def test_garbage_raises_no_other_error(name, content):
    with TemporaryDirectory() as folder:
        content = content if isinstance(content, bytes) else content.encode(errors="surrogatepass")
        write(
            Path(folder),
            {"labels/a.txt": "0 0.5 0.5 1 1"} if name in ("data.yaml", "classes.txt") else {},
        )
        write(Path(folder), {name: content})
        read_and_place(Path(folder) / name if name.startswith("x") else Path(folder))


@given(cells=st.lists(st.lists(WORDS | st.text(), min_size=8, max_size=8), max_size=5))
@quick
def test_a_table_of_garbage_raises_no_other_error(cells):
    with TemporaryDirectory() as folder:
        text = "image,slice,class,x_min,y_min,x_max,y_max,ends\n" + "\n".join(map(",".join, cells))
        read_and_place(write(Path(folder), {"x.csv": text.encode(errors="replace")}) / "x.csv")


@given(
    content=st.fixed_dictionaries(
        {"images": VALUES, "annotations": VALUES}, optional={"categories": VALUES}
    )
)
@quick
def test_json_of_garbage_raises_no_other_error(content):
    with TemporaryDirectory() as folder:
        read_and_place(write(Path(folder), {"x.json": json.dumps(content)}) / "x.json")


@given(
    lines=st.lists(
        st.lists(WORDS | st.floats().map(str), min_size=4, max_size=6).map(" ".join), max_size=5
    )
)
@quick
def test_lines_of_garbage_raise_no_other_error(lines):
    with TemporaryDirectory() as folder:
        read_and_place(write(Path(folder), {"a.txt": "\n".join(lines)}))


def test_boxes_are_separated_by_class():
    parts = merge(
        drawn("a.png", (1, 1, 2, 2), classes=(1, "liver")),
        drawn("a.png", (3, 3, 4, 4), classes=(2, "spleen")),
        drawn("a.png", (5, 5, 6, 6), classes=(9, "spine")),
        drawn("x/a.png", None),
    )
    classes = parse_classes(["spleen", 1], None, is_annotated=True)
    assert [object_class.value for object_class in classes] == [1, 2]
    assert place_boxes(parts, SIZES, classes).boxes["a.png"] == {
        0: {1: ((3, 3, 4, 4),), 2: ((1, 1, 2, 2),)}
    }
