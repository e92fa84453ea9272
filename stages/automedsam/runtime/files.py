"""Writing that is done wholly or not at all, and never with a number that is none."""

import json
import math
import os
import shutil
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from numbers import Integral, Real
from pathlib import Path

import pandas as pd

from automedsam.runtime.errors import InputError


@contextmanager
def atomic_folder(path: Path) -> Iterator[Path]:
    """A new, empty folder to fill, which takes the place of `path` when the block ends well, and else vanishes."""
    building, former = (
        path.with_name(f".{path.name}.{os.getpid()}.{kind}.tmp") for kind in ("new", "old")
    )
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
        if path.exists():
            path.rename(former)
        building.rename(path)
    finally:
        if former.exists() and not path.exists():
            former.rename(path)
        shutil.rmtree(former, ignore_errors=True)
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """A name to write to, which takes the place of `path` when the block ends well, and else vanishes."""
    path.parent.mkdir(parents=True, exist_ok=True)
    building = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        yield building
        with building.open("rb+") as file:
            os.fsync(file.fileno())  # or a power cut may leave the name without the content
        os.replace(building, path)
    finally:
        building.unlink(missing_ok=True)


def write_metrics(path: Path, metrics: Mapping[str, float | int]) -> None:
    """Write a JSON of numbers. DVC says nothing of a NaN or a gap: neither may get there.

    Raises:
      InputError: naming the numbers that are not finite.
    """
    _check_finite(path, [metrics])
    with atomic_file(path) as building:
        building.write_text(
            json.dumps(_rounded(metrics), indent=2) + "\n", encoding="utf-8", newline="\n"
        )


def write_table(
    path: Path,
    rows: Sequence[Mapping[str, float | int | str | None]],
    columns: Sequence[str] | None = None,
) -> None:
    """Write a CSV, a row a mapping; None, or a column that a row lacks, is an empty field.

    Args:
      columns: None takes those of the rows, as they come.

    Raises:
      InputError: naming the row and the number that is not finite.
    """
    _check_finite(path, rows)
    with atomic_file(path) as building:
        # As objects: a whole number stays one also beside an empty field.
        table = pd.DataFrame([_rounded(row) for row in rows], columns=columns, dtype=object)
        table.to_csv(building, index=False, lineterminator="\n")


def _check_finite(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    bad = [
        f"row {number}, {key}: {value}"
        for number, row in enumerate(rows, start=1)
        for key, value in row.items()
        if isinstance(value, Real) and not math.isfinite(value)
    ]
    if bad:
        raise InputError(f"{path}: expected finite numbers, found {'; '.join(bad)}")


def _rounded(row: Mapping[str, object]) -> dict[str, object]:
    return {key: _plain(value) for key, value in row.items()}


def _plain(value: object) -> object:
    """Numbers as Python's own, of six significant digits if they are no whole ones: more than any of these means."""
    if isinstance(value, Integral):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, Real) else value
