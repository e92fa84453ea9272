"""COCO files: hand-written exports of CVAT and Label Studio, and malformed entries."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from automedsam.datasets.annotations.coco import read_coco
from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.runtime.errors import InputError

CVAT = {
    "licenses": [{"name": "", "id": 0, "url": ""}],
    "info": {"contributor": "", "date_created": "", "description": "", "url": "", "version": ""},
    "categories": [
        {"id": 1, "name": "liver", "supercategory": ""},
        {"id": 2, "name": "tumour", "supercategory": ""},
    ],
    "images": [
        {"id": 1, "width": 64, "height": 48, "file_name": "p1/a.png", "license": 0},
        {"id": 2, "width": 64, "height": 48, "file_name": "p2/a.png", "license": 0},
    ],
    "annotations": [
        {
            "id": 1,
            "image_id": 1,
            "category_id": 2,
            "segmentation": [],
            "area": 42.0,
            "bbox": [10.5, 20.0, 6.0, 7.0],
            "iscrowd": 0,
            "attributes": {"occluded": False, "rotation": 0.0},
        },
        {
            "id": 2,
            "image_id": 1,
            "category_id": 1,
            "segmentation": [],
            "area": 1.0,
            "bbox": [0, 0, 1, 1],
            "iscrowd": 0,
        },
    ],
}
LABEL_STUDIO = {
    "images": [{"width": 64, "height": 48, "id": 0, "file_name": "images/1a2b3c4d-a.png"}],
    "categories": [{"id": 0, "name": "liver"}],
    "annotations": [
        {
            "id": 0,
            "image_id": 0,
            "category_id": 0,
            "segmentation": [],
            "bbox": [1.5, 2.25, 3.0, 4.0],
            "ignore": 0,
            "iscrowd": 0,
            "area": 12.0,
        },
    ],
    "info": {"year": 2024, "version": "1.0", "contributor": "Label Studio"},
}


def read(folder: Path, content: Any) -> Annotations:
    (folder / "set.json").write_text(json.dumps(content))
    return read_coco(folder / "set.json")


def one_image(**changes: Any) -> dict[str, Any]:
    """One image with two annotations, the second with changes; "gone" removes a key."""
    annotation = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    changed = {key: value for key, value in (annotation | changes).items() if value != "gone"}
    return {"images": [{"id": 1, "file_name": "a"}], "annotations": [annotation, changed]}


def test_an_export_of_cvat(tmp_path):
    assert read(tmp_path, CVAT) == Annotations(
        [
            DrawnBox(
                "set.json, annotations[0]", "p1/a.png", None, (2, "tumour"), (10.5, 20, 16.5, 27)
            ),
            DrawnBox("set.json, annotations[1]", "p1/a.png", None, (1, "liver"), (0, 0, 1, 1)),
        ],
        {("p1/a.png", None): "set.json, images[0]", ("p2/a.png", None): "set.json, images[1]"},
        {("p1/a.png", None): (48, 64), ("p2/a.png", None): (48, 64)},
        has_records=True,
    )


@pytest.mark.parametrize(
    "size", [{}, {"width": 0, "height": 0}, {"width": 64}, {"width": None, "height": "48"}]
)
def test_a_missing_size_is_not_read(tmp_path, size):
    content = one_image()
    content["images"][0] |= size
    assert read(tmp_path, content).sizes == {}


def test_sizes_and_ids_may_be_floats(tmp_path):
    content = one_image(image_id=1.0, category_id=2.0)
    content["images"][0] |= {"id": 1.0, "width": 64.0, "height": 48.0}
    found = read(tmp_path, content)
    assert found.sizes == {("a", None): (48, 64)}
    assert found.classes == [1, 2]
    assert {type(name) for name in found.classes} == {int}


@pytest.mark.parametrize("shape", [{}, {"bbox": []}, {"bbox": [0, 0, 0, 0], "segmentation": []}])
def test_the_category_empty_without_a_box_marks_an_image(tmp_path, shape):
    content = {
        "images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}],
        "categories": [{"id": 1, "name": "liver"}, {"id": 2, "name": "Empty"}],
        "annotations": [{"image_id": 2, "category_id": 2, **shape}],
    }
    found = read(tmp_path, content)
    assert (found.boxes, found.marked_empty) == ([], {("b", None)})
    content["annotations"][0]["category_id"] = 1
    with pytest.raises(InputError, match="a category without a box must be empty, which marks an"):
        read(tmp_path, content)


def test_two_records_of_one_name_may_not_have_different_boxes(tmp_path):
    """Merged exports of two patients may have images of the same name."""
    images = [{"id": number, "file_name": "slice_000.png"} for number in (1, 2)]
    box = {"image_id": 1, "category_id": 1, "bbox": [1, 2, 3, 4]}
    for second in ([], [box | {"image_id": 2}]):
        found = read(tmp_path, {"images": images, "annotations": [box, *second]})
        assert {drawn.box_xyxy for drawn in found.boxes} == {(1, 2, 4, 6)}
    other = box | {"image_id": 2, "bbox": [1, 2, 3, 5]}
    with pytest.raises(
        InputError, match=r"^set\.json: two images with different boxes have the file_name 'slice"
    ):
        read(tmp_path, {"images": images, "annotations": [box, other]})


def test_an_export_of_label_studio(tmp_path):
    found = read(tmp_path, LABEL_STUDIO)
    assert found.boxes == [
        DrawnBox(
            "set.json, annotations[0]",
            "images/1a2b3c4d-a.png",
            None,
            (0, "liver"),
            (1.5, 2.25, 4.5, 6.25),
        )
    ]
    assert found.classes == [0, "liver"]


def test_categories_are_optional(tmp_path):
    assert [drawn.classes for drawn in read(tmp_path, one_image()).boxes] == [(1,), (1,)]


def test_ids_may_be_strings(tmp_path):
    content = {
        "images": [{"id": "x", "file_name": "a"}],
        "annotations": [{"image_id": "x", "category_id": "t", "bbox": [0, 0, 1, 1]}],
    }
    assert read(tmp_path, content).boxes[0].classes == ("t",)


def test_reversed_and_empty_boxes_are_not_checked_here(tmp_path):
    content = one_image(bbox=[5, 5, -3, 0])
    assert read(tmp_path, content).boxes[1].box_xyxy == (5, 5, 2, 5)


@pytest.mark.parametrize(
    "bbox",
    [
        None,
        "gone",
        [],
        [0, 0, 0, 0],
        [1, 2, 3],
        [1, 2, 3, 4, 5],
        ["1", 2, 3, 4],
        [True, 2, 3, 4],
        [float("nan"), 2, 3, 4],
        [1, 2, float("inf"), 4],
        [10**400, 2, 3, 4],
        {"x": 1},
        "1,2,3,4",
    ],
)
def test_a_bbox_must_be_four_finite_numbers(tmp_path, bbox):
    with pytest.raises(
        InputError, match=r"^set\.json, annotations\[1\]: expected four numbers x, y, width, height"
    ):
        read(tmp_path, one_image(bbox=bbox))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"image_id": 7}, "no image has the image_id 7"),
        ({"image_id": "1"}, "no image has the image_id '1'"),
        ({"image_id": "gone"}, "expected a whole number or a string as image_id, found None"),
        ({"image_id": True}, "expected a whole number or a string as image_id, found True"),
        ({"image_id": [1]}, "expected a whole number or a string as image_id, found [1]"),
        ({"category_id": "gone"}, "expected a whole number or a string as category_id, found None"),
        ({"category_id": 1.5}, "expected a whole number or a string as category_id, found 1.5"),
    ],
)
def test_a_malformed_annotation_is_rejected(tmp_path, changes, message):
    with pytest.raises(InputError, match=f"^{re.escape('set.json, annotations[1]: ' + message)}$"):
        read(tmp_path, one_image(**changes))


@pytest.mark.parametrize(
    ("key", "entries", "message"),
    [
        ("images", [{"id": 1}], "images[0]: expected a string as file_name, found None"),
        (
            "images",
            [{"file_name": "a"}],
            "images[0]: expected a whole number or a string as id, found None",
        ),
        (
            "images",
            [{"id": 1, "file_name": 3}],
            "images[0]: expected a string as file_name, found 3",
        ),
        (
            "images",
            [{"id": 1, "file_name": "a"}] * 2 + [{"id": 1, "file_name": "b"}],
            "images[2]: id 1 has two names, 'a' and 'b'",
        ),
        ("images", ["a.png"], "images[0]: expected a string as file_name, found None"),
        ("categories", [{"id": 1}], "categories[0]: expected a string as name, found None"),
        (
            "categories",
            [{"id": 1, "name": "x"}, {"id": 1, "name": "y"}],
            "categories[1]: id 1 has two names, 'x' and 'y'",
        ),
    ],
)
def test_a_malformed_image_or_category_is_rejected(tmp_path, key, entries, message):
    content = {"images": [], "annotations": []} | {key: entries}
    with pytest.raises(InputError, match=f"^{re.escape('set.json, ' + message)}$"):
        read(tmp_path, content)


def test_malformed_entries_are_reported_together(tmp_path):
    content = one_image(bbox=None) | {"categories": [{}]}
    with pytest.raises(
        InputError,
        match=r"^set\.json, categories\[0\]: .*; set\.json, annotations\[1\]: .* found None; a cat",
    ):
        read(tmp_path, content)


@pytest.mark.parametrize(
    "content", [[], 1, {}, {"images": []}, {"annotations": []}, {"images": {}, "annotations": []}]
)
def test_other_json_is_rejected(tmp_path, content):
    with pytest.raises(InputError, match=r"set\.json: expected COCO"):
        read(tmp_path, content)


@pytest.mark.parametrize("text", ["", "{", "[" * 100_000, "9" * 10_000])
def test_invalid_json_is_rejected(tmp_path, text):
    (tmp_path / "set.json").write_text(text)
    with pytest.raises(InputError, match=r"set\.json: (not valid JSON|expected COCO)"):
        read_coco(tmp_path / "set.json")


def test_other_encodings_are_rejected(tmp_path):
    (tmp_path / "set.json").write_text(json.dumps(CVAT | {"x": "é"}, ensure_ascii=False), "latin-1")
    with pytest.raises(InputError, match=r"set\.json: cannot be read as UTF-8"):
        read_coco(tmp_path / "set.json")
