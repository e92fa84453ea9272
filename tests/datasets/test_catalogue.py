"""What `dataset` names: the scans, how they are prepared, and what belongs to nothing."""

import json
from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.classes import parse_classes
from automedsam.datasets.catalogue import open_dataset
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import write_image
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from fake_scans import OBJECT, alone

HEADER = "image,class,x_min,y_min,x_max,y_max"


def open_set(dataset, data_dir=Path("nowhere"), **changes):
    values = {"annotations": None, "classes": OBJECT, "group_by": None, "slice_axis": "auto", "window_low": None,
              "window_high": None}  # fmt: skip
    return open_dataset(dataset, data_dir, **values | changes)


def save(folder, *names):
    for name in names:
        write_image(folder / name, np.zeros((8, 9), np.uint8))


def write_boxes(folder, *rows):
    (folder / "boxes.csv").write_text("\n".join([HEADER, *rows]) + "\n", encoding="utf-8")


def test_synthetic_images_need_no_folder_and_are_shown_as_they_were_drawn():
    data = open_set("synthetic")
    assert len(data.scans) == 120
    assert data.preparation == Preparation(intensity=Intensity((0, 255)))
    assert (data.annotations, data.left_out) == (None, 0)


def test_a_folder_is_prepared_as_the_parameters_say(tmp_path):
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
    assert (data.annotations, data.left_out) == (None, 0)


def test_annotations_come_along_and_images_of_no_use_are_counted(tmp_path):
    save(tmp_path, *(f"images/{name}.png" for name in "abcde"), "masks/c.png", "masks/a.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "b,7,0,0,9,8", "b,liver,2,2,4,4")
    data = open_set(
        "folder",
        tmp_path,
        annotations=Path("boxes.csv"),
        classes=parse_classes(["liver"], None, True),
    )
    assert [(scan.name, scan.boxes, scan.split) for scan in data.scans] == [
        ("a", alone({0: ((1, 2, 3, 4),)}), None),
        ("b", alone({0: ((2, 2, 4, 4),)}), None),
        ("c", None, "test"),
    ]
    assert data.annotations.classes == [7, "liver"]
    assert data.left_out == 2


def test_classes_that_nobody_boxed_are_told_with_those_that_somebody_did(tmp_path):
    save(tmp_path, "images/a.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "a,7,1,2,3,4")
    with pytest.raises(InputError) as told:
        open_set(
            "folder",
            tmp_path,
            annotations=Path("boxes.csv"),
            classes=parse_classes([["Liver", 7], 8], None, True),
        )
    assert (
        str(told.value)
        == "class_ids: expected classes that boxes.csv has boxes of (7, liver), found Liver, 8"
    )


@pytest.mark.parametrize("dataset", ["folder", "hc18", "acdc", "camus"])
def test_a_folder_that_is_not_there_is_told_by_its_key(tmp_path, dataset):
    with pytest.raises(InputError, match=r"^data_dir: expected a folder, found none at .*gone$"):
        open_set(dataset, tmp_path / "gone")


@pytest.mark.parametrize(
    ("dataset", "framing"),
    [("hc18", Framing(canvas_px=640)), ("acdc", Framing(1.0, 256)), ("camus", Framing(None, 512))],
)
def test_an_archive_is_prepared_in_its_own_frame(tmp_path, dataset, framing):
    save(tmp_path, "training_set/000_HC.png", "training_set/000_HC_Annotation.png")
    for name in ("patient001_frame01", "patient001_2CH_ED"):
        for end in ("", "_gt"):
            (tmp_path / "patient001").mkdir(exist_ok=True)
            (tmp_path / f"patient001/{name}{end}.nii.gz").touch()
    (tmp_path / "patient001/Info.cfg").write_text("ED: 1\n")
    data = open_set(dataset, tmp_path, slice_axis="axial", window_low=0.0, window_high=7.0)
    assert len(data.scans) == 1
    assert data.preparation == Preparation("axial", Intensity((0.0, 7.0)), framing)


def test_a_box_that_two_classes_take_is_told(tmp_path):
    save(tmp_path, "images/a.png")
    content = {
        "images": [{"id": 1, "file_name": "a.png"}],
        "categories": [{"id": 3, "name": "liver"}],
        "annotations": [{"image_id": 1, "category_id": 3, "bbox": [1, 2, 3, 4]}],
    }
    (tmp_path / "set.json").write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        InputError, match=r"^class_ids: .* one class a box, found 3 and liver for that of set\.json"
    ):
        open_set(
            "folder",
            tmp_path,
            annotations=Path("set.json"),
            classes=parse_classes([3, "liver"], None, True),
        )


def test_which_mask_value_is_which_class_must_be_told_where_there_are_masks(tmp_path):
    save(tmp_path, "images/a.png", "images/b.png")
    write_boxes(tmp_path, "a,liver,1,2,3,4", "b,spleen,0,0,9,8")
    annotated = {
        "annotations": Path("boxes.csv"),
        "classes": parse_classes(["liver", "spleen"], None, True),
    }
    assert len(open_set("folder", tmp_path, **annotated).scans) == 2
    save(tmp_path, "masks/b.png")
    with pytest.raises(InputError) as told:
        open_set("folder", tmp_path, **annotated)
    assert str(told.value) == (
        "mask_ids: expected the values that liver, spleen have in masks, as there are masks, found null"
    )
