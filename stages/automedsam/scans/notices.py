"""Warnings about odd files, each printed once, although scans are opened several times."""

import logging
import re
from collections import defaultdict
from pathlib import Path

from automedsam.runtime.errors import MAX_LISTED

logger = logging.getLogger(__name__)
NUMBER = re.compile(r"\d[\d.,]*")
_logged: dict[str, set[str]] = defaultdict(set)  # kind to messages


def warn_once(path: Path, fault: str, details: str = "") -> None:
    """Log a warning, unless the same message was logged before.

    The first five warnings of one kind are printed, and all with `--verbose`: thousands of files of
    one scanner are odd in the same way.

    Args:
      path: The file or folder.
      fault: What is odd, and how it is read. Faults that differ in numbers only are of one kind.
      details: What follows in the message and differs between files.
    """
    kind, message = NUMBER.sub("0", fault), f"{path}: {fault}{details}"
    if message in _logged[kind]:
        return
    _logged[kind].add(message)
    if len(_logged[kind]) <= MAX_LISTED:
        logger.warning("%s", message)
        return
    logger.debug("%s", message)
    if len(_logged[kind]) == MAX_LISTED + 1:
        logger.warning(
            "%s has the same warning, as may further files; --verbose prints all of them", path
        )


def report_notices() -> None:
    """Log how many warnings there were of each kind of which not all were printed, and forget all.

    A command calls this when it has read all scans.
    """
    for messages in _logged.values():
        if len(messages) > MAX_LISTED:
            logger.warning("%d files with a warning such as: %s", len(messages), min(messages))
    _logged.clear()
