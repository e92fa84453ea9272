"""YOLO folders: hand-written exports of four tools, class lists and malformed lines."""

import re
from pathlib import Path

import pytest

from automedsam.datasets.annotations.drawn import Annotations, DrawnBox
from automedsam.datasets.annotations.yolo import label_files, read_yolo
from automedsam.runtime.errors import InputError

LINE = "1 0.5 0.25 0.5 0.125\n"
EDGES = (0.25, 0.1875, 0.75, 0.3125)  # 0.5 ± 0.25 and 0.25 ± 0.0625


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
        ("1 0.5 0.5 0.1", "expected 5 values, class cx cy width height, found 4: '1 0.5 0.5 0.1'"),
        ("1 0 0 0 0 0.9", "expected 5 values, class cx cy width height, found 6: '1 0 0 0 0 0.9'"),
        ("liver 0.5 0.5 1 1", "expected a whole number from 0 as class, found 'liver'"),
        ("-1 0.5 0.5 1 1", "expected a whole number from 0 as class, found '-1'"),
        ("0.5 0.5 0.5 1 1", "expected a whole number from 0 as class, found '0.5'"),
        ("1 0.5 x 1 1", "expected four numbers after the class, found '1 0.5 x 1 1'"),
        ("1 0.5 nan 1 1", "expected four numbers after the class, found '1 0.5 nan 1 1'"),
        ("1 0.5 0.5 inf 1", "expected four numbers after the class, found '1 0.5 0.5 inf 1'"),
    ],
)
def test_a_malformed_line_is_rejected(tmp_path, line, message):
    write(tmp_path, {"p1/a.txt": f"{LINE}\n{line}\n"})
    with pytest.raises(InputError, match=f"^{re.escape('p1/a.txt, line 3: ' + message)}$"):
        read_yolo(tmp_path)


def test_malformed_lines_and_files_are_reported_together(tmp_path):
    write(tmp_path, {"a.txt": "x\ny\n", "c.txt": "z"})
    (tmp_path / "b.txt").write_bytes(b"\xff")
    parts = [
        r"^a\.txt, line 1: .*",
        r"a\.txt, line 2: .*",
        r".*b\.txt: cannot be read as UTF-8.*",
        r"c\.txt, line 1: .*'z'$",
    ]
    with pytest.raises(InputError, match="; ".join(parts)):
        read_yolo(tmp_path)


@pytest.mark.parametrize(
    "text", ["names: {liver: 0}", "names: liver", "names: [[liver]]", "names:", "names: {0: [a]}"]
)
def test_malformed_names_are_rejected(tmp_path, text):
    write(tmp_path, {"data.yaml": text, "a.txt": LINE})
    with pytest.raises(
        InputError,
        match=r"data\.yaml: expected names as a list or as a map from number to name, found",
    ):
        read_yolo(tmp_path)


def test_yaml_without_names_is_accepted(tmp_path):
    for text in ("nc: 2", "", "[1, 2]", "text"):
        write(tmp_path, {"data.yaml": text, "a.txt": LINE})
        assert read_yolo(tmp_path).classes == [1]


@pytest.mark.parametrize("text", ["{", "a: b: c", "\0", "[" * 600])
def test_invalid_yaml_is_rejected(tmp_path, text):
    write(tmp_path, {"data.yaml": text, "a.txt": LINE})
    with pytest.raises(InputError, match=r"data\.yaml: not valid YAML"):
        read_yolo(tmp_path)
