"""Images and masks of the user's folder, and everything else in it."""

from pathlib import Path

import pytest

from automedsam.datasets.folder_files import find_files
from automedsam.runtime.errors import InputError


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_images_and_masks_are_named_alike(tmp_path):
    touch(tmp_path, "images/p1/a.jpg", "images/b.png", "masks/p1/a.png", "masks/b.tif")
    files = find_files(tmp_path, is_annotated=False)
    assert files.images == {
        "b": tmp_path / "images/b.png",
        "p1__a": tmp_path / "images/p1/a.jpg",
    }
    assert files.masks == {"b": tmp_path / "masks/b.tif", "p1__a": tmp_path / "masks/p1/a.png"}
    assert files.full_names == {"b": "b", "p1__a": "p1__a"}
    assert (files.unread, files.notes) == ([], [])


def test_images_may_be_stored_beside_masks_if_boxes_are_drawn(tmp_path):
    touch(tmp_path, "a.png", "b.png", "masks/a.png", "masks/c.mha", "boxes.csv")
    files = find_files(tmp_path, is_annotated=True)
    assert files.images_folder == tmp_path
    assert list(files.images) == ["a", "b"]
    assert list(files.masks) == ["a"]
    assert files.unread == [tmp_path / "masks/c.mha"]


def test_a_folder_without_masks_needs_annotations(tmp_path):
    touch(tmp_path, "images/a.png")
    assert find_files(tmp_path, is_annotated=True).masks == {}
    with pytest.raises(InputError, match=r"masks: no \.png, .* files"):
        find_files(tmp_path, is_annotated=False)


def test_masks_without_an_image_are_noted(tmp_path):
    touch(tmp_path, "images/a.png", "masks/a.png", "masks/b.png")
    for is_annotated in (True, False):
        assert find_files(tmp_path, is_annotated).notes == [
            "not used: 1 mask without an image of the same name: " + str(tmp_path / "masks/b.png")
        ]


def test_masks_pair_with_images_whose_names_are_shortened(tmp_path):
    folders = "/".join(60 * "u" for _ in range(4))
    touch(tmp_path, f"images/{folders}/a.jpg", f"masks/{folders}/a.png")
    files = find_files(tmp_path, is_annotated=False)
    (name,) = files.images
    assert files.masks == {name: tmp_path / "masks" / folders / "a.png"}
    assert files.full_names[name] == "__".join([*folders.split("/"), "a"])
