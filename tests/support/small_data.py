"""Small data sets to prepare: drawn into the working folder, in whatever format, and what came of them."""

import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import yaml
from PIL import Image

import prepare
from automedsam.cases.index import read_index
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import INDEX
from repository import ROOT

RAW = Path("data/raw")
IMAGES, MASKS = RAW / "images", RAW / "masks"
NAMES = [f"p{patient}_{number}" for patient in range(6) for number in (1, 2)]
HEADER = "case,group,split,volume,slice,of_slices,height,width,mask,slice_mm,row_mm,column_mm,value_low,value_high"
LOW, HIGH = 1000, 3000  # the values of the left and the right half of an image


@pytest.fixture
def raw_project(tmp_path, monkeypatch):
    """The working folder: a clone's params.yaml and dvc.yaml, and an empty data/raw; changes go to params.yaml."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["prepare.py"])
    shutil.copy(ROOT / "dvc.yaml", tmp_path)
    RAW.mkdir(parents=True)

    def set_params(**changes):
        values = (
            yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
            | {"dataset": "folder"}
            | changes
        )
        Path("params.yaml").write_text(yaml.safe_dump(values), encoding="utf-8")

    set_params()
    return set_params


@pytest.fixture
def call_prepare(monkeypatch, capsys):
    """`prepare.py` with arguments, in this process; returns what it printed."""

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
    """Boxes that tell the cases apart; those named `empty` hold nothing."""
    for number, name in enumerate(names):
        save_case(name, draw_labels(box_of(number), value=0 if name in empty else value))


def box_of(number):
    x0, y0 = number % 5, number // 5
    return x0, y0, x0 + 4, y0 + 3


def save_nifti(path, stack):
    """A stack (slices, rows, columns) of thick slices: 8 mm, with pixels of 2 x 1.5 mm."""
    path.parent.mkdir(parents=True, exist_ok=True)
    nib.save(nib.Nifti1Image(np.asarray(stack, np.int16).T, np.diag([-1.5, -2, 8, 1])), path)


def save_volumes(count=4, slices=3, empty=()):
    """NIfTI volumes v0, v1 ..: an object in each slice but the `empty` ones, further right from slice to slice."""
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


def names_of(split=None):
    return [case.name for case in read_index(INDEX, split)]


def rows_of(path):
    return path.read_text(encoding="utf-8").splitlines()


def faults_of(*arguments, call=None):
    with pytest.raises(InputError) as told:
        call(*arguments) if call else prepare.main()
    return str(told.value).split("; ")
