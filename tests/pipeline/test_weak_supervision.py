"""Weak supervision: with all masks deleted, labels and training give the same bytes.

The training includes self-training on unlabelled images.
"""

import shutil
from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.index import read_splits
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.image_files import write_image
from workspace import SMALL, Workspace, copy_project

pytestmark = pytest.mark.slow
MODEL = "data/model/prompt_module.safetensors"
PROMPTINGS = ("locate", "direct")


@pytest.fixture(scope="module")
def labelled(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone with twelve phantoms as a user's folder, prepared, embedded and labelled."""
    root = tmp_path_factory.mktemp("weak") / "project"
    root.mkdir()
    workspace = copy_project(root, dataset="folder", unlabelled="use", **SMALL)
    for number in range(12):
        add_phantom(root / "data/raw", number)
    printed = workspace.stages("prepare", "embed", "label")
    # The ten images that are used, one view of each of the four training images, and the two
    # unlabelled images, whose masks are not used.
    assert "16 images to embed, 0 in the store" in printed
    return workspace


@pytest.fixture
def workspace(labelled: Workspace, tmp_path: Path) -> Workspace:
    """The same, of one test's own."""
    shutil.copytree(labelled.root, tmp_path / "project")
    return Workspace(tmp_path / "project")


def test_labels_and_training_read_no_mask(workspace: Workspace):
    with_masks = labels_of(workspace), [train(workspace, prompting) for prompting in PROMPTINGS]
    masks = [*(workspace.root / "data").rglob("*masks")]
    assert len(masks) == 2
    for folder in masks:
        shutil.rmtree(folder)
    workspace.python("stages/label.py")
    assert with_masks == (
        labels_of(workspace),
        [train(workspace, prompting) for prompting in PROMPTINGS],
    )
    assert len(with_masks[0]) == 4


def labels_of(workspace: Workspace) -> dict[str, bytes]:
    return {
        path.name: path.read_bytes() for path in (workspace.root / "data/pseudo_labels").iterdir()
    }


def train(workspace: Workspace, prompting: str) -> bytes:
    workspace.set_params(prompting=prompting)
    workspace.python("stages/train.py")
    return workspace.read(MODEL)


def test_no_mask_of_a_training_or_validation_image_leaves_prepare(workspace: Workspace):
    index = workspace.read("data/prepared/index.csv").decode().splitlines()
    test_cases = {line.split(",")[0] for line in index if ",test," in line}
    assert {
        path.stem for path in (workspace.root / "data/prepared/test_masks").iterdir()
    } == test_cases


def test_one_more_image_embeds_that_image_and_its_views_only(workspace: Workspace):
    workspace.set_params(train_cases="null")
    workspace.stages("prepare", "embed")
    before = trained_on(workspace)
    add_phantom(workspace.root / "data/raw", 12)
    workspace.python("stages/prepare.py")
    after = trained_on(workspace)
    assert after - before <= {"case_12"}  # another may have gone to validate with
    found = f"{1 + len(after - before)} images to embed, {12 + len(after & before)} in the store"
    assert found in workspace.python("stages/embed.py")


def trained_on(workspace: Workspace) -> set[str]:
    splits = read_splits(workspace.root / "data/prepared/index.csv")
    return {name for name, split in splits.items() if split == "train"}


def test_weights_other_than_those_of_the_embeddings_are_rejected(workspace: Workspace):
    weights = workspace.root / "other.pth"
    weights.write_bytes(workspace.read("stages/automedsam/backbone/sam_tiny.pth") + b"\0")
    workspace.set_params(medsam_checkpoint="other.pth")
    printed = workspace.python("stages/train.py", status=1)
    assert "expected an embedding with weights" in printed
    assert "dvc repro" in printed


def add_phantom(folder: Path, number: int) -> None:
    phantom = draw_phantom(np.random.default_rng([5, number]))
    for kind, pixels in (("images", phantom.image), ("masks", phantom.mask)):
        (folder / kind).mkdir(exist_ok=True)
        write_image(folder / kind / f"case_{number:02d}.png", pixels)
