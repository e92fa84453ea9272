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
    assert list_jobs([folder, single], tmp_path / "out").scans == {
        Path("b.png"): folder / "b.jpg",
        Path("p1/a.nii.gz"): folder / "p1/a.nii.gz",
        Path("single.tif"): single,
    }


def test_jobs_are_sorted(tmp_path: Path):
    folders = [touch(tmp_path / name, f"{name}.png") for name in ("b", "c", "a")]
    assert list(map(str, list_jobs(folders, tmp_path / "out").scans)) == ["a.png", "b.png", "c.png"]


def test_masks_of_an_earlier_run_are_not_jobs(tmp_path: Path):
    folder = touch(
        tmp_path, "a.png", "masks/a.png", "masks/soft/a.png", "masks/overlays/v.nii.gz/s000.png"
    )
    touch(tmp_path, "masks/old.mha")
    jobs = list_jobs([folder], tmp_path / "masks")
    assert jobs.scans == {Path("a.png"): tmp_path / "a.png"}
    assert jobs.unread == []


def test_a_missing_path_is_rejected(tmp_path: Path):
    with pytest.raises(InputError, match=r"gone\.png: no such file or folder$"):
        list_jobs([tmp_path / "gone.png"], tmp_path / "out")


def test_a_folder_without_images_is_rejected(tmp_path: Path):
    folder = touch(tmp_path / "in", "notes.txt")
    with pytest.raises(InputError, match=r"in: no images found; supported are \.png, "):
        list_jobs([folder], tmp_path / "out")
    touch(folder, "a.mha")
    with pytest.raises(InputError, match=r"in: no images found beside 1 \.mha; supported are "):
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
    assert list_jobs([folder / reserved], out).scans
    others = touch(tmp_path / "others", f"{reserved}.png", f"p1/{reserved}/a.png")
    assert len(list_jobs([others], out).scans) == 2


def test_files_that_are_not_read_are_returned(tmp_path: Path):
    folder = touch(tmp_path / "in", "a.png", "b.mha", "p1/c.nrrd", "notes.txt")
    assert list_jobs([folder], tmp_path / "out").unread == [folder / "b.mha", folder / "p1/c.nrrd"]


def test_image_names_are_paths_below_the_folder(tmp_path: Path):
    folder = touch(tmp_path / "in", "b.jpg", "p1/a.nii.gz")
    jobs = list_jobs([folder], tmp_path / "out")
    assert [jobs.image_name(target) for target in jobs.scans] == ["b.jpg", "p1/a.nii.gz"]


@pytest.mark.parametrize("given", [".", "..", "series/.."])
def test_images_in_a_folder_that_is_given_as_dots(
    tmp_path: Path, given: str, monkeypatch: pytest.MonkeyPatch
):
    folder = touch(tmp_path / "in", "a.png", "series/b.png")
    monkeypatch.chdir(folder / "series" if given == ".." else folder)
    targets = set(list_jobs([Path(given)], tmp_path / "out").scans)
    assert targets == {Path("a.png"), Path("series/b.png")}
    assert set(list_jobs([Path(given)], tmp_path / "out").folders.values()) == {folder.resolve()}


def test_a_link_to_itself_is_listed_like_other_unreadable_images(tmp_path: Path):
    folder = touch(tmp_path / "in", "a.png")
    (folder / "self.png").symlink_to("self.png")
    assert [*list_jobs([folder], tmp_path / "out").scans] == [Path("a.png"), Path("self.png")]


@pytest.mark.parametrize("out", ["file", "file/inside", "file/far/inside"])
def test_an_output_folder_must_not_be_a_file(tmp_path: Path, out: str):
    folder = touch(tmp_path / "in", "a.png")
    existing = touch(tmp_path, "file") / "file"
    with pytest.raises(InputError) as caught:
        list_jobs([folder], tmp_path / out)
    assert str(caught.value) == (
        f"--out {tmp_path / out}: expected a folder, found the file {existing}"
    )


def test_an_output_folder_must_not_be_on_a_missing_drive(tmp_path: Path, monkeypatch):
    """Only Windows has drives that do not exist."""
    folder = touch(tmp_path / "in", "a.png")
    monkeypatch.setattr("os.path.lexists", lambda path: str(path).startswith(str(folder)))
    with pytest.raises(InputError) as caught:
        list_jobs([folder], tmp_path / "out")
    assert str(caught.value) == f"--out {tmp_path / 'out'}: {tmp_path.anchor} does not exist"


def test_a_path_that_is_too_long_is_rejected(tmp_path: Path):
    with pytest.raises(InputError, match=r"aa: no such file or folder$"):
        list_jobs([Path(5000 * "a")], tmp_path / "out")
