"""Volumes are scored as a whole if all of their slices and masks are there; a model of other classes is refused."""

import csv
import json
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from automedsam.cases.classes import ObjectClass, to_json
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import PROMPT_MODULE
from automedsam.runtime.tensors import save_tensors
from evaluate import check_model, mean_of_classes, summarize
from training_fixtures import OBJECT
from workspace import SMALL, Workspace, copy_project


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Six volumes of two phantoms, and a third slice of which the object is missing."""
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
    for stage in ("prepare", "embed", "label", "train"):
        project.python(f"stages/{stage}.py")
    printed = project.python("stages/evaluate.py")
    volumes = list(csv.DictReader(project.read("metrics/per_volume.csv").decode().splitlines()))
    return printed, json.loads(project.read("metrics/summary.json")), volumes


@pytest.mark.slow
def test_whole_volumes_are_scored(project: Workspace) -> None:
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
def test_it_is_said_that_no_volume_is_whole(project: Workspace) -> None:
    project.set_params(keep_empty="false")
    printed, summary, volumes = run_all(project)
    assert (
        "no volume is there with all of its slices and masks (keep_empty): no volume Dice"
        in printed
    )
    assert volumes == []
    assert not {"volume_dice", "n_volumes"} & summary.keys()


def test_a_model_of_other_classes_is_refused_by_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    learned = [ObjectClass("liver", 1), ObjectClass("spleen", 7)]
    save_tensors(PROMPT_MODULE, {}, {"prompting": "locate", "classes": to_json(learned)})
    check_model(learned)
    with pytest.raises(
        InputError, match=r'model of {"object": 255}, found one of {"liver": 1, "spleen": 7}'
    ):
        check_model(OBJECT)


LIVER, SPLEEN = ObjectClass("liver", 1), ObjectClass("spleen", 7)


def test_each_class_counts_the_same_in_the_summary() -> None:
    """However many cases show it; a class that no test case shows has no Dice, and none is made up."""
    scores: list[list[dict[str, float | None]]] = [
        [{"dice": 0.9, "hd95_mm": None}, {"dice": 0.2}],
        [{"dice": 0.7, "hd95_mm": None}, {"left_empty": 1.0}],
    ]
    volumes = [{"class": "liver", "volume_dice": 0.5}, {"class": "liver", "volume_dice": 0.7}]
    means = mean_of_classes([LIVER, SPLEEN], scores, volumes)
    assert means["liver"] == pytest.approx({"dice": 0.8, "volume_dice": 0.6})
    assert means["spleen"] == {"dice": 0.2, "left_empty": 1}
    assert summarize(means) == pytest.approx(
        {
            "dice": 0.5,
            "volume_dice": 0.6,
            "left_empty": 1,
            "dice_of_liver": 0.8,
            "dice_of_spleen": 0.2,
        }
    )
    assert "dice_of_spleen" not in summarize(means | {"spleen": {"left_empty": 1.0}})


def test_without_masks_the_overlap_of_boxes_is_told_of_each_class_and_of_one_alone_nothing_twice() -> (
    None
):
    means = mean_of_classes([LIVER, SPLEEN], [[{"box_iou": 0.5}, {"box_iou": 0.7}]], [])
    assert summarize(means) == pytest.approx(
        {"box_iou": 0.6, "box_iou_of_liver": 0.5, "box_iou_of_spleen": 0.7}
    )
    assert summarize({"liver": {"dice": 0.8}}) == {"dice": 0.8}
