"""Warnings about odd files, each printed once, although scans are opened several times."""

import logging
from functools import cache

logger = logging.getLogger(__name__)


@cache
def warn_once(message: str) -> None:
    """Log a warning, unless the same message was logged before.

    Args:
      message: One line that names the file, what is odd, and how it is read.
    """
    logger.warning("%s", message)
