"""Which mask goes where, and what is refused before anything is predicted or written."""

from pathlib import Path

import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.framing import Framing
from automedsam.scans.intensity import Intensity
from automedsam.scans.prepared_scan import Preparation
from predict import list_jobs, refuse_to_overwrite, used_preparation


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_masks_lie_like_their_images_and_several_inputs_are_joined(tmp_path: Path):
    folder = touch(tmp_path / "in", "b.jpg", "p1/a.nii.gz", "notes.txt")
    alone = touch(tmp_path, "alone.tif") / "alone.tif"
    assert list_jobs([folder, alone], tmp_path / "out") == {
        Path("alone.tif"): alone,
        Path("b.png"): folder / "b.jpg",
        Path("p1/a.nii.gz"): folder / "p1/a.nii.gz",
    }


def test_what_an_earlier_run_wrote_is_no_scan(tmp_path: Path):
    folder = touch(
        tmp_path, "a.png", "masks/a.png", "masks/soft/a.png", "masks/overlays/v.nii.gz/s000.png"
    )
    jobs = list_jobs([folder], tmp_path / "masks")
    assert jobs == {Path("a.png"): tmp_path / "a.png"}
    refuse_to_overwrite(jobs, tmp_path / "masks")


def test_a_path_that_is_not_there_is_told(tmp_path: Path):
    with pytest.raises(
        InputError, match=r"gone\.png: expected an image or a folder, found no such path"
    ):
        list_jobs([tmp_path / "gone.png"], tmp_path / "out")


@pytest.mark.parametrize("out", [".", "..", "../in", "p1/.."])
@pytest.mark.parametrize("given", [".", "p1/a.png"])
def test_masks_are_never_written_where_images_lie(tmp_path: Path, out: str, given: str):
    folder = touch(tmp_path / "in", "p1/a.png")
    jobs = list_jobs([folder / given], folder / out)
    with pytest.raises(
        InputError,
        match=r"^--out .*: expected another folder than the images', found .*a\.png in it$",
    ):
        refuse_to_overwrite(jobs, folder / out)


@pytest.mark.parametrize("aside", ["soft", "overlays"])
def test_images_in_a_folder_named_like_what_lies_beside_the_masks_are_refused(
    tmp_path: Path, aside: str
):
    folder, out = touch(tmp_path / "in", f"{aside}/a.png", "b.png"), tmp_path / "out"
    with pytest.raises(InputError) as told:
        refuse_to_overwrite(list_jobs([folder], out), out)
    assert str(told.value) == (
        f"{folder / aside / 'a.png'}: expected no folder of that name, as OUT/{aside} is written to"
    )
    refuse_to_overwrite(list_jobs([folder / aside], out), out)  # its images alone are no trouble
    others = touch(tmp_path / "others", f"{aside}.png", f"p1/{aside}/a.png")
    refuse_to_overwrite(list_jobs([others], out), out)


def test_a_model_tells_how_its_images_were_prepared():
    preparation = Preparation("coronal", Intensity((-5.0, 9.0)), Framing(1.0, 256))
    assert used_preparation(Path("m"), {"preparation": preparation.to_json()}) == preparation


def test_a_model_that_does_not_tell_is_refused():
    with pytest.raises(InputError) as told:
        used_preparation(Path("old.safetensors"), {"backbone": "sam_tiny"})
    assert str(told.value) == (
        "old.safetensors: expected a model that tells how its images were prepared, found an older one"
    )
