"""Work that overlaps: a thread of its own applies a function to what it is given, some items ahead of who waits."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

T = TypeVar("T")
R = TypeVar("R")


def prefetch(function: Callable[[T], R], items: Iterable[T], lookahead: int) -> Iterator[R]:
    """The function's results, in the items' order; the next `lookahead` ones are being made, in one thread.

    Whatever the function raises is raised here, in its result's place. However the loop over this ends, by ctrl-C too,
    the thread finishes what it has been given.
    """
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(max_workers=1) as thread:
        for item in items:
            waiting.append(thread.submit(function, item))
            if len(waiting) > lookahead:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
