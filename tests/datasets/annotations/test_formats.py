"""Annotation files and folders: detection of the format."""

import json
from pathlib import Path

import pytest

from automedsam.datasets.annotations.formats import read_annotations
from automedsam.datasets.annotations.placing import place_boxes
from automedsam.runtime.errors import InputError
from fake_scans import OBJECT, single_class

SIZES = {"a.png": (1, 48, 64)}


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(content, encoding="utf-8")
    return folder


TABLE = "image,x_min,y_min,x_max,y_max\na.png,16,12,32,36\n"
COCO = {
    "images": [{"id": 1, "file_name": "a.png"}],
    "annotations": [{"image_id": 1, "category_id": 1, "bbox": [16, 12, 16, 24]}],
}
YOLO = "1 0.375 0.5 0.25 0.5"
VOC = (
    "<annotation><object><name>1</name><bndbox><xmin>16</xmin><ymin>12</ymin><xmax>32</xmax>"
    "<ymax>36</ymax></bndbox></object></annotation>"
)


@pytest.mark.parametrize(
    ("path", "files"),
    [
        ("x.csv", {"x.csv": TABLE}),
        ("x.CSV", {"x.CSV": TABLE}),
        ("x.json", {"x.json": json.dumps(COCO)}),
        ("x", {"x/y/a.txt": YOLO, "x/.a.xml": "", "x/classes.txt": "", "x/README.txt": "hello"}),
        (
            "x",
            {
                "x/y/a.xml": VOC,
                "x/.a.txt": "",
                "x/labelmap.txt": "",
                "x/ImageSets/Main/default.txt": "a",
            },
        ),
    ],
    ids=["csv", "CSV", "coco", "yolo", "voc"],
)
def test_format_is_determined_by_suffix_and_content(tmp_path, path, files):
    annotations = read_annotations(write(tmp_path, files) / path)
    assert place_boxes(annotations, SIZES, OBJECT).boxes == {
        "a.png": single_class({0: ((16, 12, 32, 36),)})
    }


@pytest.mark.parametrize(
    ("path", "found"),
    [
        ("gone", "no such file"),
        ("gone.csv", "no such file"),
        ("notes.md", "another type of file"),
        ("empty", "a folder with neither"),
        ("both", "a folder with both, a.xml and b.txt"),
        ("listing", "a folder with neither"),
    ],
)
def test_other_files_and_folders_are_rejected(tmp_path, path, found):
    write(
        tmp_path,
        {
            "notes.md": "",
            "empty/.a.txt": "",
            "both/a.xml": "",
            "both/y/b.txt": "",
            "listing/train.txt": "",
        },
    )
    with pytest.raises(
        InputError,
        match=rf"{path}: expected a \.csv table, COCO's \.json, or a folder .*, found {found}$",
    ):
        read_annotations(tmp_path / path)


@pytest.mark.parametrize("label", ["empty", "Empty", "EMPTY"])
def test_the_label_empty_marks_an_image_in_every_format(tmp_path, label):
    files = {
        "x.csv": f"image,x_min,y_min,x_max,y_max,class\na,1,2,3,4,liver\nb,0,0,9,9,{label}\n",
        "x.json": json.dumps(
            {
                "images": [{"id": 1, "file_name": "a"}, {"id": 2, "file_name": "b"}],
                "categories": [{"id": 1, "name": "liver"}, {"id": 2, "name": label}],
                "annotations": [
                    {"image_id": 1, "category_id": 1, "bbox": [1, 2, 2, 2]},
                    {"image_id": 2, "category_id": 2, "bbox": [0, 0, 9, 9]},
                ],
            }
        ),
        "yolo/classes.txt": f"liver\n{label}\n",
        "yolo/a.txt": "0 0.5 0.5 1 1\n",
        "yolo/b.txt": "1 0.5 0.5 1 1\n",
        "voc/a.xml": VOC.replace(">1<", ">liver<", 1),
        "voc/b.xml": VOC.replace(">1<", f">{label}<", 1),
    }
    write(tmp_path, files)
    for name in ("x.csv", "x.json", "yolo", "voc"):
        found = read_annotations(tmp_path / name)
        assert found.marked_empty == {("b", None)}
        assert [box.image for box in found.boxes] == ["a"]
        assert "liver" in found.classes
        assert label not in found.classes


def test_an_image_marked_empty_must_have_no_other_box(tmp_path):
    rows = ["image,x_min,y_min,x_max,y_max,class", "a,1,2,3,4,liver", "a,0,0,9,9,empty"]
    write(tmp_path, {"x.csv": "\n".join(rows)})
    with pytest.raises(
        InputError, match=r"^x\.csv, line 2: a is marked as empty, but has boxes of other labels$"
    ):
        read_annotations(tmp_path / "x.csv")


def test_a_folder_inside_the_xml_is_that_of_the_image(tmp_path):
    """LabelImg writes the name of the folder apart from that of the image."""
    xml = VOC.replace("<object>", "<folder>p2</folder><filename>a.png</filename><object>", 1)
    annotations = read_annotations(write(tmp_path, {"a.xml": xml}))
    for path in ("p2/a.png", "images/a.png", "a.png"):
        assert list(place_boxes(annotations, {path: (1, 48, 64)}, OBJECT).boxes) == [path]
    with pytest.raises(
        InputError, match=r"no image matches the name 'p2/a\.png'; p1/a\.png is in another folder$"
    ):
        place_boxes(annotations, {"p1/a.png": (1, 48, 64)}, OBJECT)


@pytest.mark.parametrize(("suffix", "content"), [("txt", YOLO), ("xml", VOC)])
def test_linked_folders_are_read_and_other_links_are_named(tmp_path, suffix, content):
    write(tmp_path, {f"labels/p1/a.{suffix}": content, f"elsewhere/b.{suffix}": content})
    labels = tmp_path / "labels"
    (labels / "p2").symlink_to(tmp_path / "elsewhere")
    (labels / "latest").symlink_to("p1")
    (labels / f"c.{suffix}").symlink_to("gone")
    annotations = read_annotations(labels)
    assert {name.split(".")[0] for name, _ in annotations.locations} == {"p1/a", "p2/b"}
    assert annotations.doubts == (
        f"{labels / 'latest'}: not followed, because {labels / 'p1'} is read already",
        f"{labels / f'c.{suffix}'}: left out, because the file that it links to is missing",
    )
    sizes = {"p1/a.png": (1, 48, 64), "p2/b.png": (1, 48, 64)}
    assert place_boxes(annotations, sizes, OBJECT).doubts == list(annotations.doubts)
