"""The exception for faults in the input, their collection, and phrases for messages."""

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

logger = logging.getLogger(__name__)
MAX_LISTED = 5  # faults in one message
MAX_FAULT_CHARACTERS = 600


class InputError(ValueError):
    """Invalid input.

    The message is one line that names the file or key, and the fault. Only a list of more than five
    faults has several lines.
    """


class ErrorCollector:
    """Collects faults, so that one error reports all of them.

    Attributes:
      found: Messages of the faults, in their order.
    """

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Record an InputError that the block raises, and continue after the block."""
        try:
            yield
        except InputError as error:
            self.add(str(error))

    def add(self, fault: str) -> None:
        """Record a fault."""
        self.found.append(fault)

    def raise_if_any(self) -> None:
        """Raise one InputError with the recorded faults, if there are any.

        Up to five faults are joined by semicolons. Of more, the message has the number and the
        first five, one per line, and `--verbose` prints all of them.
        """
        if self.found:
            raise InputError(_list_faults(self.found))


def _list_faults(faults: Sequence[str]) -> str:
    lines = [shorten(fault, MAX_FAULT_CHARACTERS) for fault in faults]
    if len(lines) <= MAX_LISTED:
        return "; ".join(lines)
    head = f"{len(lines)} faults, of which the first {MAX_LISTED} are:"
    return "\n".join([head, *(f"  {line}" for line in first_faults(lines))])


def first_faults(faults: Sequence[str]) -> list[str]:
    """Return the first five faults and the number of the others; `--verbose` prints all."""
    if len(faults) <= MAX_LISTED:
        return list(faults)
    for fault in faults:
        logger.debug(fault)
    more = len(faults) - MAX_LISTED
    return [*faults[:MAX_LISTED], f"and {more} more; --verbose prints all of them"]


def shorten(text: str, max_characters: int) -> str:
    """Return a text in one line, without its middle part if it is too long."""
    line = text.replace("\n", " ")
    half = (max_characters - 5) // 2
    return line if len(line) <= max_characters else f"{line[:half]} ... {line[-half:]}"


def name_some(names: Sequence[str], count: int = 3) -> str:
    """Return the first names and the number of the others, such as "a, b, c and 2 more"."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(names[:count]) + more


def count_phrase(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count and its noun, such as "1 box"; the default plural is the noun with an s."""
    return f"{count} {singular}" if count == 1 else f"{count} {plural or f'{singular}s'}"
