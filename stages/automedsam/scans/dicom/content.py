"""Recognition of DICOM files by their first bytes, because hospitals name them in any way."""

import re
import struct
from pathlib import Path

SUFFIXES = (".dcm", ".dicom", ".ima")
PREAMBLE_LENGTH = 128
MAGIC = b"DICM"
# Groups with which a data set begins: the meta information, or the identification of the image.
FIRST_GROUPS = (0x0002, 0x0008)
# The tag, and then either the type in two letters and the length of the value, or the length.
SHORT_ELEMENT = struct.Struct("<HH2sH")
LONG_ELEMENT = struct.Struct("<HH2s2xL")
IMPLICIT_ELEMENT = struct.Struct("<HHL")
LONG_TYPES = (b"OB", b"OD", b"OF", b"OL", b"OV", b"OW", b"SQ", b"SV", b"UC", b"UN", b"UR", b"UT")
ELEMENTS = 3  # that must follow each other in a file without a preamble
MAX_START = 4096  # bytes in which these elements are found


def has_dicom_suffix(path: Path) -> bool:
    """Whether the name of a file ends as those of DICOM files do, in any case."""
    return path.name.lower().endswith(SUFFIXES)


def is_dicom_file(path: Path) -> bool:
    """Whether the content of a file is DICOM, with or without a preamble, whatever its name is.

    False for a folder, a pipe, and a file that is missing or cannot be opened.
    """
    if not path.is_file():
        return False
    try:
        with path.open("rb") as file:
            start = file.read(MAX_START)
    except OSError:
        return False
    return start.startswith(MAGIC, PREAMBLE_LENGTH) or _begins_with_elements(start)


def _begins_with_elements(start: bytes) -> bool:
    """Whether data elements with ascending tags follow each other from the first byte."""
    position, last_tag = 0, (0, 0)
    for number in range(ELEMENTS):
        if len(start) < position + LONG_ELEMENT.size:
            return False
        group, element, length, header_size = _unpack_element(start, position)
        if number == 0 and group not in FIRST_GROUPS:
            return False
        if (group, element) <= last_tag or length % 2:
            return False
        position += header_size + length
        last_tag = group, element
    return True


def _unpack_element(start: bytes, position: int) -> tuple[int, int, int, int]:
    """Group, element, length of the value, and length of the header of a data element."""
    group, element, kind, short_length = SHORT_ELEMENT.unpack_from(start, position)
    if kind in LONG_TYPES:
        *_, length = LONG_ELEMENT.unpack_from(start, position)
        return group, element, length, LONG_ELEMENT.size
    if re.fullmatch(rb"[A-Z]{2}", kind):
        return group, element, short_length, SHORT_ELEMENT.size
    group, element, length = IMPLICIT_ELEMENT.unpack_from(start, position)
    return group, element, length, IMPLICIT_ELEMENT.size
