"""Weak supervision is provable: with every mask gone, training runs, and gives the same bytes."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from automedsam.images import write_image
from automedsam.phantoms import draw_phantom
from workspace import Workspace, copy_project

pytestmark = pytest.mark.slow
MODEL = "data/model/prompt_module.safetensors"


@pytest.fixture
def workspace(tmp_path: Path) -> Workspace:
    """A clone with twelve phantoms as a user's folder, prepared and embedded."""
    root = tmp_path / "project"
    root.mkdir()
    workspace = copy_project(root, dataset="folder", epochs=2, train_cases=4)
    for number in range(12):
        add_phantom(root / "data/raw", number)
    workspace.python("stages/prepare.py")
    assert "12 images to embed" not in workspace.python("stages/embed.py")
    return workspace


def test_training_reads_no_mask(workspace: Workspace):
    workspace.python("stages/train.py")
    with_masks = workspace.read(MODEL)
    masks = [*(workspace.root / "data").rglob("*masks")]
    assert len(masks) == 2
    for folder in masks:
        shutil.rmtree(folder)
    workspace.python("stages/train.py")
    assert workspace.read(MODEL) == with_masks


def test_no_mask_of_a_training_or_validation_image_leaves_prepare(workspace: Workspace):
    index = workspace.read("data/prepared/index.csv").decode().splitlines()
    test_cases = {line.split(",")[0] for line in index if ",test," in line}
    assert {path.stem for path in (workspace.root / "data/prepared/test_masks").iterdir()} == test_cases


def test_one_more_image_embeds_one_image(workspace: Workspace):
    workspace.set_params(train_cases="null")
    workspace.python("stages/prepare.py")
    workspace.python("stages/embed.py")
    add_phantom(workspace.root / "data/raw", 12)
    workspace.python("stages/prepare.py")
    assert "1 images to embed, 12 in the store" in workspace.python("stages/embed.py")


def test_other_weights_than_those_of_the_embeddings_are_refused(workspace: Workspace):
    weights = workspace.root / "other.pth"
    weights.write_bytes(workspace.read("stages/automedsam/sam_tiny.pth") + b"\0")
    workspace.set_params(medsam_checkpoint="other.pth")
    printed = workspace.python("stages/train.py", status=1)
    assert "expected an embedding with weights" in printed
    assert "dvc repro" in printed


def add_phantom(folder: Path, number: int) -> None:
    phantom = draw_phantom(np.random.default_rng([5, number]))
    for kind, pixels in (("images", phantom.image), ("masks", phantom.mask)):
        (folder / kind).mkdir(exist_ok=True)
        write_image(folder / kind / f"case_{number:02d}.png", pixels)
