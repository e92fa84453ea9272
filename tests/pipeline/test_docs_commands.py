"""The commands of README.md and the how-to pages run, page by page, in a copy of the project.

They run as the pages show them, on placeholder data, which `params.yaml` names as well, so that
`dvc repro` is fast. Experiments stop after `prepare`, which checks all parameters against the data;
of those that differ in parameters only, the first runs in DVC, and the others run a check.
A command that several pages show runs once.
"""

import csv
import re
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automedsam.cases.boxes import tight_box
from automedsam.datasets.phantoms import draw_phantom
from docs_pages import bash_commands
from prediction_inputs import write_inputs
from repository import ROOT
from workspace import SMALL, Workspace, copy_project

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("bash") is None, reason="the pages use bash"),
]
PAGES = ["README", "docs/data", "docs/classes", "docs/experiments", "docs/prediction"]
COMMANDS = list(
    dict.fromkeys(command for page in PAGES for command in bash_commands(ROOT / f"{page}.md"))
)
EXPERIMENT = "dvc exp run -S "
FIRST_EXPERIMENT = next(command for command in COMMANDS if command.startswith(EXPERIMENT))
# Patterns of the commands that do not run here, and why.
NOT_RUN = {
    r"^python -m venv |^source |^pip install ": "they make the environment that runs the tests",
    r"^make ": "make runs the tests themselves",
    r"^python stages/download\.py ": "the tests have no internet",
    r"data_dir=\.\./(hc18|acdc)\b": "these data sets must be downloaded",
    r"^git (init|add|commit) ": "the tests run in a git repository",
    r"^dvc queue start ": "it runs in the background; test_pipeline.py waits for it",
}
# In place of the 120 synthetic images.
SMALL_DATA = {"dataset": "folder", "data_dir": "../my_data", "annotations": "boxes.csv"}
VALUES = {"liver": 6, "spleen": 1, "other": 3}  # in the masks, as the pages use them
STEP = 4  # every fourth pixel of a phantom is kept
OUTPUTS = {
    "stages/slices.py": "pictures/patient01_a.png",
    "predict": "new_masks/grey.png",
    "--soft": "new_masks/soft/volume.nii.gz",
    "--overlay": "new_masks/overlays/colour.png",
    "exp run -S": "project/data/prepared/index.csv",
}


@pytest.fixture(scope="module")
def workspace(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A project that `dvc repro` has run in, with few images and steps, and data beside it."""
    root = tmp_path_factory.mktemp("docs")
    write_inputs(root / "new_images")
    write_data(root / "my_data")
    (root / "boxes.csv").write_text(
        "image,x_min,y_min,x_max,y_max,class\ngrey.png,2,3,22,18,liver\n", encoding="utf-8"
    )
    write_command(root / "bin/automedsam")
    project = copy_project(make_folder(root / "project"), **SMALL_DATA, **SMALL)
    project.dvc("repro")
    project.commit("results")
    return project


def make_folder(path: Path) -> Path:
    path.mkdir(parents=True, exist_ok=True)
    return path


def write_data(folder: Path) -> None:
    """Write one image per patient and boxes.csv, and masks that `show_masks` shows."""
    images, masks = make_folder(folder / "images"), make_folder(folder.parent / "hidden_masks")
    rows = []
    for number in range(1, 9):
        name = f"patient{number:02d}_a.png"
        phantom = draw_phantom(np.random.default_rng(number))
        labels = phantom.labels[::STEP, ::STEP]
        Image.fromarray(phantom.image[::STEP, ::STEP]).save(images / name)
        mask = np.zeros_like(labels)
        for label, (class_name, value) in enumerate(VALUES.items(), start=1):
            mask[labels == label] = value
            if class_name != "other":
                rows.append([name, *tight_box(labels == label), class_name])
        Image.fromarray(mask).save(masks / name)
    with (folder / "boxes.csv").open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["image", "x_min", "y_min", "x_max", "y_max", "class"])
        writer.writerows(rows)


def write_command(path: Path) -> None:
    """Write the command that `pip install .` would install."""
    make_folder(path.parent)
    path.write_text(
        f'#!/bin/sh\nPYTHONPATH=stages exec "{sys.executable}" -m automedsam "$@"\n',
        encoding="utf-8",
    )
    path.chmod(0o755)


def reason_not_to_run(command: str) -> str | None:
    return next((why for pattern, why in NOT_RUN.items() if re.search(pattern, command)), None)


def show_masks(data: Path, are_shown: bool) -> None:
    """Put the masks into the data folder, or out of it.

    They are optional there, but if there are any, named classes require `mask_ids`.
    """
    shown, hidden = data / "masks", data.parent / "hidden_masks"
    if are_shown and hidden.exists():
        hidden.rename(shown)
    elif not are_shown and shown.exists():
        shown.rename(hidden)


@pytest.mark.parametrize("command", COMMANDS)
def test_commands_of_the_docs_run(command: str, workspace: Workspace):
    if why := reason_not_to_run(command):
        pytest.skip(why)
    root = workspace.root.parent
    is_experiment = command.startswith("dvc exp run ")
    show_masks(root / "my_data", "mask_ids" in command or "annotations=null" in command)
    target = " prepare" if is_experiment else ""
    if command.startswith(EXPERIMENT) and command != FIRST_EXPERIMENT:
        command = command.replace("dvc exp run", "python stages/prepare.py --check", 1)
        is_experiment, target = False, ""
    params = workspace.read("params.yaml")
    try:
        workspace.run("bash", "-c", f'PATH="{root}/bin:$PATH"; {command}{target}')
    finally:
        if is_experiment:
            (workspace.root / "params.yaml").write_bytes(params)
    for part, output in OUTPUTS.items():
        assert part not in command or (root / output).exists(), output


def test_every_pattern_of_commands_not_to_run_is_needed():
    for pattern in NOT_RUN:
        assert any(re.search(pattern, command) for command in COMMANDS), pattern
