"""Slices as PNGs to draw boxes on, and the way back from such boxes to the volume."""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.cases.boxes import tight_box
from automedsam.datasets.annotations.formats import read_annotations
from automedsam.datasets.annotations.placing import place_boxes
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.export import main
from automedsam.scans.scan import open_scan
from fake_scans import OBJECT, single_class


def export(monkeypatch: pytest.MonkeyPatch, *arguments: object) -> None:
    monkeypatch.setattr(sys, "argv", ["slices.py", *map(str, arguments)])
    main()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An oblique volume with a bright block off its centre, and a plain image."""
    volume = np.zeros((7, 20, 16), np.int16)
    volume[3:5, 4:9, 2:12] = 100
    affine = np.array([[0, 0, -1.0, 0], [0, 2.0, 0, 0], [-6.0, 0, 0, 0], [0, 0, 0, 1]])
    (tmp_path / "images/p1").mkdir(parents=True)
    nib.save(nib.Nifti1Image(volume, affine), tmp_path / "images/p1/scan.nii.gz")
    write_image(tmp_path / "images/flat.png", np.arange(60, dtype=np.uint8).reshape(6, 10))
    return tmp_path / "images"


def test_export_writes_one_png_per_slice(monkeypatch, folder: Path, tmp_path: Path, capsys):
    export(monkeypatch, folder, "--out", tmp_path / "out")
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert names == {"flat.png", *(f"p1__scan_s{number:03d}.png" for number in range(7))}
    values = open_scan(folder / "p1/scan.nii.gz", "auto").read_values()
    for number in range(7):
        picture = read_image(tmp_path / f"out/p1__scan_s{number:03d}.png")
        assert np.array_equal(picture > 0, values[number] > 0)
    assert capsys.readouterr().out == f"wrote the pictures of 2 scans to {tmp_path / 'out'}\n"


def test_boxes_drawn_on_the_pictures_fit_the_volume(monkeypatch, folder: Path, tmp_path: Path):
    export(monkeypatch, folder, "--out", tmp_path / "out")
    lines = ["image,x_min,y_min,x_max,y_max"]
    for picture in sorted((tmp_path / "out").glob("*_s*.png")):
        box = tight_box(read_image(picture) > 0)
        lines.append(f"{picture.name},{','.join(map(str, box)) if any(box) else ',,,'}")
    (tmp_path / "boxes.csv").write_text("\n".join(lines), encoding="utf-8")

    labels = open_scan(folder / "p1/scan.nii.gz", "auto").read_values() > 0
    annotations = read_annotations(tmp_path / "boxes.csv")
    boxes = place_boxes(annotations, {"p1/scan.nii.gz": labels.shape}, OBJECT).boxes
    expected = {
        number: (tight_box(mask),) if mask.any() else () for number, mask in enumerate(labels)
    }
    assert boxes == {"p1/scan.nii.gz": single_class(expected)}
    assert sum(map(bool, expected.values())) == 2


def test_set_changes_the_slice_axis(monkeypatch, folder: Path, tmp_path: Path):
    export(monkeypatch, folder, "--out", tmp_path / "out", "-S", "slice_axis=coronal")
    assert len([*(tmp_path / "out").glob("p1__scan_s*.png")]) == 20


def test_set_changes_the_window_for_any_dataset(monkeypatch, folder: Path, tmp_path: Path):
    window = ["-S", "window_low=0", "-S", "window_high=200"]
    export(monkeypatch, folder, "--out", tmp_path / "out", *window)
    pictures = [read_image(path) for path in (tmp_path / "out").glob("p1__scan_s*.png")]
    assert {picture.max() for picture in pictures} == {0, 128}


def test_export_rejects_a_folder_that_is_not_empty(monkeypatch, folder: Path):
    with pytest.raises(InputError, match=r"^--out .*: the folder is not empty$"):
        export(monkeypatch, folder, "--out", folder)


def test_export_rejects_a_missing_folder(monkeypatch, tmp_path: Path):
    with pytest.raises(InputError, match=r"gone: no such folder$"):
        export(monkeypatch, tmp_path / "gone", "--out", tmp_path / "out")


def test_export_reports_broken_scans_and_writes_all_others(
    monkeypatch, folder: Path, tmp_path: Path
):
    (folder / "bad.nii").write_text("no", encoding="utf-8")
    with pytest.raises(
        InputError, match=r"^1 of 3 scans skipped:\n.*bad\.nii: cannot read the NIfTI file"
    ):
        export(monkeypatch, folder, "--out", tmp_path / "out")
    assert len([*(tmp_path / "out").iterdir()]) == 8
