"""stages/predict.py with a trained model: the masks of evaluate, in the format of each image."""

import csv
import shutil
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
import torch
from PIL import Image

from automedsam.datasets.phantoms import draw_phantom
from automedsam.prediction.predictor import Predictor
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.tensors import load_tensors
from automedsam.scans.scan import open_scan
from workspace import SMALL, Workspace, copy_project

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    root = tmp_path_factory.mktemp("predict") / "project"
    root.mkdir()
    workspace = copy_project(root, dataset="folder", **SMALL | {"steps_per_epoch": 20})
    for number in range(12):
        phantom = draw_phantom(np.random.default_rng([5, number]))
        write_image(root / f"data/raw/images/case_{number:02d}.png", phantom.image[: 200 + number])
        write_image(root / f"data/raw/masks/case_{number:02d}.png", phantom.mask[: 200 + number])
    workspace.stages("prepare", "embed", "label", "train", "evaluate")
    return workspace


def rows_of(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as table:
        return list(csv.DictReader(table))


def test_masks_equal_those_that_evaluate_scored(trained: Workspace, tmp_path: Path):
    trained.run(
        "python",
        "stages/predict.py",
        "data/raw/images",
        "--out",
        str(tmp_path),
        "--soft",
        "--overlay",
    )
    evaluated = sorted((trained.root / "data/predictions/masks").iterdir())
    assert len(evaluated) == 4
    for mask in evaluated:
        assert (tmp_path / mask.name).read_bytes() == mask.read_bytes()
        assert (tmp_path / "soft" / mask.name).read_bytes() == (
            mask.parent.parent / "soft" / mask.name
        ).read_bytes()
        assert read_image(tmp_path / "overlays" / mask.name).shape == (*read_image(mask).shape, 3)
    for row in rows_of(tmp_path / "predictions.csv"):
        assert int(row["area_px"]) == (read_image(tmp_path / row["mask"]) > 0).sum()
        assert 0 <= float(row["confidence"]) <= 1


def test_broken_images_are_listed_and_others_keep_their_format(trained: Workspace, tmp_path: Path):
    images = tmp_path / "in"
    pixels = draw_phantom(np.random.default_rng(9)).image
    write_image(images / "sub/a.tif", pixels)
    write_image(images / "b.png", np.dstack([pixels] * 3)[:100])
    Image.fromarray(pixels).save(images / "c.jpg")
    (images / "broken.png").write_text("not an image", encoding="utf-8")
    (images / "empty.tif").touch()
    printed = trained.run(
        "python",
        "stages/predict.py",
        str(images),
        "--out",
        str(tmp_path / "out"),
        "--overlay",
        status=1,
    )
    assert "read 3, skipped 2: 2 with a fault" in printed
    overlays = {
        path.relative_to(tmp_path / "out/overlays").as_posix()
        for path in tmp_path.glob("out/overlays/**/*.png")
    }
    assert overlays == {"b.png", "c.png", "sub/a.tif.png"}
    assert "broken.png: cannot read the image" in printed
    assert "empty.tif: cannot read the image" in printed
    expected = {
        "b.png": ("PNG", (256, 100)),
        "c.png": ("PNG", (256, 256)),
        "sub/a.tif": ("TIFF", (256, 256)),
    }
    assert [row["mask"] for row in rows_of(tmp_path / "out/predictions.csv")] == sorted(expected)
    for name, (kind, size) in expected.items():
        with Image.open(tmp_path / "out" / name) as mask:
            assert (mask.format, mask.size) == (kind, size)


def test_masks_of_volumes_have_the_geometry_of_the_volume(trained: Workspace, tmp_path: Path):
    """Two slices, as NIfTI in an oblique orientation and as a TIFF of two pages."""
    stack = np.stack([draw_phantom(np.random.default_rng([5, number])).image for number in (0, 1)])
    # The slices are stacked upwards, their rows point backwards.
    affine = np.array([[0, 0, 2.0, 5], [0, -0.5, 0, 7], [3.0, 0, 0, -2], [0, 0, 0, 1.0]])
    volume = nib.Nifti1Image(stack, affine)
    volume.header["descrip"] = b"kept"
    (tmp_path / "in").mkdir()
    nib.save(volume, tmp_path / "in/scan.nii.gz")
    first, second = (Image.fromarray(page) for page in stack)
    first.save(tmp_path / "in/stack.tif", save_all=True, append_images=[second])
    trained.run(
        "python",
        "stages/predict.py",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
        "--soft",
        "--overlay",
    )

    mask, soft = (nib.load(tmp_path / "out" / name) for name in ("scan.nii.gz", "soft/scan.nii.gz"))
    assert (mask.shape, mask.get_data_dtype(), mask.header["descrip"]) == (
        stack.shape,
        np.uint8,
        b"kept",
    )
    assert np.array_equal(mask.affine, affine)
    voxels, probabilities = mask.get_fdata(), soft.get_fdata()
    assert set(np.unique(voxels)) == {0, 1}
    assert np.array_equal(voxels > 0, probabilities > 0.5)
    with Image.open(tmp_path / "out/stack.tif") as pages:
        assert pages.n_frames == 2
        pages.seek(1)
        assert np.asarray(pages).shape == stack.shape[1:]

    slices = [
        row for row in rows_of(tmp_path / "out/predictions.csv") if row["mask"] == "scan.nii.gz"
    ]
    assert [row["slice"] for row in slices] == ["0", "1"]
    areas = [int(row["area_px"]) for row in slices]
    assert sum(areas) == voxels.sum()
    assert [float(row["area_mm2"]) for row in slices] == pytest.approx(
        [area * 0.5 * 2 for area in areas]
    )
    whole = {row["mask"]: row for row in rows_of(tmp_path / "out/volumes.csv")}
    assert float(whole["scan.nii.gz"]["volume_mm3"]) == pytest.approx(sum(areas) * 3, rel=1e-5)
    assert whole["stack.tif"]["volume_mm3"] == ""
    out = tmp_path / "out/overlays"
    overlays = {path.relative_to(out).as_posix() for path in out.rglob("*.png")}
    assert overlays == {
        f"{name}/s00{number}.png" for name in ("scan.nii.gz", "stack.tif") for number in (0, 1)
    }


def test_masks_of_an_earlier_run_are_not_predicted(trained: Workspace, tmp_path: Path):
    write_image(tmp_path / "in/a.png", draw_phantom(np.random.default_rng(3)).image)
    for _ in range(2):
        trained.run(
            "python", "stages/predict.py", str(tmp_path / "in"), "--out", str(tmp_path / "in/masks")
        )
    assert [row["mask"] for row in rows_of(tmp_path / "in/masks/predictions.csv")] == ["a.png"]


def test_predictor_gives_the_bytes_that_the_script_writes(trained: Workspace, tmp_path: Path):
    """For a PNG as an array, and for a colour image and a NIfTI volume by path."""
    pixels = [draw_phantom(np.random.default_rng([5, number])).image for number in (0, 1)]
    write_image(tmp_path / "in/grey.png", pixels[0])
    write_image(tmp_path / "in/colour.png", np.dstack([pixels[0], pixels[1], pixels[0]])[:200])
    volume = nib.Nifti1Image(np.stack(pixels), np.diag([3.0, 0.5, 2.0, 1]))
    nib.save(volume, tmp_path / "in/volume.nii.gz")
    out, model = tmp_path / "out", trained.root / "data/model/prompt_module.safetensors"
    arguments = ["--out", str(out), "--soft", "--device", "cpu"]
    trained.run("python", "stages/predict.py", str(tmp_path / "in"), *arguments)

    predictor = Predictor.load(model, device="cpu")
    with Image.open(tmp_path / "in/grey.png") as image:
        array = np.asarray(image)
    for name, given in {
        "grey.png": array,
        "colour.png": tmp_path / "in/colour.png",
        "volume.nii.gz": tmp_path / "in/volume.nii.gz",
    }.items():
        prediction = predictor(given)
        scan = open_scan(tmp_path / "in" / name, "auto")
        scan.write(tmp_path / "again" / name, prediction.labels > 0)
        scan.write_soft(tmp_path / "again/soft" / name, prediction.soft_masks[:, 0])
        for path in (name, f"soft/{name}"):
            assert (tmp_path / "again" / path).read_bytes() == (out / path).read_bytes()


def test_predict_uses_the_window_of_the_model(trained: Workspace, tmp_path: Path):
    """A window from 0 to 255 keeps images unchanged; percentiles would stretch a darker copy."""
    windowed = trained.clone(tmp_path / "project")
    shutil.copytree(trained.root / "data/raw", windowed.root / "data/raw", dirs_exist_ok=True)
    windowed.set_params(window_low=0, window_high=255)
    windowed.stages("prepare", "embed", "label", "train", "evaluate")
    windowed.run("python", "stages/predict.py", "data/raw/images", "--out", "out")
    for mask in sorted((windowed.root / "data/predictions/masks").iterdir()):
        assert (windowed.root / "out" / mask.name).read_bytes() == mask.read_bytes()
    case = sorted((windowed.root / "data/prepared/images").iterdir())[0]
    assert np.array_equal(
        read_image(case), read_image(windowed.root / "data/raw/images" / case.name)
    )


def test_predict_rounds_embeddings_to_int8_if_the_model_was_trained_so(
    trained: Workspace, tmp_path: Path
):
    """The model prompts directly, so that both kinds of prompting are compared with evaluate."""
    quantized = trained.clone(tmp_path / "project")
    shutil.copytree(trained.root / "data/raw", quantized.root / "data/raw", dirs_exist_ok=True)
    quantized.set_params(embedding_dtype="int8", prompting="direct")
    quantized.stages("prepare", "embed", "label", "train", "evaluate")
    quantized.run("python", "stages/predict.py", "data/raw/images", "--out", "out", "--soft")
    evaluated = sorted((quantized.root / "data/predictions/soft").iterdir())
    assert len(evaluated) == 4
    for soft in evaluated:
        assert (quantized.root / "out/soft" / soft.name).read_bytes() == soft.read_bytes()
        mask = (quantized.root / "data/predictions/masks" / soft.name).read_bytes()
        assert (quantized.root / "out" / soft.name).read_bytes() == mask
        assert (
            load_tensors(quantized.root / f"data/embeddings/{soft.stem}.safetensors")[
                "embedding"
            ].dtype
            == torch.int8
        )


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["a.png", "a.jpg"], "its mask would replace that of"),
        ([], "no images found; supported are"),
    ],
)
def test_invalid_folders_are_rejected_before_anything_is_written(
    trained: Workspace, tmp_path: Path, names, message
):
    (tmp_path / "in").mkdir()
    for name in names:
        write_image(tmp_path / "in" / name, np.zeros((8, 8), np.uint8))
    printed = trained.run(
        "python",
        "stages/predict.py",
        str(tmp_path / "in"),
        "--out",
        str(tmp_path / "out"),
        status=1,
    )
    assert message in printed
    assert not (tmp_path / "out").exists()


def test_predict_needs_only_the_image_and_the_model(trained: Workspace, tmp_path: Path):
    model, image = tmp_path / "model.safetensors", tmp_path / "a.png"
    shutil.copyfile(trained.root / "data/model/prompt_module.safetensors", model)
    write_image(image, draw_phantom(np.random.default_rng(3)).image)
    elsewhere = Workspace(tmp_path)
    script = str(trained.root / "stages/predict.py")
    elsewhere.run("python", script, "a.png", "--out", "out", "--model", str(model))
    assert (tmp_path / "out/a.png").is_file()


def test_images_are_never_overwritten_by_masks(trained: Workspace, tmp_path: Path):
    write_image(tmp_path / "in/a.png", draw_phantom(np.random.default_rng(3)).image)
    before = (tmp_path / "in/a.png").read_bytes()
    printed = trained.run(
        "python", "stages/predict.py", str(tmp_path / "in"), "--out", str(tmp_path / "in"), status=1
    )
    assert "the folder contains the image" in printed
    assert (tmp_path / "in/a.png").read_bytes() == before
