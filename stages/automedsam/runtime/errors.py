"""The exception for faults in the input, their collection, and phrases for messages."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """Invalid input; the message is one line that names the file or key, and the fault."""


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
        """Raise one InputError with all recorded faults, if there are any."""
        if self.found:
            raise InputError("; ".join(self.found))


def name_some(names: Sequence[str]) -> str:
    """Return the first three names and the number of the others, such as "a, b, c and 2 more"."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def count_phrase(count: int, singular: str, plural: str | None = None) -> str:
    """Return a count and its noun, such as "1 box"; the default plural is the noun with an s."""
    return f"{count} {singular}" if count == 1 else f"{count} {plural or f'{singular}s'}"
