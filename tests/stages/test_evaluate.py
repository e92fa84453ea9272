"""The evaluate stage: whole volumes, and a model of other classes."""

import csv
import json
import shutil
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass, write_classes
from automedsam.cases.index import write_index
from automedsam.datasets.phantoms import draw_phantom
from automedsam.model.trained import ModelHeader
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import CLASSES, INDEX, PREDICTIONS, PROMPT_MODULE
from automedsam.runtime.tensors import save_tensors
from evaluate import main
from repository import ROOT
from training_fixtures import OBJECT
from workspace import SMALL, Workspace, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six volumes of three phantoms each; the third slice has no object in its mask."""
    root = tmp_path_factory.mktemp("evaluate") / "project"
    root.mkdir()
    workspace = copy_project(root, dataset="folder", **SMALL | {"epochs": 1, "train_cases": 2})
    for kind in ("images", "masks"):
        (root / "data/raw" / kind).mkdir(parents=True)
    for number in range(6):
        phantoms = [draw_phantom(np.random.default_rng([5, number, n])) for n in range(3)]
        masks = [phantom.mask * (n < 2) for n, phantom in enumerate(phantoms)]
        for kind, stack in (("images", [phantom.image for phantom in phantoms]), ("masks", masks)):
            volume = np.stack(stack, axis=2).astype(np.uint8)
            nib.save(
                nib.Nifti1Image(volume, np.diag([-1, -1, 5, 1])),
                root / f"data/raw/{kind}/v{number}.nii.gz",
            )
    return workspace


def run_all(project: Workspace) -> tuple[str, dict[str, float], list[dict[str, str]]]:
    """What evaluate prints, its summary and its table of volumes."""
    project.stages("prepare", "embed", "label", "train")
    printed = project.python("stages/evaluate.py")
    volumes = list(csv.DictReader(project.read("metrics/per_volume.csv").decode().splitlines()))
    return printed, json.loads(project.read("metrics/summary.json")), volumes


@pytest.mark.slow
def test_complete_volumes_are_scored_as_a_whole(project: Workspace) -> None:
    printed, summary, volumes = run_all(project)
    assert "no volume" not in printed
    assert summary["n_volumes"] == len(volumes) == summary["n_masks"] / 3
    assert summary["volume_dice"] == pytest.approx(
        np.mean([float(row["volume_dice"]) for row in volumes]), rel=1e-4
    )
    for row in volumes:
        mask = nib.load(project.root / f"data/raw/masks/{row['volume']}.nii.gz").get_fdata()
        assert float(row["true_ml"]) == pytest.approx(np.count_nonzero(mask) * 5 / 1000)


@pytest.mark.slow
def test_a_warning_reports_that_no_volume_is_complete(project: Workspace) -> None:
    project.set_params(keep_empty="false")
    printed, summary, volumes = run_all(project)
    assert "no volume has all of its slices and masks among the test cases" in printed
    assert "keep_empty" in printed
    assert volumes == []
    assert not {"volume_dice", "n_volumes"} & summary.keys()


def save_model(classes: Classes) -> None:
    """Write a file with the header of a trained model, but without weights."""
    header = ModelHeader(
        backbone="sam_tiny",
        medsam_checkpoint=None,
        weights_sha256="0",
        weights_licence="none",
        weights_training_data="none",
        use_amp=False,
        precision="float32",
        embedding_dtype="float16",
        prompting="locate",
        prompt_source="both",
        sparse_prompt="box",
        class_values=[(cls.name, cls.value) for cls in classes],
        preparation={},
        params={},
    )
    save_tensors(PROMPT_MODULE, {}, header.model_dump())


def test_a_model_of_other_classes_is_rejected(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["evaluate.py"])
    shutil.copyfile(ROOT / "params.yaml", "params.yaml")
    INDEX.parent.mkdir(parents=True)
    write_index(INDEX, [Case("a", "a", "train", 4, 6, {255: ((0, 0, 2, 2),)})])
    write_classes(CLASSES, OBJECT)
    save_model(Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)]))
    with pytest.raises(
        InputError,
        match=r'prompt_module\.safetensors: trained for the classes {"liver": 1, "spleen": 7}, '
        r'but the test cases have {"object": 255}; run `dvc repro`',
    ):
        main()
    assert not PREDICTIONS.exists()
    # A model of the same classes passes this check, and then the one of its weights fails.
    save_model(OBJECT)
    with pytest.raises(InputError, match="the model was trained with backbone weights of"):
        main()
