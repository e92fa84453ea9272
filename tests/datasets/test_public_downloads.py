"""Sources of public data sets, and the safe unpacking of archives."""

from pathlib import Path

import pytest

from automedsam.datasets.public_downloads import DATASETS, unpack
from automedsam.runtime.errors import InputError
from zip_files import files_in, zip_of


def test_unpack_keeps_existing_files(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/sub/two.txt": "2", "notes.txt": "new"}))
    (tmp_path / "notes.txt").write_text("mine")
    assert unpack(archive) == [tmp_path / "set"]
    expected = {
        "set/one.txt": b"1",
        "set/sub/two.txt": b"2",
        "notes.txt": b"mine",
        "a.zip": archive.read_bytes(),
    }
    assert files_in(tmp_path) == expected
    assert unpack(archive) == []
    assert files_in(tmp_path) == expected


def test_unpack_rejects_an_incomplete_older_copy(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/two.txt": "2"}))
    (tmp_path / "set").mkdir()
    with pytest.raises(
        InputError, match=r"a.zip: set/one.txt is missing from the copy in .*; move"
    ):
        unpack(archive)
    assert files_in(tmp_path).keys() == {"a.zip"}


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "in/../../../escaped.txt"])
def test_unpack_writes_nothing_outside_of_the_folder(tmp_path, name):
    folder = tmp_path / "one/two"
    folder.mkdir(parents=True)
    (folder / "a.zip").write_bytes(zip_of(**{name: "evil"}))
    with pytest.raises(InputError, match=f"{name} is missing from the copy in"):
        unpack(folder / "a.zip")
    assert not Path("/escaped.txt").exists()
    assert {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*.txt")} == {
        ("one", "two")
    }


@pytest.mark.parametrize("content", [b"", b"<html>", zip_of(a="1" * 99)[:-30]])
def test_unpack_rejects_other_files_and_leaves_no_traces(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"a.zip: cannot unpack: .*not a zip"):
        unpack(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_unpack_of_a_damaged_zip_leaves_no_traces(tmp_path):
    content = zip_of(first="1", second="2" * 50)
    (tmp_path / "a.zip").write_bytes(content.replace(b"2" * 50, b"3" * 50))
    with pytest.raises(InputError, match="Bad CRC-32 for file 'second'"):
        unpack(tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_hc18_has_the_published_sources():
    archive, table = DATASETS["hc18"]
    assert archive.urls == ("https://zenodo.org/records/1327317/files/training_set.zip",)
    assert archive.sha256 == "fd20d7909df892cfbdc0850de18072dbdad4dc3bc0a57202d4cc818d4715de36"
    assert table.urls == (
        "https://zenodo.org/records/1327317/files/training_set_pixel_size_and_HC.csv",
    )
    assert table.sha256 is None
