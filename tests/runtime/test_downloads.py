"""Downloads over real HTTP from this machine: checked, gone on with after a cut, and nothing wrong or lost."""

import json
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from threading import Thread

import pytest

from automedsam.runtime.downloads import Source, fetch
from automedsam.runtime.errors import InputError
from http_server import Server, sha256_of
from repository import STAGES

BIG = bytes(range(256)) * 1200  # 307,200: several of the pieces that are written at once
FETCH = """
import sys, json
from pathlib import Path
from automedsam.runtime.downloads import Source, fetch
from automedsam.runtime.script import run
run(lambda: print(fetch(Source(**json.loads(sys.argv[1])), Path(sys.argv[2]))))
"""


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def start_fetch(source: Source, folder: Path, before: str = "") -> subprocess.Popen[str]:
    command = [sys.executable, "-c", before + FETCH, json.dumps(asdict(source)), str(folder)]
    return subprocess.Popen(
        command, cwd=STAGES, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


@pytest.mark.parametrize("known", [True, False])
def test_a_file_is_fetched_once(server, tmp_path, known):
    source = server.source("a.csv", b"one", *((sha256_of(b"one"), 3) if known else ()))
    for _ in range(2):
        assert fetch(source, tmp_path / "new/folder") == tmp_path / "new/folder/a.csv"
        assert files_in(tmp_path) == {"new/folder/a.csv": b"one"}
    assert server.asked == ["/a.csv"]


def test_what_is_downloaded_is_told_before_with_size_licence_and_place(server, tmp_path, capfd):
    source = replace(server.known_source("a.pth", BIG), licence="Apache-2.0, somebody")
    fetch(source, tmp_path)
    place = server.url.removeprefix("http://")
    told = capfd.readouterr().err.splitlines()[0]
    assert (
        told
        == f"downloading a.pth, 0 MB, from {place} to {tmp_path / 'a.pth'}; Apache-2.0, somebody"
    )
    fetch(source, tmp_path)
    assert capfd.readouterr() == ("", "")


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
    if kind == "web page":
        server.content_type = "text/html; charset=utf-8"
        return source, "expected to download it, found: a web page"
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/a.csv"
    return replace(source, url=url), "expected to download it, found: .*refused.*"


@pytest.mark.parametrize("former", [None, b"mine"])
@pytest.mark.parametrize("kind", ["hash", "size", "truncated", "absent", "web page", "no network"])
def test_a_failed_download_is_told_in_a_line_and_leaves_all_as_it_was(
    server, tmp_path, kind, former
):
    source, told = faulty(server, kind)
    path = tmp_path / "a.csv"
    if former:
        path.write_bytes(former)
        told = f"{path}: expected .*, found .*; {source.url}: {told}"
    else:
        told = f"{source.url}: {told}"
    with pytest.raises(InputError, match=rf"^{told}; a file from elsewhere may be put at {path}$"):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == ({"a.csv": former} if former else {})


def test_a_download_that_was_cut_goes_on_where_it_was(server, tmp_path, capfd):
    source = server.known_source("a.pth", BIG)
    server.files["/a.pth"] = BIG[:200_000], len(BIG)
    with pytest.raises(
        InputError, match=r"a\.pth: expected to download it, found: .*more expected"
    ):
        fetch(source, tmp_path)
    beginning = files_in(tmp_path)["a.pth.part"]
    assert len(beginning) > 100_000
    assert BIG.startswith(beginning)
    server.files["/a.pth"] = (
        b"x" * 1000 + BIG[1000:],
        len(BIG),
    )  # what is here is not asked for again
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges == [None, f"bytes={len(beginning)}-"]
    assert "0 MB of it are here" in capfd.readouterr().err


def test_a_server_without_ranges_starts_over(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    server.has_ranges = False
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges == ["bytes=1000-"]


def test_a_web_page_does_not_cost_the_beginning(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    server.has_ranges, server.content_type = False, "text/html"
    with pytest.raises(InputError, match="found: a web page"):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth.part": BIG[:1000]}


@pytest.mark.parametrize("beginning", [b"wrong" * 1000, BIG[1:], BIG + b"more", BIG[1:] + b"x"])
@pytest.mark.parametrize("has_size", [True, False])
def test_a_wrong_beginning_is_found_out_and_the_whole_fetched_anew(
    server, tmp_path, beginning, has_size
):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(beginning)
    fetch(source if has_size else replace(source, size_bytes=None), tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges[-1] is None


def test_a_beginning_that_ends_up_wrong_is_removed(server, tmp_path):
    source = replace(server.known_source("a.pth", BIG), sha256="12ab")
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    with pytest.raises(
        InputError, match=rf"^{source.url}: expected sha256 12ab, found {sha256_of(BIG)}; a file"
    ):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == {}


def test_a_beginning_that_is_the_whole_is_taken(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG)
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.asked == []


def test_a_beginning_of_a_file_without_a_known_hash_is_not_trusted(server, tmp_path):
    (tmp_path / "a.csv.part").write_bytes(b"on")
    fetch(server.source("a.csv", b"another"), tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"another"}
    server.files["/b.csv"] = BIG[:200_000], len(BIG)
    with pytest.raises(InputError, match="more expected"):
        fetch(
            Source(f"{server.url}/b.csv", None, None, "", mirrors=(f"{server.url}/gone",)), tmp_path
        )
    assert files_in(tmp_path) == {"a.csv": b"another"}


def test_addresses_are_tried_in_order_and_go_on_with_one_file(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    server.files["/cut"] = BIG[:200_000], len(BIG)
    server.files["/wrong"] = b"x" * len(BIG), len(BIG)
    other = replace(
        source, url=f"{server.url}/gone/a.pth", mirrors=(f"{server.url}/cut", source.url)
    )
    fetch(other, tmp_path)
    assert server.asked == ["/gone/a.pth", "/cut", "/a.pth"]
    assert server.ranges[:2] == [None, None]
    assert server.ranges[2] is not None
    fetch(replace(source, url=f"{server.url}/wrong", mirrors=(source.url,)), tmp_path / "again")
    assert files_in(tmp_path) == {"a.pth": BIG, "again/wrong": BIG}


def test_all_addresses_and_the_page_are_told_when_none_has_the_file(server, tmp_path):
    source = Source(
        f"{server.url}/a",
        "12",
        None,
        "",
        mirrors=(f"{server.url}/b",),
        by_hand="https://example.org/c",
    )
    told = (
        rf"^{server.url}/a: .*404.*; {server.url}/b: .*404.*; by hand it is to be had from https://example.org/c; "
        rf"a file from elsewhere may be put at {tmp_path / 'a'}$"
    )
    with pytest.raises(InputError, match=told):
        fetch(source, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_stopped_process_is_gone_on_with(server, tmp_path, number, status):
    source = server.known_source("a.pth", BIG)
    server.pause_at = 200_000
    process = start_fetch(source, tmp_path)
    partial = tmp_path / "a.pth.part"
    wait_for(lambda: partial.exists() and partial.stat().st_size > 100_000)
    process.send_signal(getattr(signal, number))
    _, told = process.communicate(timeout=30)
    assert process.returncode == status
    assert ("stopped by hand" in told) == (number == "SIGINT")
    length = partial.stat().st_size
    server.pause_at = None
    fetch(source, tmp_path)
    assert server.ranges == [None, f"bytes={length}-"]
    assert files_in(tmp_path) == {"a.pth": BIG}


def test_of_two_processes_one_downloads_and_the_other_takes_the_same_file(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    server.pause_at = 200_000
    first = start_fetch(source, tmp_path)
    wait_for(lambda: server.asked == ["/a.pth"])
    second = start_fetch(source, tmp_path)
    told: list[str] = []
    reader = Thread(target=lambda: told.append(second.stderr.readline()))
    reader.start()
    reader.join(30)
    assert told == [f"{tmp_path / 'a.pth'}: another process is fetching it, waiting\n"]
    server.may_go_on.set()
    for process in (first, second):
        printed, _ = process.communicate(timeout=30)
        assert (process.returncode, printed) == (0, f"{tmp_path / 'a.pth'}\n")
    assert server.asked == ["/a.pth"]
    assert files_in(tmp_path) == {"a.pth": BIG}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_a_full_disk_is_told_in_a_line_and_what_has_come_is_kept(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    process = start_fetch(source, tmp_path, before=limit)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 1
    expected = (
        f"-c: {tmp_path / 'a.pth'}: expected to write it there, found: [Errno 27] File too large"
    )
    assert told.splitlines()[-1] == expected
    fetch(source, tmp_path)
    assert server.ranges == [None, "bytes=150000-"]
    assert files_in(tmp_path) == {"a.pth": BIG}


def test_a_folder_that_cannot_be_written_to_is_told(server, tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(
        InputError, match=r"a.csv: expected to write it there, found: .*Errno.*Not a directory"
    ):
        fetch(server.source("a.csv", b"one"), tmp_path / "file/sub")
    assert server.asked == []
