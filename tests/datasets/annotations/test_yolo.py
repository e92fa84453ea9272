"""YOLO folders: hand-written exports of four tools, class lists and malformed lines."""

import re
from pathlib import Path

import pytest

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.yolo import label_files, read_yolo
from automedsam.runtime.errors import InputError

LINE = "1 0.5 0.25 0.5 0.125\n"
EDGES = (0.25, 0.1875, 0.75, 0.3125)  # 0.5 ± 0.25 and 0.25 ± 0.0625


EXPECTED = "expected class cx cy width height, or a class and at least three points x y"


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    return folder


def test_an_export_of_cvat(tmp_path):
    write(
        tmp_path,
        {
            "obj.data": "classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n",
            "obj.names": "liver\ntumour\n",
            "train.txt": "data/obj_train_data/p1/a.png\ndata/obj_train_data/b.png\n",
            "obj_train_data/p1/a.txt": "1 0.500000 0.250000 0.500000 0.125000\n0 0.5 0.5 1.0 1.0\n",
            "obj_train_data/b.txt": "",
        },
    )
    assert read_yolo(tmp_path) == Annotations(
        [
            DrawnBox(
                "obj_train_data/p1/a.txt, line 1",
                "obj_train_data/p1/a",
                None,
                (1, "tumour"),
                EDGES,
                relative=True,
            ),
            DrawnBox(
                "obj_train_data/p1/a.txt, line 2",
                "obj_train_data/p1/a",
                None,
                (0, "liver"),
                (0, 0, 1, 1),
                True,
            ),
        ],
        {
            ("obj_train_data/b", None): "obj_train_data/b.txt",
            ("obj_train_data/p1/a", None): "obj_train_data/p1/a.txt",
        },
        has_records=True,
        notes=("class names: obj.names",),
    )
    assert [drawn.image for drawn in read_yolo(tmp_path / "obj_train_data").boxes] == [
        "p1/a",
        "p1/a",
    ]


def test_an_export_of_label_studio(tmp_path):
    write(
        tmp_path,
        {
            "classes.txt": "liver\ntumour",
            "notes.json": '{"categories": [], "info": {}}',
            "images/1a2b3c4d-a.png": "",
            "labels/1a2b3c4d-a.txt": LINE,
        },
    )
    expected = "1a2b3c4d-a", (1, "tumour"), EDGES
    for folder, image in ((tmp_path, "labels/1a2b3c4d-a"), (tmp_path / "labels", "1a2b3c4d-a")):
        (drawn,) = read_yolo(folder).boxes
        assert (drawn.image, drawn.classes, drawn.box_xyxy) == (image, *expected[1:])


@pytest.mark.parametrize(
    "names",
    ["names:\n  0: liver\n  1: no\n", "names: [liver, no]\nnc: 2\n", "{train: x, names: {1: no}}"],
)
@pytest.mark.parametrize("listing", ["data.yaml", "dataset.yaml"])
def test_a_data_set_of_ultralytics(tmp_path, names, listing):
    write(
        tmp_path,
        {
            listing: names,
            "labels/train/a.txt": LINE,
            "labels/val/b.txt": "\n",
            "labels/train.cache": "?",
        },
    )
    found = read_yolo(tmp_path)
    assert found.boxes == [
        DrawnBox("labels/train/a.txt, line 1", "labels/train/a", None, (1, "no"), EDGES, True)
    ]
    assert found.locations == {
        ("labels/train/a", None): "labels/train/a.txt",
        ("labels/val/b", None): "labels/val/b.txt",
    }
    assert read_yolo(tmp_path / "labels").classes == [1, "no"]


def test_classes_txt_of_labelimg_in_a_subfolder_is_not_a_label_file(tmp_path):
    write(tmp_path, {"p1/classes.txt": "liver\n", "p1/a.txt": LINE})
    assert list(read_yolo(tmp_path).locations) == [("p1/a", None)]
    assert read_yolo(tmp_path).classes == [1]


def test_a_class_without_name_is_its_number(tmp_path):
    write(tmp_path, {"labels/a.txt": "7.0 0.5 0.5 1 1"})
    assert read_yolo(tmp_path / "labels").classes == [7]


def test_class_list_of_the_folder_precedes_that_of_its_parent(tmp_path):
    write(
        tmp_path, {"classes.txt": "x\ny\n", "labels/classes.txt": "\nliver\n", "labels/a.txt": LINE}
    )
    assert read_yolo(tmp_path / "labels").classes == [1, "liver"]


def test_class_list_is_read_from_the_parent_of_the_current_folder(tmp_path, monkeypatch):
    write(tmp_path, {"classes.txt": "x\ny\n", "labels/a.txt": LINE})
    monkeypatch.chdir(tmp_path / "labels")
    assert read_yolo(Path(".")).classes == [1, "y"]


def test_class_list_outside_of_data_dir_is_ignored(tmp_path):
    """DVC does not track files outside of data_dir, so a change would go unnoticed."""
    data = tmp_path / "data"
    write(tmp_path, {"classes.txt": "x\ny\n", "data/a.txt": LINE, "data/labels/a.txt": LINE})
    assert read_yolo(data, data).classes == [1]
    assert read_yolo(data).classes == read_yolo(data, tmp_path).classes == [1, "y"]
    write(data, {"classes.txt": "v\nw\n"})
    assert read_yolo(data / "labels", data).classes == read_yolo(data, data).classes == [1, "w"]


def test_manifests_at_the_top_are_not_label_files(tmp_path):
    manifests = [
        "classes.txt",
        "train.txt",
        "val.txt",
        "valid.txt",
        "test.txt",
        "labelmap.txt",
        "notes.txt",
        "README.roboflow.txt",
        "ImageSets/Main/default.txt",
        ".hidden.txt",
    ]
    write(tmp_path, dict.fromkeys([*manifests, "labels/test.txt", "a.txt"], ""))
    assert [path.relative_to(tmp_path).as_posix() for path in label_files(tmp_path)] == [
        "a.txt",
        "labels/test.txt",
    ]


def test_the_folder_itself_may_be_named_imagesets(tmp_path):
    folder = write(tmp_path / "ImageSets", {"a.txt": LINE})
    assert len(read_yolo(folder).boxes) == 1


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("1 0.5 0.5 0.1", f"{EXPECTED}, found 4 values: '1 0.5 0.5 0.1'"),
        ("1 0 0 0 0 0.9", f"{EXPECTED}, found 6 values: '1 0 0 0 0 0.9'"),
        ("1 0 0 1 0 0 1 1", f"{EXPECTED}, found 8 values: '1 0 0 1 0 0 1 1'"),
        ("1 0 0 1 0 0 x", "expected numbers after the class, found '1 0 0 1 0 0 x'"),
        ("liver 0.5 0.5 1 1", "expected a whole number from 0 as class, found 'liver'"),
        ("-1 0.5 0.5 1 1", "expected a whole number from 0 as class, found '-1'"),
        ("0.5 0.5 0.5 1 1", "expected a whole number from 0 as class, found '0.5'"),
        ("1 0.5 x 1 1", "expected numbers after the class, found '1 0.5 x 1 1'"),
        ("1 0.5 nan 1 1", "expected numbers after the class, found '1 0.5 nan 1 1'"),
        ("1 0.5 0.5 inf 1", "expected numbers after the class, found '1 0.5 0.5 inf 1'"),
    ],
)
def test_a_malformed_line_is_rejected(tmp_path, line, message):
    write(tmp_path, {"p1/a.txt": f"{LINE}\n{line}\n"})
    with pytest.raises(InputError, match=f"^{re.escape('p1/a.txt, line 3: ' + message)}$"):
        read_yolo(tmp_path)


def test_malformed_lines_and_files_are_reported_together(tmp_path):
    write(tmp_path, {"p1/a.txt": "x\ny\n", "p1/c.txt": "z"})
    (tmp_path / "p1/b.txt").write_bytes(b"\xff")
    parts = [
        r"^.*b\.txt: cannot be read as UTF-8.*",
        r"p1/a\.txt, line 1: .*",
        r"p1/a\.txt, line 2: .*",
        r"p1/c\.txt, line 1: .*'z'$",
    ]
    with pytest.raises(InputError, match="; ".join(parts)):
        read_yolo(tmp_path)


@pytest.mark.parametrize(
    ("line", "edges"),
    [
        ("0 0.2 0.3 0.6 0.1 0.4 0.9", (0.2, 0.1, 0.6, 0.9)),
        ("0 0.5 0.25 0.75 0.5 0.5 0.75 0.25 0.5", (0.25, 0.25, 0.75, 0.75)),
        ("0 0 0 1 0 1 1 0.5 0.5 0 1", (0, 0, 1, 1)),
    ],
)
def test_polygons_and_rotated_boxes_give_the_box_around_them(tmp_path, line, edges):
    write(tmp_path, {"a.txt": f"{line}\n{LINE}"})
    outline, box = read_yolo(tmp_path).boxes
    assert (outline.box_xyxy, outline.source) == (edges, "polygon or mask")
    assert (box.box_xyxy, box.source) == (EDGES, "")


def test_key_points_are_ignored(tmp_path):
    write(
        tmp_path, {"data.yaml": "kpt_shape: [2, 3]\n", "a.txt": "1 0.5 0.25 0.5 0.125 0 0 1 1 1 1"}
    )
    (drawn,) = read_yolo(tmp_path).boxes
    assert (drawn.box_xyxy, drawn.source) == (EDGES, "")


def test_files_of_words_at_the_top_are_not_label_files(tmp_path):
    write(
        tmp_path,
        {"lesions.txt": "liver\ntumour\n", "thanks.txt": "to all", "a.txt": LINE, "b.txt": ""},
    )
    found = read_yolo(tmp_path)
    assert list(found.locations) == [("a", None), ("b", None)]
    assert found.classes == [1, "tumour"]
    assert found.notes == (
        "class names: lesions.txt",
        "not used: 1 text file without numbers, thanks.txt",
    )
