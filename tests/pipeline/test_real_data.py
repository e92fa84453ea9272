"""The whole pipeline on a few real images of each kind."""

import json
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.runtime.image_files import read_image
from repository import SHARED
from workspace import SMALL, Workspace, copy_project

DATA = SHARED / "data"
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not DATA.is_dir(), reason=f"no real images in {DATA}"),
]


def project(root: Path, **params: object) -> Workspace:
    root.mkdir()
    return copy_project(root, dataset="folder", **SMALL, **params)


def copy_pairs(name: str, to: Path, pattern: str) -> None:
    for kind in ("images", "masks"):
        (to / kind).mkdir(parents=True)
        for path in sorted((DATA / name / kind).glob(pattern)):
            shutil.copyfile(path, to / kind / path.name)


def cut_brats(to: Path) -> None:
    """One volume cannot be split: slabs of it stand for patients."""
    for kind in ("images", "masks"):
        (to / kind).mkdir(parents=True)
        (path,) = (DATA / "brats" / kind).iterdir()
        volume = nib.load(path)
        for number, start in enumerate(range(65, 125, 20)):
            nib.save(
                volume.slicer[60:180, 50:190, start : start + 5],
                to / kind / f"slab_{number}.nii.gz",
            )


def run(workspace: Workspace) -> dict[str, float]:
    workspace.stages("prepare", "embed", "label", "train", "evaluate", "render")
    return json.loads(workspace.read("metrics/summary.json"))


@pytest.mark.parametrize(
    ("name", "pattern", "params", "is_volume"),
    [
        ("wbc", "*5?.png", {}, False),
        ("hc18", "00*.png", {"group_by": r"^(\\d+)"}, False),
        ("acdc_nii", "*.nii.gz", {"group_by": r"^(patient\\d+)", "class_ids": "[3]"}, True),
        ("sct_spine", "*.nii.gz", {}, True),
        ("brats", "", {}, True),
    ],
)
def test_each_kind_of_data_runs_end_to_end_and_back(
    tmp_path: Path, name: str, pattern: str, params: dict[str, str], is_volume: bool
):
    workspace = project(tmp_path / "project", **params)
    raw = workspace.root / "data/raw"
    cut_brats(raw) if name == "brats" else copy_pairs(name, raw, pattern)
    summary = run(workspace)
    assert 0 <= summary["dice"] <= 1
    assert ("volume_dice" in summary) == is_volume

    workspace.run(
        "python", "stages/predict.py", "data/raw/images", "--out", "out", "--soft", "--overlay"
    )
    for path in sorted((raw / "images").iterdir()):
        assert_same_geometry(path, workspace.root / "out" / path.name)
    evaluated = sorted((workspace.root / "data/predictions/masks").iterdir())
    assert evaluated
    if not is_volume:
        for mask in evaluated:
            assert (workspace.root / "out" / mask.name).read_bytes() == mask.read_bytes()


def assert_same_geometry(image: Path, mask: Path) -> None:
    if image.suffix == ".png":
        assert read_image(mask).shape == read_image(image).shape[:2]
        return
    given, found = nib.load(image), nib.load(mask)
    assert found.shape == given.shape
    assert np.array_equal(found.affine, given.affine)
    for field in ("qform_code", "sform_code", "xyzt_units", "pixdim"):
        assert np.array_equal(found.header[field], given.header[field]), field
    assert set(np.unique(np.asanyarray(found.dataobj))) <= {0, 1}
