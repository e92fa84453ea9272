"""Small data sets for the prepare stage in the working folder, and readers of its results."""

import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from PIL import Image

import prepare
from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import CLASSES, INDEX
from repository import ROOT

RAW = Path("data/raw")
IMAGES, MASKS = RAW / "images", RAW / "masks"
NAMES = [f"p{patient}_{number}" for patient in range(6) for number in (1, 2)]
HEADER = (
    "case,group,split,volume,slice,of_slices,height,width,mask,slice_mm,row_mm,column_mm,"
    "value_low,value_high"
)
LOW, HIGH = 1000, 3000  # values of the left and the right half of an image


@pytest.fixture
def raw_project(tmp_path, monkeypatch):
    """A working folder with params.yaml and an empty data/raw; call it to change parameters."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prepare.py"])
    RAW.mkdir(parents=True)

    def set_params(**changes):
        published = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        values = published | {"dataset": "folder"} | changes
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    set_params()
    return set_params


@pytest.fixture
def call_prepare(monkeypatch, capsys):
    """Run `prepare.py` with arguments in this process; the lines of stdout are returned."""

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["prepare.py", *arguments])
        capsys.readouterr()
        prepare.main()
        return capsys.readouterr().out.splitlines()

    return run


def draw_labels(*boxes_xyxy, value=1, size=(12, 16)):
    labels = np.zeros(size, np.uint8)
    for x0, y0, x1, y1 in boxes_xyxy:
        labels[y0:y1, x0:x1] = value
    return labels


def save(path, values, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path, **options)


def save_image(path, size=(12, 16), **options):
    values = np.full(size, LOW, np.uint16)
    values[:, size[1] // 2 :] = HIGH
    save(path, values, **options)


def save_case(name, labels, suffix=".png"):
    save_image(IMAGES / f"{name}.png", labels.shape)
    save(MASKS / f"{name}{suffix}", labels)


def save_cases(names=NAMES, empty=(), value=1):
    """Save cases with a different box each; those in `empty` show no object."""
    for number, name in enumerate(names):
        save_case(name, draw_labels(box_of(number), value=0 if name in empty else value))


def box_of(number):
    x0, y0 = number % 5, number // 5
    return x0, y0, x0 + 4, y0 + 3


def save_nifti(path, stack):
    """Save a stack (slices, rows, columns) with slices of 8 mm and pixels of 2 x 1.5 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(stack, np.int16).T, np.diag([-1.5, -2, 8, 1])), path)


def save_volumes(count=4, slices=3, empty=()):
    """Save NIfTI volumes v0, v1, ... with an object in each slice that is not in `empty`.

    The object is further to the right from slice to slice.
    """
    for number in range(count):
        labels = [draw_labels((n, 1, n + 3, 5), value=n not in empty) for n in range(slices)]
        save_nifti(
            IMAGES / f"v{number}.nii.gz",
            np.arange(slices)[:, None, None] * 100 + np.zeros((12, 16)),
        )
        save_nifti(MASKS / f"v{number}.nii.gz", np.stack(labels))


def contents(folder):
    return {str(path): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def pixels_of(path):
    with Image.open(path) as image:
        return np.asarray(image)


def read_cases(split=None):
    """The prepared cases of one split, or of all splits."""
    return read_index(INDEX, read_classes(CLASSES), split)


def names_of(split=None):
    return [case.name for case in read_cases(split)]


def rows_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def errors_of(*arguments, call=None):
    """The faults that `prepare.py` reports, one per item."""
    with pytest.raises(InputError) as caught:
        call(*arguments) if call else prepare.main()
    return str(caught.value).split("; ")
