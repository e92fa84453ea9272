"""The whole pipeline with the real DVC on 15 drawn boxes, all of which are for training."""

import csv
import json

import numpy as np
import pytest
import yaml

from automedsam.cases.boxes import tight_box
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.image_files import write_image
from workspace import SMALL, Workspace, copy_project, stages_run

pytestmark = pytest.mark.slow
COUNT = 15
TRAINED = ("metrics/train.json", "plots/train.csv", "data/model/prompt_module.safetensors")


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """Fifteen phantoms with a drawn box, one image without the object, and no mask."""
    root = tmp_path_factory.mktemp("few") / "project"
    root.mkdir()
    rows: list[list[object]] = [["image", "x_min", "y_min", "x_max", "y_max"]]
    for number in range(COUNT):
        phantom = draw_phantom(np.random.default_rng([7, number]))
        write_image(root / f"data/raw/images/case_{number:02d}.png", phantom.image)
        rows.append([f"case_{number:02d}.png", *tight_box(phantom.mask)])
    noise = np.random.default_rng(0).integers(90, 120, (256, 256), dtype=np.uint8)
    write_image(root / "data/raw/images/empty.png", noise)
    rows.append(["empty.png", "", "", "", ""])
    with (root / "data/raw/boxes.csv").open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows(rows)
    params = SMALL | {"train_cases": "auto", "epochs": 3, "steps_per_epoch": 8}
    return copy_project(root, dataset="folder", annotations="boxes.csv", **params)


def test_fifteen_boxes_train_the_model_and_measure_it(project: Workspace) -> None:
    printed = project.dvc("repro")
    assert len(stages_run(printed)) == 6
    assert "train: 16 cases of 16 groups, 15 with an object" in printed
    assert "cross-validation in 3 folds of 5, 5 and 5 boxed images from 15 groups" in printed
    assert "- The overlaps of boxes (0 to 1) are from a cross-validation" in printed
    assert "warning" not in printed

    summary = json.loads(project.read("metrics/summary.json"))
    train = json.loads(project.read("metrics/train.json"))
    assert summary == {"n_cases": 0, "n_masks": 0}
    assert 0 < train["cv_box_iou"] <= 1
    assert 0 < train["cv_mean_box_iou"] <= 1
    assert {"cv_missed", "cv_left_empty"} <= train.keys()
    labels = {path.stem for path in (project.root / "data/pseudo_labels").iterdir()}
    rejected = json.loads(project.read("metrics/labels.json"))["rejected"]
    assert len(labels) == COUNT - rejected

    stages = yaml.safe_load(project.read("dvc.yaml"))["stages"].values()
    outs = [out if isinstance(out, str) else next(iter(out)) for s in stages for out in s["outs"]]
    assert not [out for out in outs if not (project.root / out).exists()]
    assert [path.name for path in (project.root / "plots/snapshots").iterdir()] == ["fixed_1.png"]
    project.dvc("plots", "show")
    assert stages_run(project.dvc("repro")) == []


def test_the_training_gives_the_same_bytes_twice(project: Workspace) -> None:
    first = [project.read(name) for name in TRAINED]
    project.stages("train")
    assert [project.read(name) for name in TRAINED] == first


def test_the_model_predicts(project: Workspace) -> None:
    project.run("python", "stages/predict.py", "data/raw/images", "--out", "predicted")
    assert (project.root / "predicted/predictions.csv").is_file()
