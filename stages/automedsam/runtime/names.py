"""File names that every file system accepts: long ones shortened, unprintable ones spelled out."""

import hashlib
import os

MAX_FILE_BYTES = 255  # of a file name, in the file systems of Linux, macOS and Windows
MAX_CASE_BYTES = MAX_FILE_BYTES - len(".safetensors")  # the longest suffix of a file of a case
DIGEST_LENGTH = 16  # hexadecimal digits
SURROGATES = range(0xD800, 0xE000)  # characters that UTF-8 cannot encode
ESCAPED_BYTES = range(0xDC80, 0xDD00)  # those with which Python marks bytes that are not UTF-8


def fit_name(stem: str, suffix: str, max_bytes: int = MAX_FILE_BYTES) -> str:
    """Return `stem + suffix`, with the stem shortened if the result is longer than `max_bytes`.

    Args:
      stem: First part of the name.
      suffix: Last part, which is kept.
      max_bytes: Maximum length of the result, encoded as a file name.

    Returns:
      The name. If it is too long, the end of the stem is replaced by a hash of the whole stem, so
      that different stems have different names, which are the same in every run.
    """
    if _byte_count(stem + suffix) <= max_bytes:
        return stem + suffix
    encoded = os.fsencode(stem)
    digest = hashlib.sha256(encoded).hexdigest()[:DIGEST_LENGTH]
    room = max_bytes - _byte_count(f"__{digest}{suffix}")
    start = encoded[:room].decode("utf-8", "ignore")
    return f"{start}__{digest}{suffix}"


def printable_name(name: str) -> str:
    """Return a name in which bytes that are not UTF-8 are spelled out, such as `caf%E9`."""
    return "".join(map(_printable, name))


def _printable(character: str) -> str:
    code = ord(character)
    if code in ESCAPED_BYTES:
        return f"%{code & 0xFF:02X}"
    return f"%u{code:04X}" if code in SURROGATES else character


def _byte_count(name: str) -> int:
    return len(os.fsencode(name))
