"""Finding and naming scans, links, and files that are not read."""

import os
import sys
from pathlib import Path

import pytest

from automedsam.runtime.errors import InputError
from automedsam.scans.finding import describe_unread, search_folder, shorten_name

needs_links = pytest.mark.skipif(sys.platform == "win32", reason="links require permissions")


def touch(folder: Path, *names: str) -> Path:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()
    return folder


def test_search_folder_ignores_hidden_files_and_folders(tmp_path):
    visible = [
        "a.png",
        "b.JPG",
        "c.jpeg",
        "d.tif",
        "e.TIFF",
        "one/two/f.nii",
        "one/g.nii.gz",
        "one/h.NII.GZ",
    ]
    touch(
        tmp_path,
        *visible,
        ".hidden/i.png",
        "one/.j.png",
        "._a.png",
        "k.gz",
        "l.txt",
        "png",
        "m.npy",
        "n.nii.bz2",
    )
    (tmp_path / "folder.png").mkdir()
    assert search_folder(tmp_path).scans == sorted(tmp_path / name for name in visible)


def test_search_folder_searches_below_a_hidden_folder(tmp_path):
    touch(tmp_path, ".cache/images/a.png")
    assert search_folder(tmp_path / ".cache/images").scans == [tmp_path / ".cache/images/a.png"]


def test_by_name_uses_the_path_without_suffix(tmp_path):
    touch(tmp_path, "b.c.nii.gz", "a.NII", "one/two/a.png", "one/a.tiff")
    assert search_folder(tmp_path).by_name() == {
        "a": tmp_path / "a.NII",
        "b.c": tmp_path / "b.c.nii.gz",
        "one__a": tmp_path / "one/a.tiff",
        "one__two__a": tmp_path / "one/two/a.png",
    }
    assert list(search_folder(tmp_path).by_name()) == ["a", "b.c", "one__a", "one__two__a"]


def test_by_name_reports_all_equal_names_together(tmp_path):
    touch(tmp_path, "a.png", "a.nii.gz", "one/b.tif", "one__b.jpg", "c.png")
    with pytest.raises(InputError) as caught:
        search_folder(tmp_path).by_name()
    assert str(caught.value) == (
        f"{tmp_path / 'a.nii.gz'}, {tmp_path / 'a.png'}: scans must have different names; "
        f"{tmp_path / 'one/b.tif'}, {tmp_path / 'one__b.jpg'}: scans must have different names"
    )


@pytest.mark.parametrize("folder", [".", "absent"])
def test_by_name_rejects_a_folder_without_scans(tmp_path, folder):
    touch(tmp_path, "notes.txt", ".a.png")
    with pytest.raises(
        InputError,
        match=r": no \.png, .*\.nii\.gz.* files; check dataset, data_dir and annotations",
    ):
        search_folder(tmp_path / folder).by_name()


@needs_links
def test_linked_folders_are_searched(tmp_path):
    folder = touch(tmp_path / "in", "a.png")
    touch(tmp_path / "elsewhere", "one/b.png", "notes.txt")
    (folder / "p2").symlink_to(tmp_path / "elsewhere")
    found = search_folder(folder)
    assert found.scans == [folder / "a.png", folder / "p2/one/b.png"]
    assert (found.unread, found.notes) == ([], [])
    assert list(found.by_name()) == ["a", "p2__one__b"]


@needs_links
def test_links_never_lead_to_the_same_folder_twice(tmp_path):
    folder = touch(tmp_path / "in", "p1/a.png", "p2/b.png")
    touch(tmp_path / "other", "c.png")
    (folder / "latest").symlink_to("p1")
    (folder / "p2/loop").symlink_to(folder / "p2")
    (folder / "up").symlink_to("..")
    (folder / "x").symlink_to(tmp_path / "other")
    (folder / "y").symlink_to(tmp_path / "other")
    (tmp_path / "other/back").symlink_to(folder)
    found = search_folder(folder)
    assert found.scans == [folder / "p1/a.png", folder / "p2/b.png", folder / "x/c.png"]
    assert sorted(found.notes) == sorted(
        [
            f"{folder / 'latest'}: not followed, because {folder / 'p1'} is read already",
            f"{folder / 'p2/loop'}: not followed, because {folder / 'p2'} is read already",
            f"{folder / 'up'}: not followed, because {tmp_path} contains {folder}",
            f"{folder / 'y'}: not followed, because {tmp_path / 'other'} is read already",
            f"{folder / 'x/back'}: not followed, because {folder} is read already",
        ]
    )


@needs_links
def test_linked_files_are_scans_even_if_they_are_missing(tmp_path):
    folder = touch(tmp_path / "in", "a.png")
    (folder / "b.png").symlink_to("a.png")
    (folder / "c.nii.gz").symlink_to("gone")
    (folder / "p2").symlink_to("gone")
    found = search_folder(folder)
    assert found.scans == [folder / "a.png", folder / "b.png", folder / "c.nii.gz"]
    assert found.notes == [
        f"{folder / 'p2'}: left out, because the file that it links to is missing"
    ]


def test_files_in_other_formats_are_counted_unless_they_are_text(tmp_path):
    touch(tmp_path, "a.png", "b.mha", "p1/c.MHA", "d.nrrd", "IM0001", ".DS_Store", ".git/e.mha")
    touch(
        tmp_path, "notes.txt", "boxes.CSV", "README.md", "Thumbs.db", "LICENSE", "a.json", "v.xml"
    )
    unread = search_folder(tmp_path).unread
    assert unread == [tmp_path / name for name in ("IM0001", "b.mha", "d.nrrd", "p1/c.MHA")]
    assert describe_unread(unread) == "2 .mha, 1 .nrrd, 1 without suffix"
    assert describe_unread([]) == ""


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names must be UTF-8 there")
def test_names_that_are_not_utf_8_are_spelled_out(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.png")).touch()
    assert list(search_folder(tmp_path).by_name()) == ["caf%E9"]
    touch(tmp_path, "caf%E9.png")
    with pytest.raises(InputError, match="scans must have different names"):
        search_folder(tmp_path).by_name()


def test_long_names_are_shortened_and_remain_different(tmp_path):
    folders = "/".join(60 * "u" for _ in range(4))
    touch(tmp_path, f"p1/{folders}/a.png", f"p1/{folders}/b.png", f"p2/{folders}/a.png")
    found = search_folder(tmp_path)
    names = list(found.by_name())
    assert len(set(names)) == 3
    assert {len(name) for name in names} == {200}
    assert [name[:4] for name in names] == ["p1__", "p1__", "p2__"]
    full = found.full_name(found.by_name()[names[2]])
    assert full == "__".join(["p2", *folders.split("/"), "a"])
    assert shorten_name(full) == names[2]


def test_names_up_to_243_bytes_are_not_changed():
    assert shorten_name(243 * "a") == 243 * "a"
    assert shorten_name(81 * "\u65e5") == 81 * "\u65e5"  # three bytes each
    assert len(shorten_name(82 * "\u65e5").encode()) <= 200
