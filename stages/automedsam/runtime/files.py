"""Atomic file writing that rejects NaN and infinity."""

import hashlib
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
    """Yield a new, empty folder that replaces `path` if the block succeeds.

    If the block raises, the new folder is removed and `path` stays as it was.
    """
    building = path.with_name(f".{path.name}.{os.getpid()}.new.tmp")
    previous = path.with_name(f".{path.name}.{os.getpid()}.old.tmp")
    shutil.rmtree(building, ignore_errors=True)
    building.mkdir(parents=True)
    try:
        yield building
        if path.exists():
            path.rename(previous)
        building.rename(path)
    finally:
        if previous.exists() and not path.exists():
            previous.rename(path)
        shutil.rmtree(previous, ignore_errors=True)
        shutil.rmtree(building, ignore_errors=True)


@contextmanager
def atomic_file(path: Path) -> Iterator[Path]:
    """Yield a path to write to; the file replaces `path` if the block succeeds.

    If the block raises, the new file is removed and `path` stays as it was.

    Raises:
      InputError: If the file cannot be written.
    """
    # A name of a fixed length: that of the file may already be as long as a name can be.
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    building = path.with_name(f".{digest}.{os.getpid()}.tmp")
    with writing_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield building
            with building.open("rb+") as file:
                # Otherwise a power cut may leave the name without the content.
                os.fsync(file.fileno())
            os.replace(building, path)
        finally:
            building.unlink(missing_ok=True)


@contextmanager
def writing_errors(path: Path) -> Iterator[None]:
    """Turn an OSError in the block, such as a full disk, into an InputError that names the file."""
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot write the file ({error.strerror or error})") from error


def write_metrics(path: Path, metrics: Mapping[str, float | int]) -> None:
    """Write numbers as JSON, with six significant digits.

    DVC accepts NaN and missing metrics without a warning, so they are rejected here.

    Raises:
      InputError: If a number is not finite; the message names it.
    """
    _check_finite(path, [metrics])
    with atomic_file(path) as building:
        building.write_text(
            json.dumps(_round_row(metrics), indent=2) + "\n", encoding="utf-8", newline="\n"
        )


def write_table(
    path: Path,
    rows: Sequence[Mapping[str, float | int | str | None]],
    columns: Sequence[str] | None = None,
) -> None:
    """Write a CSV table, one row per mapping, with six significant digits.

    Args:
      path: File to write.
      rows: Values by column. None, and a column that a row lacks, become an empty field.
      columns: Columns to write, in this order; None writes the columns of the rows.

    Raises:
      InputError: If a number is not finite; the message names its row and column.
    """
    _check_finite(path, rows)
    with atomic_file(path) as building:
        # With dtype object a column of integers with an empty field is not converted to floats.
        table = pd.DataFrame([_round_row(row) for row in rows], columns=columns, dtype=object)
        # File names may contain bytes that are not UTF-8.
        table.to_csv(building, index=False, lineterminator="\n", errors="backslashreplace")


def _check_finite(path: Path, rows: Sequence[Mapping[str, object]]) -> None:
    faults = [
        f"row {number}, {key}: {value}"
        for number, row in enumerate(rows, start=1)
        for key, value in row.items()
        if isinstance(value, Real) and not math.isfinite(value)
    ]
    if faults:
        raise InputError(f"{path}: numbers must be finite, found {'; '.join(faults)}")


def _round_row(row: Mapping[str, object]) -> dict[str, object]:
    return {key: _round_value(value) for key, value in row.items()}


def _round_value(value: object) -> object:
    """Convert a number to Python's int, or to a float of six significant digits.

    Six digits exceed the accuracy of every score.
    """
    if isinstance(value, Integral):
        return int(value)
    return float(f"{value:.6g}") if isinstance(value, Real) else value
