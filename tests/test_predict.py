"""New images in, masks out, with no box and no mask: what evaluate saw, in each image's own format and size."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from automedsam.images import read_pixels, write_image
from automedsam.phantoms import draw_phantom
from workspace import Workspace, copy_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("predict") / "project"
    root.mkdir()
    workspace = copy_project(root, dataset="folder", epochs=2, train_cases=4)
    for number in range(12):
        phantom = draw_phantom(np.random.default_rng([5, number]))
        write_image(root / f"data/raw/images/case_{number:02d}.png", phantom.image[: 200 + number])
        write_image(root / f"data/raw/masks/case_{number:02d}.png", phantom.mask[: 200 + number])
    for stage in ("prepare", "embed", "train", "evaluate"):
        workspace.python(f"stages/{stage}.py")
    return workspace


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_masks_are_those_that_evaluate_scored(trained: Workspace, tmp_path: Path):
    trained.run("python", "stages/predict.py", "data/raw/images", "--out", str(tmp_path), "--soft", "--overlay")
    evaluated = sorted((trained.root / "data/predictions/masks").iterdir())
    assert len(evaluated) == 4
    for mask in evaluated:
        assert (tmp_path / mask.name).read_bytes() == mask.read_bytes()
        assert (tmp_path / "soft" / mask.name).read_bytes() == (mask.parent.parent / "soft" / mask.name).read_bytes()
        assert read_pixels(tmp_path / "overlays" / mask.name).shape == (*read_pixels(mask).shape, 3)
    for row in rows_of(tmp_path / "predictions.csv"):
        assert int(row["area_px"]) == (read_pixels(tmp_path / row["mask"]) > 0).sum()
        assert 0 <= float(row["confidence"]) <= 1


def test_broken_images_are_listed_and_the_others_get_masks_in_their_own_format(trained: Workspace, tmp_path: Path):
    images = tmp_path / "in"
    pixels = draw_phantom(np.random.default_rng(9)).image
    write_image(images / "sub/a.tif", pixels)
    write_image(images / "b.png", np.dstack([pixels] * 3)[:100])
    Image.fromarray(pixels).save(images / "c.jpg")
    (images / "broken.png").write_text("not an image", encoding="utf-8")
    (images / "empty.tif").touch()
    printed = trained.run("python", "stages/predict.py", str(images), "--out", str(tmp_path / "out"), status=1)
    assert "3 masks written, 2 images left out" in printed
    assert "broken.png: expected an image" in printed
    assert "empty.tif: expected an image" in printed
    expected = {"b.png": ("PNG", (256, 100)), "c.png": ("PNG", (256, 256)), "sub/a.tif": ("TIFF", (256, 256))}
    assert [row["mask"] for row in rows_of(tmp_path / "out/predictions.csv")] == sorted(expected)
    for name, (kind, size) in expected.items():
        with Image.open(tmp_path / "out" / name) as mask:
            assert (mask.format, mask.size) == (kind, size)


@pytest.mark.parametrize(
    ("names", "fault"),
    [
        (["a.png", "a.jpg"], "both masks are a.png"),
        ([], "files, found none"),
    ],
)
def test_folders_that_cannot_be_predicted_are_refused_first(trained: Workspace, tmp_path: Path, names, fault):
    (tmp_path / "in").mkdir()
    for name in names:
        write_image(tmp_path / "in" / name, np.zeros((8, 8), np.uint8))
    printed = trained.run("python", "stages/predict.py", str(tmp_path / "in"), "--out", str(tmp_path / "out"), status=1)
    assert fault in printed
    assert not (tmp_path / "out").exists()


def test_no_data_but_the_image_and_the_model_is_needed(trained: Workspace, tmp_path: Path):
    model, image = tmp_path / "model.safetensors", tmp_path / "a.png"
    shutil.copyfile(trained.root / "data/model/prompt_module.safetensors", model)
    write_image(image, draw_phantom(np.random.default_rng(3)).image)
    elsewhere = Workspace(tmp_path)
    script = str(trained.root / "stages/predict.py")
    elsewhere.run("python", script, "a.png", "--out", "out", "--model", str(model))
    assert (tmp_path / "out/a.png").is_file()


def test_images_are_never_overwritten_by_their_masks(trained: Workspace, tmp_path: Path):
    write_image(tmp_path / "in/a.png", draw_phantom(np.random.default_rng(3)).image)
    before = (tmp_path / "in/a.png").read_bytes()
    printed = trained.run("python", "stages/predict.py", str(tmp_path / "in"), "--out", str(tmp_path / "in"), status=1)
    assert "expected another folder than the images'" in printed
    assert (tmp_path / "in/a.png").read_bytes() == before
