"""Pictures to draw boxes on: what is drawn on them lands in the right slice, at the right place."""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

import slices
from automedsam.cases.boxes import tight_box
from automedsam.datasets.annotations.placing import place_boxes, read_annotations
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.scan import open_scan
from fake_scans import OBJECT, alone


def export(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["slices.py", *map(str, arguments)])
    slices.main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A volume with a bright block off its centre, in an odd orientation, and an image of its own."""
    volume = np.zeros((7, 20, 16), np.int16)
    volume[3:5, 4:9, 2:12] = 100
    affine = np.array([[0, 0, -1.0, 0], [0, 2.0, 0, 0], [-6.0, 0, 0, 0], [0, 0, 0, 1]])
    (tmp_path / "images/p1").mkdir(parents=True)
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "images/p1/scan.nii.gz")
    write_image(tmp_path / "images/flat.png", np.arange(60, dtype=np.uint8).reshape(6, 10))
    return tmp_path / "images"


def test_each_slice_becomes_a_picture(monkeypatch, folder: Path, tmp_path: Path):
    export(monkeypatch, folder, "--out", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"flat.png", *(f"p1__scan_s{number:03d}.png" for number in range(7))}
    values = open_scan(folder / "p1/scan.nii.gz", "auto").read_values()
    for number in range(7):
        assert np.array_equal(
            read_image(tmp_path / f"out/p1__scan_s{number:03d}.png") > 0, values[number] > 0
        )


def test_boxes_drawn_on_the_pictures_are_boxes_of_the_volume(
    monkeypatch, folder: Path, tmp_path: Path
):
    export(monkeypatch, folder, "--out", tmp_path / "out")
    lines = ["image,x_min,y_min,x_max,y_max"]
    for picture in sorted((tmp_path / "out").glob("*_s*.png")):
        box = tight_box(read_image(picture) > 0)
        lines.append(f"{picture.name},{','.join(map(str, box)) if any(box) else ',,,'}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")

    labels = open_scan(folder / "p1/scan.nii.gz", "auto").read_values() > 0
    boxes = place_boxes(
        read_annotations(tmp_path / "boxes.csv"), {"p1/scan.nii.gz": labels.shape}, OBJECT
    )
    expected = {
        number: (tight_box(mask),) if mask.any() else () for number, mask in enumerate(labels)
    }
    assert boxes == {"p1/scan.nii.gz": alone(expected)}
    assert sum(map(bool, expected.values())) == 2


def test_a_parameter_can_be_changed_for_one_export(monkeypatch, folder: Path, tmp_path: Path):
    export(monkeypatch, folder, "--out", tmp_path / "out", "-S", "slice_axis=coronal")
    assert len([*(tmp_path / "out").glob("p1__scan_s*.png")]) == 20


def test_a_window_can_be_given_whatever_the_pipelines_own_data_set_is(
    monkeypatch, folder: Path, tmp_path: Path
):
    export(
        monkeypatch,
        folder,
        "--out",
        tmp_path / "out",
        "-S",
        "window_low=0",
        "-S",
        "window_high=200",
    )
    assert {read_image(path).max() for path in (tmp_path / "out").glob("p1__scan_s*.png")} == {
        0,
        128,
    }


def test_what_is_there_is_never_overwritten(monkeypatch, folder: Path, tmp_path: Path):
    with pytest.raises(InputError, match="expected an empty folder or none, found files in it"):
        export(monkeypatch, folder, "--out", folder)


def test_broken_scans_are_told_and_the_others_exported(monkeypatch, folder: Path, tmp_path: Path):
    (folder / "bad.nii").write_text("no", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"^1 of 3 scans left out:\n.*bad\.nii: cannot read the NIfTI file"
    ):
        export(monkeypatch, folder, "--out", tmp_path / "out")
    assert len([*(tmp_path / "out").iterdir()]) == 8
