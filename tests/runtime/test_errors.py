"""Collection of several faults into one error."""

import pytest

from automedsam.runtime.errors import ErrorCollector, InputError, name_some


def test_collector_raises_all_faults_in_order():
    errors = ErrorCollector()
    errors.raise_if_any()
    for text in ("one", "two"):
        with errors.catch():
            raise InputError(text)
    assert errors.found == ["one", "two"]
    with pytest.raises(InputError, match=r"^one; two$"):
        errors.raise_if_any()


def test_catch_ends_the_block_at_its_fault():
    errors, done = ErrorCollector(), []
    for number in range(3):
        with errors.catch():
            if number == 1:
                raise InputError("one")
            done.append(number)
    assert (done, errors.found) == ([0, 2], ["one"])


def test_catch_lets_other_exceptions_pass():
    with pytest.raises(KeyError), ErrorCollector().catch():
        raise KeyError


def test_name_some_lists_at_most_three_names():
    assert [name_some("abcde"[:count]) for count in (0, 1, 3, 4, 5)] == [
        "",
        "a",
        "a, b, c",
        "a, b, c and 1 more",
        "a, b, c and 2 more",
    ]
