"""A function a few items ahead, in a thread: in order, no further than told, and with nothing left half done."""

import time
from collections.abc import Iterator
from threading import Event, current_thread

import pytest

from automedsam.backbone.embedding_job import prefetch
from automedsam.runtime.errors import InputError

PATIENCE = 10  # seconds


@pytest.mark.parametrize("lookahead", [1, 2, 9])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_results_come_in_the_order_of_the_items(count: int, lookahead: int) -> None:
    def slowest_first(item: int) -> int:
        time.sleep(0.001 * (count - item))
        return item * item

    assert list(prefetch(slowest_first, range(count), lookahead)) == [
        item * item for item in range(count)
    ]


def test_the_next_item_is_worked_on_meanwhile_in_one_other_thread() -> None:
    started = [Event(), Event(), Event()]

    def start(item: int) -> str:
        started[item].set()
        return current_thread().name

    results = prefetch(start, range(3), 1)
    threads = {next(results)}
    assert started[1].wait(PATIENCE)
    threads |= set(results)
    assert len(threads) == 1
    assert current_thread().name not in threads


def test_no_more_items_are_taken_than_told() -> None:
    taken = []

    def take() -> Iterator[int]:
        for item in range(9):
            taken.append(item)
            yield item

    results = prefetch(str, take(), 2)
    assert taken == []
    assert next(results) == "0"
    assert taken == [0, 1, 2]
    assert next(results) == "1"
    assert taken == [0, 1, 2, 3]
    results.close()
    assert taken == [0, 1, 2, 3]


def test_a_fault_is_raised_in_its_results_place() -> None:
    def refuse_two(item: int) -> int:
        if item == 2:
            raise InputError(f"{item}.png: expected an image")
        return item

    found = []
    with pytest.raises(InputError, match=r"^2\.png: expected an image$"):
        found.extend(prefetch(refuse_two, range(5), 3))
    results = prefetch(refuse_two, range(5), 3)
    assert [next(results), next(results)] == [0, 1]


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_what_was_given_is_finished_when_the_items_end_in_an_error(
    error: type[BaseException],
) -> None:
    finished = []

    def finish(item: int) -> None:
        time.sleep(0.05)
        finished.append(item)

    def items() -> Iterator[int]:
        yield from (0, 1)
        raise error

    with pytest.raises(error):
        list(prefetch(finish, items(), 3))
    assert finished == [0, 1]
