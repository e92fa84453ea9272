"""Masks, probabilities, overlays and tables of predictions."""

import csv
from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.prediction.outputs import PredictionWriter, slice_rows, volume_rows
from automedsam.prediction.predictor import Prediction
from automedsam.runtime.image_files import read_image
from automedsam.scans.prepared_scan import Preparation, PreparedScan
from automedsam.scans.scan import open_scan
from prediction_inputs import write_inputs

SINGLE_CLASS = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
TWO = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 3)])


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path / "in")


def predict(path: Path, classes: Classes = SINGLE_CLASS):
    """A scan, and a prediction with a box of 5 x 4 px of each class in its first slice."""
    scan = open_scan(path, "auto")
    labels = np.zeros(scan.shape, np.uint8)
    slices, height, width = scan.shape
    soft_masks = np.zeros((slices, len(classes), height, width), np.uint8)
    for channel, cls in enumerate(classes):
        box = slice(2, 6), slice(8 * channel + 1, 8 * channel + 6)
        labels[0][box] = cls.value
        soft_masks[0, channel][box] = 204  # 0.8
    return scan, Prediction(classes, labels, soft_masks, PreparedScan(scan, Preparation()))


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def files_below(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_slice_rows_have_box_area_and_confidence(inputs: Path):
    rows = slice_rows(*predict(inputs / "volume.nii.gz", TWO))
    slices = open_scan(inputs / "volume.nii.gz", "auto").shape[0]
    keys = [(row["slice"], row["class"]) for row in rows]
    assert keys == [(number, name) for number in range(slices) for name in ("liver", "spleen")]
    assert rows[1] == {
        "slice": 0,
        "class": "spleen",
        "x_min": 9,
        "y_min": 2,
        "x_max": 14,
        "y_max": 6,
        "area_px": 20,
        "area_mm2": pytest.approx(
            20 * np.prod(open_scan(inputs / "volume.nii.gz", "auto").spacing_mm[1:])
        ),
        "confidence": pytest.approx(0.8),
        "prompt": "predicted",
    }
    assert rows[2] == {
        "slice": 1,
        "class": "liver",
        "x_min": 0,
        "y_min": 0,
        "x_max": 0,
        "y_max": 0,
        "area_px": 0,
        "area_mm2": 0,
        "confidence": 0.0,
        "prompt": "predicted",
    }


def test_slice_rows_of_an_image_have_neither_slice_nor_spacing(inputs: Path):
    (row,) = slice_rows(*predict(inputs / "grey.png"))
    assert (row["slice"], row["area_px"], row["area_mm2"]) == (None, 20, None)


def test_volume_rows_have_size_and_confidence_of_each_class(inputs: Path):
    scan, prediction = predict(inputs / "volume.nii.gz", TWO)
    rows = volume_rows(scan, prediction)
    assert [row["class"] for row in rows] == ["liver", "spleen"]
    assert rows[0] == {
        "class": "liver",
        "slices": scan.shape[0],
        "slices_with_object": 1,
        "voxels": 20,
        "volume_mm3": pytest.approx(20 * 0.5 * 2 * 3),
        "confidence": pytest.approx(0.8),
    }


def test_writer_writes_masks_and_tables_of_a_single_class(inputs: Path, tmp_path: Path):
    out = tmp_path / "out"
    writer = PredictionWriter(out, with_soft=True, with_overlays=True)
    for name in ("grey.png", "volume.nii.gz"):
        writer.write(*predict(inputs / name), Path("p1") / name)
    writer.write_tables(SINGLE_CLASS)
    slices = open_scan(inputs / "volume.nii.gz", "auto").shape[0]
    assert files_below(out) == {
        "predictions.csv",
        "volumes.csv",
        *(
            f"{folder}p1/{name}"
            for folder in ("", "soft/")
            for name in ("grey.png", "volume.nii.gz")
        ),
        "overlays/p1/grey.png",
        *(f"overlays/p1/volume.nii.gz/s{number:03d}.png" for number in range(slices)),
    }
    mask = read_image(out / "p1/grey.png")
    assert set(np.unique(mask)) == {0, 255}
    assert (mask > 0).sum() == 20
    assert read_image(out / "overlays/p1/grey.png").shape == (*mask.shape, 3)
    rows = rows_of(out / "predictions.csv")
    assert [row["mask"] for row in rows] == ["p1/grey.png"] + ["p1/volume.nii.gz"] * slices
    assert rows[0]["image"] == str(inputs / "grey.png")
    assert [row["mask"] for row in rows_of(out / "volumes.csv")] == ["p1/volume.nii.gz"]


def test_writer_separates_several_classes(inputs: Path, tmp_path: Path):
    out = tmp_path / "out"
    writer = PredictionWriter(out, with_soft=True, with_overlays=False)
    writer.write(*predict(inputs / "grey.png", TWO), Path("grey.png"))
    writer.write_tables(TWO)
    assert files_below(out) == {
        "grey.png",
        "soft/1/grey.png",
        "soft/3/grey.png",
        "predictions.csv",
        "classes.csv",
    }
    assert set(np.unique(read_image(out / "grey.png"))) == {0, 1, 3}


def test_writer_without_predictions_writes_no_tables(tmp_path: Path):
    PredictionWriter(tmp_path / "out", with_soft=True, with_overlays=True).write_tables(TWO)
    assert not (tmp_path / "out").exists()
