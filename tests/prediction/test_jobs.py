"""The list of images to predict, and inputs that are rejected before anything is written."""

from pathlib import Path

import pytest

from automedsam.prediction.jobs import list_jobs
from automedsam.runtime.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_masks_are_placed_like_their_images_and_inputs_are_joined(tmp_path: Path):
    folder = touch(tmp_path / "in", "b.jpg", "p1/a.nii.gz", "notes.txt")
    single = touch(tmp_path, "single.tif") / "single.tif"
    assert list_jobs([folder, single], tmp_path / "out") == {
        Path("b.png"): folder / "b.jpg",
        Path("p1/a.nii.gz"): folder / "p1/a.nii.gz",
        Path("single.tif"): single,
    }


def test_jobs_are_sorted(tmp_path: Path):
    folders = [touch(tmp_path / name, f"{name}.png") for name in ("b", "c", "a")]
    assert list(map(str, list_jobs(folders, tmp_path / "out"))) == ["a.png", "b.png", "c.png"]


def test_masks_of_an_earlier_run_are_not_jobs(tmp_path: Path):
    folder = touch(
        tmp_path, "a.png", "masks/a.png", "masks/soft/a.png", "masks/overlays/v.nii.gz/s000.png"
    )
    assert list_jobs([folder], tmp_path / "masks") == {Path("a.png"): tmp_path / "a.png"}


def test_a_missing_path_is_rejected(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.png: no such file or folder$"):
        list_jobs([tmp_path / "gone.png"], tmp_path / "out")


def test_a_folder_without_images_is_rejected(tmp_path: Path):
    folder = touch(tmp_path / "in", "notes.txt")
    with pytest.raises(InputError, match=r"in: no images found; supported are \.png, "):
        list_jobs([folder], tmp_path / "out")


def test_images_with_the_same_mask_are_rejected(tmp_path: Path):
    folder = touch(tmp_path / "in", "a.png", "a.jpg")
    with pytest.raises(InputError) as caught:
        list_jobs([folder], tmp_path / "out")
    assert str(caught.value) == (
        f"{folder / 'a.png'}: its mask would replace that of {folder / 'a.jpg'}, a.png; "
        "rename one image"
    )


@pytest.mark.parametrize("out", [".", "..", "../in", "p1/.."])
@pytest.mark.parametrize("given", [".", "p1/a.png"])
def test_masks_are_never_written_beside_images(tmp_path: Path, out: str, given: str):
    folder = touch(tmp_path / "in", "p1/a.png")
    with pytest.raises(
        InputError,
        match=r"^--out .*: the folder contains the image .*a\.png; choose another one$",
    ):
        list_jobs([folder / given], folder / out)


@pytest.mark.parametrize("reserved", ["soft", "overlays"])
def test_folders_named_like_other_outputs_are_rejected(tmp_path: Path, reserved: str):
    folder, out = touch(tmp_path / "in", f"{reserved}/a.png", "b.png"), tmp_path / "out"
    with pytest.raises(InputError) as caught:
        list_jobs([folder], out)
    assert str(caught.value) == (
        f"{folder / reserved / 'a.png'}: rename its folder, because {out / reserved} is used for "
        "other outputs"
    )
    # Neither the images of that folder on their own nor such file names are a problem.
    assert list_jobs([folder / reserved], out)
    others = touch(tmp_path / "others", f"{reserved}.png", f"p1/{reserved}/a.png")
    assert len(list_jobs([others], out)) == 2
