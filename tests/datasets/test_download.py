"""The command `download`, with a local server in place of the official addresses."""

import sys

import pytest

from automedsam.datasets import public_downloads
from automedsam.datasets.download import main
from automedsam.runtime.downloads import Source
from automedsam.runtime.script import run
from http_server import Server, sha256_of
from zip_files import files_in, zip_of

CSV = b"filename,pixel size(mm),head circumference (mm)\n000_HC.png,0.07,44.3\n"


def run_script(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["download.py", *arguments])
    try:
        run(main)
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


@pytest.fixture
def hc18(server: Server, monkeypatch: pytest.MonkeyPatch) -> tuple[Source, ...]:
    """Replace the sources of HC18 with a small local copy."""
    content = zip_of(**{"training_set/000_HC.png": "image"})
    sources = (
        server.source("training_set.zip", content, sha256_of(content), len(content)),
        server.source("training_set_pixel_size_and_HC.csv", CSV),
    )
    monkeypatch.setitem(public_downloads.DATASETS, "hc18", sources)
    return sources


def test_download_unpacks_and_prints_the_next_command(hc18, server, monkeypatch, tmp_path, capsys):
    folder = tmp_path / "my sets"
    for unpacked in (str(folder / "training_set"), "nothing, all files exist"):
        assert run_script(monkeypatch, "hc18", "--to", str(folder)) == 0
        table = folder / "training_set_pixel_size_and_HC.csv"
        assert capsys.readouterr().out.splitlines() == [
            f"{folder / 'training_set.zip'}: SHA-256 verified",
            f"unpacked: {unpacked}",
            f"{table}: not verified, its hash is unknown",
            "licence: CC BY 4.0, somebody",
            f"next: dvc exp run -S dataset=hc18 -S \"data_dir='{folder.as_posix()}'\"",
        ]
    assert server.asked == ["/training_set.zip", "/training_set_pixel_size_and_HC.csv"]
    assert files_in(folder) == {
        "training_set.zip": server.files["/training_set.zip"][0],
        "training_set/000_HC.png": b"image",
        "training_set_pixel_size_and_HC.csv": CSV,
    }


def test_download_reports_an_unexpected_file_in_one_line(
    hc18, server, monkeypatch, tmp_path, capsys
):
    server.files["/training_set.zip"] = b"<html>", 6
    assert run_script(monkeypatch, "hc18", "--to", str(tmp_path)) == 1
    message = capsys.readouterr().err.splitlines()[-1]
    assert message.startswith(
        f"download: {hc18[0].urls[0]}: expected {hc18[0].size_bytes} bytes, found 6; "
    )
    assert str(tmp_path / "training_set.zip") in message
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("dataset", ["acdc", "camus"])
def test_download_prints_where_to_download_by_hand(monkeypatch, tmp_path, capsys, dataset):
    assert run_script(monkeypatch, dataset, "--to", str(tmp_path / "new")) == 1
    message = capsys.readouterr().err
    assert message.count("\n") == 1
    page = f"https://www.creatis.insa-lyon.fr/Challenge/{dataset}/"
    assert f"download it by hand from {page}" in message
    assert not (tmp_path / "new").exists()


def test_download_rejects_an_unknown_data_set_with_the_known_ones(monkeypatch, tmp_path, capsys):
    assert run_script(monkeypatch, "brats", "--to", str(tmp_path)) == 2
    message = capsys.readouterr().err
    assert all(name in message for name in ("acdc", "camus", "hc18"))
