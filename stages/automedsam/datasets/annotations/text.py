"""Annotation files as text: finding them, reading them and parsing numbers."""

import math
import re
from pathlib import Path

from automedsam.runtime.errors import InputError

# Accepts 2.0 as well: table software turns whole numbers into that in columns with gaps.
WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,15})(\.0*)?\s*")


def files_below(folder: Path, suffix: str) -> list[Path]:
    """Return the files with a suffix below a folder, at any depth, sorted.

    Hidden files and folders are skipped.
    """
    files = {
        path.relative_to(folder): path
        for path in folder.rglob("*")
        if path.name.lower().endswith(suffix) and path.is_file()
    }
    return [
        files[path]
        for path in sorted(files)
        if not any(part.startswith(".") for part in path.parts)
    ]


def read_text(path: Path) -> str:
    """Read a UTF-8 file, with or without a byte order mark; line ends are kept as they are.

    Raises:
      InputError: another encoding, or a file that cannot be read.
    """
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as UTF-8 text ({error})") from error


def number(text: str | None) -> float | None:
    """Parse a finite number; return None for any other text."""
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None


def whole_number(text: str) -> int | None:
    """Parse a whole number; return None for any other text."""
    match = WHOLE_NUMBER.fullmatch(text)
    return int(match[1]) if match else None
