"""Public data sets: fetched from this machine, unpacked inside their folder, and nothing half done or lost."""

import io
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

import download
from automedsam.datasets import public_downloads as public_data
from automedsam.datasets.public_downloads import DATASETS, unpack
from automedsam.runtime.downloads import Source
from automedsam.runtime.errors import InputError
from automedsam.runtime.script import run
from http_server import Server, sha256_of

CSV = b"filename,pixel size(mm),head circumference (mm)\n000_HC.png,0.07,44.3\n"


def zip_of(**files: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_a_zip_is_unpacked_beside_itself_and_what_is_there_is_left_alone(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/sub/two.txt": "2", "notes.txt": "new"}))
    (tmp_path / "notes.txt").write_text("mine")
    assert unpack(archive) == [tmp_path / "set"]
    there = {
        "set/one.txt": b"1",
        "set/sub/two.txt": b"2",
        "notes.txt": b"mine",
        "a.zip": archive.read_bytes(),
    }
    assert files_in(tmp_path) == there
    assert unpack(archive) == []
    assert files_in(tmp_path) == there


def test_a_former_folder_that_lacks_a_file_is_told(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/two.txt": "2"}))
    (tmp_path / "set").mkdir()
    with pytest.raises(
        InputError, match=r"a.zip: expected its set/one.txt in .*, found a former folder without it"
    ):
        unpack(archive)
    assert files_in(tmp_path).keys() == {"a.zip"}


@pytest.mark.parametrize("name", ["../escaped.txt", "/escaped.txt", "in/../../../escaped.txt"])
def test_names_in_a_zip_never_lead_out_of_its_folder(tmp_path, name):
    folder = tmp_path / "one/two"
    folder.mkdir(parents=True)
    (folder / "a.zip").write_bytes(zip_of(**{name: "evil"}))
    with pytest.raises(InputError, match=f"expected its {name} in"):
        unpack(folder / "a.zip")
    assert not Path("/escaped.txt").exists()
    assert {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*.txt")} == {
        ("one", "two")
    }


@pytest.mark.parametrize("content", [b"", b"<html>", zip_of(a="1" * 99)[:-30]])
def test_what_is_no_zip_is_told_and_nothing_of_it_stays(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(
        InputError, match=r"a.zip: expected a zip to unpack in its folder, found: .*not a zip"
    ):
        unpack(archive)
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_a_zip_that_breaks_midway_leaves_nothing_behind(tmp_path):
    content = zip_of(first="1", second="2" * 50)
    (tmp_path / "a.zip").write_bytes(content.replace(b"2" * 50, b"3" * 50))
    with pytest.raises(InputError, match="Bad CRC-32 for file 'second'"):
        unpack(tmp_path / "a.zip")
    assert [path.name for path in tmp_path.iterdir()] == ["a.zip"]


def test_hc18_is_registered_as_published():
    archive, table = DATASETS["hc18"]
    assert archive.url == "https://zenodo.org/records/1327317/files/training_set.zip"
    assert archive.sha256 == "fd20d7909df892cfbdc0850de18072dbdad4dc3bc0a57202d4cc818d4715de36"
    assert (
        table.url == "https://zenodo.org/records/1327317/files/training_set_pixel_size_and_HC.csv"
    )
    assert table.sha256 is None


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["download.py", *arguments])
    try:
        run(download.main)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def hc18(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, ...]:
    """HC18 in miniature takes the place of the true one; nothing else can be asked for."""
    content = zip_of(**{"training_set/000_HC.png": "image"})
    sources = (
        server.source("training_set.zip", content, sha256_of(content), len(content)),
        server.source("training_set_pixel_size_and_HC.csv", CSV),
    )
    monkeypatch.setitem(public_data.DATASETS, "hc18", sources)
    return sources


def test_the_script_fetches_unpacks_and_tells_licence_and_next_command(
    hc18, server, monkeypatch, tmp_path, capsys
):
    folder = tmp_path / "my sets"
    for unpacked in (str(folder / "training_set"), "nothing, as all of it was there"):
        assert run_script(monkeypatch, "hc18", "--to", str(folder)) == 0
        assert capsys.readouterr().out.splitlines() == [
            f"{folder / 'training_set.zip'}: sha256 as expected",
            f"unpacked: {unpacked}",
            f"{folder / 'training_set_pixel_size_and_HC.csv'}: no hash of it is known, so that none was checked",
            "licence: CC BY 4.0, somebody",
            f"next: dvc exp run -S dataset=hc18 -S 'data_dir={folder.as_posix()}'",
        ]
    assert server.asked == ["/training_set.zip", "/training_set_pixel_size_and_HC.csv"]
    assert files_in(folder) == {
        "training_set.zip": server.files["/training_set.zip"][0],
        "training_set/000_HC.png": b"image",
        "training_set_pixel_size_and_HC.csv": CSV,
    }


def test_the_script_ends_with_one_line_when_the_file_is_another(
    hc18, server, monkeypatch, tmp_path, capsys
):
    server.files["/training_set.zip"] = b"<html>", 6
    assert run_script(monkeypatch, "hc18", "--to", str(tmp_path)) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    advice = f"a file from elsewhere may be put at {tmp_path / 'training_set.zip'}"
    assert (
        told == f"download: {hc18[0].url}: expected {hc18[0].size_bytes} bytes, found 6; {advice}"
    )
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("dataset", ["acdc", "camus"])
def test_data_sets_to_be_had_by_hand_are_told_where(monkeypatch, tmp_path, capsys, dataset):
    assert run_script(monkeypatch, dataset, "--to", str(tmp_path / "new")) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert (
        f"found one to be had by hand from https://www.creatis.insa-lyon.fr/Challenge/{dataset}/"
        in told
    )
    assert not (tmp_path / "new").exists()


def test_an_unknown_data_set_is_refused_with_the_known_ones(monkeypatch, tmp_path, capsys):
    assert run_script(monkeypatch, "brats", "--to", str(tmp_path)) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("acdc", "camus", "hc18"))
