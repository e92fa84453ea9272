"""The parameter `dataset`: the scans, their preparation, and classes that match no box."""

import json
from pathlib import Path

import numpy as np
import pytest

from automedsam.datasets.catalogue import open_dataset
from automedsam.datasets.class_ids import parse_classes
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import write_image
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from fake_scans import OBJECT, single_class

HEADER = "image,class,x_min,y_min,x_max,y_max"


def open_set(dataset, data_dir=Path("nowhere"), **changes):
    values = {
        "annotations": None,
        "unboxed": "unknown",
        "classes": OBJECT,
        "group_by": None,
        "slice_axis": "auto",
        "window_low": None,
        "window_high": None,
    }
    return open_dataset(dataset, data_dir, **values | changes)


def save(folder, *names):
    for name in names:
        write_image(folder / name, np.zeros((8, 9), np.uint8))


def names_of(scans):
    return [scan.name for scan in scans]


def write_boxes(folder, *rows):
    (folder / "boxes.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def test_masks_beside_boxed_images_of_a_group_are_not_used(tmp_path):
    names = [f"images/p{patient}_{frame}.png" for patient in (1, 2, 3) for frame in "abc"]
    save(tmp_path, *names, *(name.replace("images", "masks") for name in names))
    empty = [f"p{patient}_b.png,,,,," for patient in (1, 2, 3)]
    write_boxes(tmp_path, "p1_a.png,1,1,2,5,6", "p2_a.png,1,1,2,5,6", *empty[:1])
    data = open_set("folder", tmp_path, annotations=Path("boxes.csv"), group_by=r"^(p\d)")
    # p1_b is a negative example; p1_c, p2_b and p2_c would take the boxes to the test split.
    assert {scan.name: scan.split for scan in data.scans} == {
        "p1_a": None,
        "p1_b": None,
        "p2_a": None,
        "p3_a": "test",
        "p3_b": "test",
        "p3_c": "test",
    }
    assert (data.unboxed, data.beside_boxes) == ([], 3)
    assert data.notes == [
        "not used: 3 images with a mask and no box, in groups with boxed images, which are for "
        "training: p1_c, p2_b, p2_c; for testing, draw masks of other groups (see group_by), or of "
        "the boxed images"
    ]


def test_synthetic_images_need_no_folder_and_keep_their_values():
    data = open_set("synthetic")
    assert len(data.scans) == 120
    assert data.preparation == Preparation(intensity=Intensity((0, 255)))
    assert (data.annotations, data.unboxed) == (None, [])


def test_a_folder_is_prepared_by_the_parameters(tmp_path):
    save(tmp_path, "images/p1_a.png", "masks/p1_a.png")
    data = open_set(
        "folder",
        tmp_path,
        group_by=r"^(p\d)",
        slice_axis="coronal",
        window_low=-5.0,
        window_high=9.0,
    )
    assert [(scan.name, scan.group) for scan in data.scans] == [("p1_a", "p1")]
    assert data.preparation == Preparation("coronal", Intensity((-5.0, 9.0)), Framing())
    assert (data.annotations, data.unboxed) == (None, [])


def test_annotations_and_unboxed_images_are_returned(tmp_path):
    save(tmp_path, *(f"images/{name}.png" for name in "abcde"), "masks/c.png", "masks/a.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "b,7,0,0,9,8", "b,liver,2,2,4,4")
    data = open_set(
        "folder",
        tmp_path,
        annotations=Path("boxes.csv"),
        classes=parse_classes(["liver"], None, True),
    )
    assert [(scan.name, scan.boxes, scan.split) for scan in data.scans] == [
        ("a", single_class({0: ((1, 2, 3, 4),)}), None),
        ("b", single_class({0: ((2, 2, 4, 4),)}), None),
        ("c", None, "test"),
    ]
    assert data.annotations.classes == [7, "liver"]
    assert names_of(data.unboxed) == ["d", "e"]
    assert list(data.placement.boxes) == ["a.png", "b.png"]


def test_unboxed_images_are_kept_apart_unless_they_are_empty(tmp_path):
    save(tmp_path, *(f"images/{name}.png" for name in "abc"))
    for name, text in (("a", "0 0.5 0.5 1 1"), ("b", ""), ("c", "")):
        (tmp_path / "labels").mkdir(exist_ok=True)
        (tmp_path / f"labels/{name}.txt").write_text(text)
    data = open_set("folder", tmp_path, annotations=Path("labels"))
    assert (names_of(data.scans), names_of(data.unboxed)) == (["a"], ["b", "c"])
    data = open_set("folder", tmp_path, annotations=Path("labels"), unboxed="empty")
    assert (names_of(data.scans), data.unboxed) == (["a", "b", "c"], [])
    assert data.placement.unboxed == {("b.png", 0), ("c.png", 0)}


def test_classes_without_boxes_are_reported_with_the_available_ones(tmp_path):
    save(tmp_path, "images/a.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "a,7,1,2,3,4")
    with pytest.raises(InputError) as error:
        open_set(
            "folder",
            tmp_path,
            annotations=Path("boxes.csv"),
            classes=parse_classes([["Liver", 7], 8], None, True),
        )
    assert (
        str(error.value) == "class_ids: boxes.csv has no boxes of Liver, 8 (its classes: 7, liver)"
    )


@pytest.mark.parametrize("dataset", ["folder", "hc18", "acdc", "camus"])
def test_a_missing_folder_is_reported_with_its_key(tmp_path, dataset):
    with pytest.raises(InputError, match=r"^data_dir: expected a folder, found none at .*gone$"):
        open_set(dataset, tmp_path / "gone")


@pytest.mark.parametrize(
    ("dataset", "framing"),
    [("hc18", Framing(canvas_px=640)), ("acdc", Framing(1.0, 256)), ("camus", Framing(None, 512))],
)
def test_an_archive_has_its_own_framing(tmp_path, dataset, framing):
    save(tmp_path, "training_set/000_HC.png", "training_set/000_HC_Annotation.png")
    for name in ("patient001_frame01", "patient001_2CH_ED"):
        for end in ("", "_gt"):
            (tmp_path / "patient001").mkdir(exist_ok=True)
            (tmp_path / f"patient001/{name}{end}.nii.gz").touch()
    (tmp_path / "patient001/Info.cfg").write_text("ED: 1\n")
    data = open_set(dataset, tmp_path, slice_axis="axial", window_low=0.0, window_high=7.0)
    assert len(data.scans) == 1
    assert data.preparation == Preparation("axial", Intensity((0.0, 7.0)), framing)


def test_a_box_of_two_classes_is_rejected(tmp_path):
    save(tmp_path, "images/a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "liver"}],
        "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}],
    }
    (tmp_path / "set.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        InputError,
        match=r"^class_ids: the box at set\.json, .* belongs to 3 and liver, but a box must",
    ):
        open_set(
            "folder",
            tmp_path,
            annotations=Path("set.json"),
            classes=parse_classes([3, "liver"], None, True),
        )


def test_mask_ids_are_required_if_there_are_masks(tmp_path):
    save(tmp_path, "images/a.png", "images/b.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "b,spleen,0,0,9,8")
    annotated = {
        "annotations": Path("boxes.csv"),
        "classes": parse_classes(["liver", "spleen"], None, True),
    }
    assert len(open_set("folder", tmp_path, **annotated).scans) == 2
    save(tmp_path, "masks/b.png")
    with pytest.raises(InputError) as error:
        open_set("folder", tmp_path, **annotated)
    assert str(error.value) == (
        "mask_ids: the folder has masks, so specify the values of liver, spleen in them"
    )
