"""Class names beside YOLO's label files."""

import pytest

from automedsam.datasets.annotations.yolo_classes import ClassList, has_words_only, read_class_list
from automedsam.runtime.errors import InputError


def read(folder, files, words=()):
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    (folder / "labels").mkdir(exist_ok=True)
    return read_class_list(folder / "labels", None, [folder / "labels" / name for name in words])


@pytest.mark.parametrize(
    "name",
    [
        "labels/classes.txt",
        "classes.txt",
        "obj.names",
        "labels/voc.names",
        "_darknet.labels",
        "my_classes.txt",
        "class_list.txt",
        "labels.txt",
    ],
)
def test_lists_of_many_names_are_read(tmp_path, name):
    found = read(tmp_path, {name: "liver\n\n tumour \n"})
    assert (found.names, found.file.name) == ({0: "liver", 2: "tumour"}, name.split("/")[-1])


@pytest.mark.parametrize("name", ["data.yaml", "lesions.yaml", "labels/lesions.yml"])
def test_yaml_of_any_name_is_read(tmp_path, name):
    found = read(tmp_path, {name: "names: [liver, no]"})
    assert found == ClassList({0: "liver", 1: "no"}, found.file)


def test_a_file_of_words_is_a_list_of_last_resort(tmp_path):
    files = {"labels/lesions.txt": "liver\n"}
    assert read(tmp_path, files, ["lesions.txt"]).names == {0: "liver"}
    assert read(tmp_path, files | {"labels/x.names": "spleen"}, ["lesions.txt"]).names == {
        0: "spleen"
    }
    assert read(
        tmp_path, {"labels/x.names": "", "labels/lesions.txt": "a.png"}, ["lesions.txt"]
    ) == (ClassList())


def test_other_text_files_beside_the_folder_are_not_lists(tmp_path):
    found = read(
        tmp_path, {"notes.txt": "hello", "classes_map.txt": "0 0.5 0.5 1 1", "x.yaml": "["}
    )
    assert found == ClassList()


@pytest.mark.parametrize(
    "text", ["names: {liver: 0}", "names: liver", "names: [[liver]]", "names:", "names: {0: [a]}"]
)
def test_malformed_names_are_rejected(tmp_path, text):
    with pytest.raises(
        InputError,
        match=r"data\.yaml: expected names as a list or as a map from number to name, found",
    ):
        read(tmp_path, {"data.yaml": text})
    (tmp_path / "data.yaml").unlink()
    assert read(tmp_path, {"other.yaml": text}) == ClassList()


def test_yaml_without_names_is_accepted(tmp_path):
    for text in ("nc: 2", "", "[1, 2]", "text"):
        assert read(tmp_path, {"data.yaml": text}).names == {}
    assert read(tmp_path, {"data.yaml": "nc: 2", "labels.txt": "liver"}).names == {0: "liver"}


@pytest.mark.parametrize("text", ["{", "a: b: c", "\0", "[" * 600])
def test_invalid_yaml_is_rejected(tmp_path, text):
    with pytest.raises(InputError, match=r"data\.yaml: not valid YAML"):
        read(tmp_path, {"data.yaml": text})


@pytest.mark.parametrize("labels", ["train/labels", "labels/train", "labels/train/p1"])
@pytest.mark.parametrize("is_limited", [True, False])
def test_lists_are_found_above_the_folders_of_tools(tmp_path, labels, is_limited):
    folder = tmp_path / "lesions" / labels
    folder.mkdir(parents=True)
    (tmp_path / "obj.names").write_text("far above")
    (tmp_path / "lesions/data.yaml").write_text("names: [liver]\nkpt_shape: [2, 2]")
    data_dir = tmp_path / "lesions" if is_limited else None
    found = read_class_list(folder, data_dir, [])
    assert (found.names, found.has_key_points) == ({0: "liver"}, True)
    (tmp_path / "lesions/data.yaml").unlink()
    assert read_class_list(folder, data_dir, []) == ClassList()


def test_the_data_set_states_key_points_although_a_nearer_file_lists_the_names(tmp_path):
    files = {"labels/classes.txt": "liver", "data.yaml": "names: [a]\nkpt_shape: [2, 2]"}
    found = read(tmp_path, files)
    assert (found.names, found.file.name, found.has_key_points) == (
        {0: "liver"},
        "classes.txt",
        True,
    )
    files |= {"labels/data.yaml": "names: [b]"}
    assert not read(tmp_path, files).has_key_points


@pytest.mark.parametrize("name", ["Classification_notes.txt", "labels/Classification_notes.txt"])
def test_an_unreadable_text_of_an_unusual_name_is_no_list(tmp_path, name):
    (tmp_path / "labels").mkdir()
    (tmp_path / name).write_bytes("Läsionen".encode("cp1252"))
    assert read(tmp_path, {}) == ClassList()


def test_key_points_are_recognised(tmp_path):
    assert read(tmp_path, {"data.yaml": "kpt_shape: [17, 3]"}).has_key_points


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("liver\ntumour grade 3\n", True),
        ("", False),
        ("\n", False),
        ("0 0.5 0.5 1 1", False),
        ("liver 0.5 0.5 1 1", False),
        ("3\n", False),
    ],
)
def test_words_differ_from_labels(text, expected):
    assert has_words_only(text) is expected
