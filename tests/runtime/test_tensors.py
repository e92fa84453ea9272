"""Tensors on disk: round trip, equal bytes, and rejected files."""

import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import load_header, load_tensors, save_tensors

HEADER = {key: key.upper() for key in "abcdefgh"}


def test_tensors_and_header_survive_a_round_trip(tmp_path: Path) -> None:
    tensors = {"weight": torch.randn(3, 4), "half": torch.randn(5).half()}
    save_tensors(tmp_path / "x.safetensors", tensors, HEADER)
    found = load_tensors(tmp_path / "x.safetensors")
    assert load_header(tmp_path / "x.safetensors") == HEADER
    assert found.keys() == tensors.keys()
    assert all(
        torch.equal(found[key], tensors[key]) and found[key].dtype == tensors[key].dtype
        for key in tensors
    )


def test_save_tensors_is_byte_reproducible(tmp_path: Path) -> None:
    tensors = {name: torch.randn(3) for name in "abc"}
    for turn in range(10):
        save_tensors(
            tmp_path / f"{turn}", tensors, dict(sorted(HEADER.items(), reverse=turn % 2 == 0))
        )
    assert len({path.read_bytes() for path in tmp_path.iterdir()}) == 1


@pytest.mark.parametrize(
    "write",
    [
        pytest.param(lambda path: path.mkdir(), id="folder"),
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"no tensors at all"), id="garbage"),
        pytest.param(lambda path: save_file({"a": torch.zeros(2)}, path), id="no header"),
        pytest.param(
            lambda path: save_file({"a": torch.zeros(2)}, path, {"by": "others"}),
            id="header of another program",
        ),
    ],
)
def test_load_header_rejects_other_files(tmp_path: Path, write: Callable[[Path], object]) -> None:
    write(tmp_path / "x.safetensors")
    with pytest.raises(
        InputError,
        match=r"x\.safetensors: not a file that this pipeline wrote \(.*\); run `dvc repro`$",
    ):
        load_header(tmp_path / "x.safetensors")


def test_load_header_reports_a_missing_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"x\.safetensors: file not found; run `dvc repro`$"):
        load_header(tmp_path / "x.safetensors")


@pytest.mark.skipif(sys.platform == "win32", reason="there is no umask")
@pytest.mark.parametrize("umask", [0o022, 0o077, 0o002])
def test_the_mode_of_a_file_follows_the_umask(tmp_path: Path, umask: int) -> None:
    previous = os.umask(umask)
    try:
        save_tensors(tmp_path / "a.safetensors", {"a": torch.zeros(2)}, {})
    finally:
        os.umask(previous)
    assert (tmp_path / "a.safetensors").stat().st_mode & 0o777 == 0o666 & ~umask
