"""Downloads over real HTTP from this machine: checked, unpacked inside their folder, and nothing half done or lost."""

import hashlib
import io
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from zipfile import ZipFile

import pytest

import download
from automedsam import downloads
from automedsam.downloads import DATASETS, Source, fetch, unpack
from automedsam.errors import InputError
from automedsam.stage import run

CSV = b"filename,pixel size(mm),head circumference (mm)\n000_HC.png,0.07,44.3\n"


@dataclass
class Server:
    """What it serves, each with the length that it promises, and what it was asked for."""

    url: str = ""
    files: dict[str, tuple[bytes, int]] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)

    def source(self, name: str, content: bytes, sha256: str | None = None, size_bytes: int | None = None) -> Source:
        self.files[f"/{name}"] = content, len(content)
        return Source(f"{self.url}/{name}", sha256, size_bytes, "CC BY 4.0, somebody")


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    served = Server()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            content, length = served.files.get(self.path, (b"sorry", 5))
            self.send_response(200 if self.path in served.files else 404)
            self.send_header("Content-Length", str(length))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        served.url = f"http://127.0.0.1:{http.server_port}"
        thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield served
        http.shutdown()
        thread.join()


def zip_of(**files: str) -> bytes:
    content = io.BytesIO()
    with ZipFile(content, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)
    return content.getvalue()


def sha256_of(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def files_in(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("known", [True, False])
def test_a_file_is_fetched_once(server, tmp_path, known):
    source = server.source("a.csv", b"one", *((sha256_of(b"one"), 3) if known else ()))
    for _ in range(2):
        assert fetch(source, tmp_path / "new/folder") == tmp_path / "new/folder/a.csv"
        assert files_in(tmp_path) == {"new/folder/a.csv": b"one"}
    assert server.asked == ["/a.csv"]


def test_a_question_in_the_address_is_no_part_of_the_name(server, tmp_path):
    assert fetch(server.source("a.csv?download=1", b"one"), tmp_path).name == "a.csv"


def test_a_wrong_file_of_former_times_is_replaced(server, tmp_path):
    (tmp_path / "a.csv").write_text("half of")
    fetch(server.source("a.csv", b"one", sha256_of(b"one")), tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"one"}


def faulty(server: Server, kind: str) -> tuple[Source, str]:
    """A source that cannot be fetched, and what is to be told of it after its address."""
    if kind == "hash":
        found = sha256_of(b"content")
        return server.source("a.csv", b"content", "12ab"), f"expected sha256 12ab, found {found}"
    if kind == "size":
        return server.source("a.csv", b"content", size_bytes=9), "expected 9 bytes, found 7"
    source = server.source("a.csv", b"content", sha256_of(b"content"))
    if kind == "truncated":
        server.files["/a.csv"] = b"cont", 7
        return source, "expected to download it, found: .*4 bytes read, 3 more expected.*"
    if kind == "absent":
        server.files.clear()
        return source, "expected to download it, found: 404 Client Error.*"
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/a.csv"
    return replace(source, url=url), "expected to download it, found: .*refused.*"


@pytest.mark.parametrize("former", [None, b"mine"])
@pytest.mark.parametrize("kind", ["hash", "size", "truncated", "absent", "no network"])
def test_a_failed_download_is_told_in_a_line_and_leaves_all_as_it_was(server, tmp_path, kind, former):
    source, told = faulty(server, kind)
    if former:
        (tmp_path / "a.csv").write_bytes(former)
    with pytest.raises(InputError, match=rf"^{source.url}: {told}$"):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == ({"a.csv": former} if former else {})


def test_a_folder_that_cannot_be_written_to_is_told(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"a.csv: expected to download it, found: .*Errno.*file.*put at .*a.csv$"):
        fetch(server.source("a.csv", b"one"), tmp_path / "file/sub")


def test_a_zip_is_unpacked_beside_itself_and_what_is_there_is_left_alone(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/sub/two.txt": "2", "notes.txt": "new"}))
    (tmp_path / "notes.txt").write_text("mine")
    assert unpack(archive) == [tmp_path / "set"]
    there = {"set/one.txt": b"1", "set/sub/two.txt": b"2", "notes.txt": b"mine", "a.zip": archive.read_bytes()}
    assert files_in(tmp_path) == there
    assert unpack(archive) == []
    assert files_in(tmp_path) == there


def test_a_former_folder_that_lacks_a_file_is_told(tmp_path):
    archive = tmp_path / "a.zip"
    archive.write_bytes(zip_of(**{"set/one.txt": "1", "set/two.txt": "2"}))
    (tmp_path / "set").mkdir()
    with pytest.raises(InputError, match=r"a.zip: expected its set/one.txt in .*, found a former folder without it"):
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
    assert {path.relative_to(tmp_path).parts[:2] for path in tmp_path.rglob("*.txt")} == {("one", "two")}


@pytest.mark.parametrize("content", [b"", b"<html>", zip_of(a="1" * 99)[:-30]])
def test_what_is_no_zip_is_told_and_nothing_of_it_stays(tmp_path, content):
    archive = tmp_path / "a.zip"
    archive.write_bytes(content)
    with pytest.raises(InputError, match=r"a.zip: expected a zip to unpack in its folder, found: .*not a zip"):
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
    assert table.url == "https://zenodo.org/records/1327317/files/training_set_pixel_size_and_HC.csv"
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
    monkeypatch.setitem(downloads.DATASETS, "hc18", sources)
    return sources


def test_the_script_fetches_unpacks_and_tells_licence_and_next_command(hc18, server, monkeypatch, tmp_path, capsys):
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


def test_the_script_ends_with_one_line_when_the_file_is_another(hc18, server, monkeypatch, tmp_path, capsys):
    server.files["/training_set.zip"] = b"<html>", 6
    assert run_script(monkeypatch, "hc18", "--to", str(tmp_path)) == 1
    told = capsys.readouterr().err.splitlines()[-1]
    assert told == f"download: {hc18[0].url}: expected {hc18[0].size_bytes} bytes, found 6"
    assert files_in(tmp_path) == {}


@pytest.mark.parametrize("dataset", ["acdc", "camus"])
def test_data_sets_to_be_had_by_hand_are_told_where(monkeypatch, tmp_path, capsys, dataset):
    assert run_script(monkeypatch, dataset, "--to", str(tmp_path / "new")) == 1
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    assert f"found one to be had by hand from https://www.creatis.insa-lyon.fr/Challenge/{dataset}/" in told
    assert not (tmp_path / "new").exists()


def test_an_unknown_data_set_is_refused_with_the_known_ones(monkeypatch, tmp_path, capsys):
    assert run_script(monkeypatch, "brats", "--to", str(tmp_path)) == 2
    told = capsys.readouterr().err
    assert all(name in told for name in ("acdc", "camus", "hc18"))
