"""Annotation files as text: found below a folder, read, their numbers understood."""

import math
import re
from pathlib import Path

from automedsam.runtime.errors import InputError

WHOLE = re.compile(
    r"\s*([+-]?[0-9]{1,15})(\.0*)?\s*"
)  # 2.0 as well: tables with gaps turn whole numbers into that


def files_below(folder: Path, suffix: str) -> list[Path]:
    """The files of one suffix below a folder, in subfolders too, sorted; nothing hidden."""
    found = {
        path.relative_to(folder): path
        for path in folder.rglob("*")
        if path.name.lower().endswith(suffix) and path.is_file()
    }
    return [
        found[path]
        for path in sorted(found)
        if not any(part.startswith(".") for part in path.parts)
    ]


def read_text(path: Path) -> str:
    """A file in UTF-8, with or without a byte order mark, its line ends as they are.

    Raises:
      InputError: another encoding, or a file that cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: expected text in UTF-8, found a file that cannot be read ({error})"
        ) from error


def number(text: str | None) -> float | None:
    """The finite number that a text says; None if it says none."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole_number(text: str) -> int | None:
    """The whole number that a text says; None if it says none."""
    match = WHOLE.fullmatch(text)
    return int(match[1]) if match else None
