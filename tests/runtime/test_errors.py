"""ErrorCollector: told together, in their order."""

import pytest

from automedsam.runtime.errors import ErrorCollector, InputError, name_some


def test_faults_are_told_together_in_their_order():
    errors = ErrorCollector()
    errors.raise_if_any()
    for text in ("one", "two"):
        with errors.catch():
            raise InputError(text)
    assert errors.found == ["one", "two"]
    with pytest.raises(InputError, match=r"^one; two$"):
        errors.raise_if_any()


def test_a_block_ends_at_its_fault_and_the_next_one_goes_on():
    errors, done = ErrorCollector(), []
    for number in range(3):
        with errors.catch():
            if number == 1:
                raise InputError("one")
            done.append(number)
    assert (done, errors.found) == ([0, 2], ["one"])


def test_other_errors_are_not_gathered():
    with pytest.raises(KeyError), ErrorCollector().catch():
        raise KeyError


def test_of_many_names_three_are_told():
    assert [name_some("abcde"[:count]) for count in (0, 1, 3, 4, 5)] == [
        "", "a", "a, b, c", "a, b, c and 1 more", "a, b, c and 2 more",
    ]  # fmt: skip
