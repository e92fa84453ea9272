"""Folders in names of images: those of tools, and those of patients."""

import pytest

from automedsam.datasets.annotations.folder_names import may_be_in_folder, may_be_same_folder


@pytest.mark.parametrize(
    ("one", "other", "expected"),
    [
        ("", "p1", True),
        ("images/labels", "p1", True),
        ("p1", "p2", False),
        ("p1/images", "p1", True),
        ("images/p1", "p1/labels", True),
        ("site/p1/images", "p1", True),
        ("site/p1", "p1/site", False),
        ("train", "val", False),
        ("train/p1", "train/images/p1", True),
        ("train/p1", "val/p1", False),
        ("C:/data", "p1", True),
    ],
)
def test_folders_of_tools_may_differ(one: str, other: str, expected: bool):
    assert may_be_same_folder(one, other) is expected
    assert may_be_same_folder(other, one) is expected


@pytest.mark.parametrize(
    ("folders", "expected"),
    [
        ("", True),
        ("images", True),
        ("train", True),
        ("val", False),
        ("p1", True),
        ("data/p1/labels", True),
        ("p2", False),
        ("p2/images", False),
        ("study/p1", True),
        ("test/study/p1/images/train", True),
        ("other/p1", False),
        ("home/test/study/p1/images/train", True),
    ],
)
def test_all_folders_above_an_image_count(folders: str, expected: bool):
    assert may_be_in_folder(folders, "/home/test/study/p1/images/train") is expected
