"""The one exception that means: the input is at fault, and here is what to change."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager


class InputError(ValueError):
    """Bad input, told in a line that names the file or key, what was expected and what was found."""


class ErrorCollector:
    """Gathers what is wrong, so that one error tells it all."""

    def __init__(self) -> None:
        self.found: list[str] = []

    @contextmanager
    def catch(self) -> Iterator[None]:
        """Keep an InputError for later; the block ends at it."""
        try:
            yield
        except InputError as error:
            self.add(str(error))

    def add(self, fault: str) -> None:
        """Keep a line for later."""
        self.found.append(fault)

    def raise_if_any(self) -> None:
        """Raise one InputError for all that was gathered, if anything was."""
        if self.found:
            raise InputError("; ".join(self.found))


def name_some(names: Sequence[str]) -> str:
    """The first three, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
