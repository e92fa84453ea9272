"""Annotation files as text: finding them, reading them and parsing numbers."""

import codecs
import math
import re
from pathlib import Path

from automedsam.runtime.errors import InputError
from automedsam.scans.finding import Walk, describe_broken_link, is_broken_link

# Accepts 2.0 as well: table software turns whole numbers into that in columns with gaps.
WHOLE_NUMBER = re.compile(r"\s*([+-]?[0-9]{1,15})(\.0*)?\s*")


def files_below(folder: Path, suffix: str) -> list[Path]:
    """Return the files with a suffix below a folder, at any depth, sorted.

    Hidden files and folders are skipped. Linked folders are searched like those of images.
    """
    files = [path for path in Walk(folder).files if path.name.lower().endswith(suffix)]
    return sorted(path for path in files if path.is_file())


def describe_links(folder: Path, suffix: str) -> list[str]:
    """Return a line about each folder and file that `files_below` leaves out."""
    walk = Walk(folder)
    files = [path for path in walk.files if path.name.lower().endswith(suffix)]
    return [*walk.notes, *(describe_broken_link(path) for path in files if is_broken_link(path))]


def read_text(path: Path) -> str:
    """Read a UTF-8 file, or a UTF-16 file with a byte order mark; line ends are kept as they are.

    Raises:
      InputError: another encoding, or a file that cannot be read.
    """
    try:
        return decode(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(
            f"{path}: cannot be read as UTF-8 text ({error}); save it in this encoding"
        ) from error


def decode(content: bytes, encoding: str | None = None) -> str:
    """Decode text; a byte order mark precedes the encoding, whose default is UTF-8.

    Raises:
      UnicodeDecodeError: another encoding.
      LookupError: an encoding that does not exist.
    """
    if content.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return content.decode("utf-16")
    if encoding is None or content.startswith(codecs.BOM_UTF8):
        return content.decode("utf-8-sig")
    return content.decode(encoding)


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
