"""Faults: told together, in their order."""

import pytest

from automedsam.runtime.errors import Faults, InputError, name_some


def test_faults_are_told_together_in_their_order():
    faults = Faults()
    faults.raise_all()
    for text in ("one", "two"):
        with faults.gather():
            raise InputError(text)
    assert faults.found == ["one", "two"]
    with pytest.raises(InputError, match=r"^one; two$"):
        faults.raise_all()


def test_a_block_ends_at_its_fault_and_the_next_one_goes_on():
    faults, done = Faults(), []
    for number in range(3):
        with faults.gather():
            if number == 1:
                raise InputError("one")
            done.append(number)
    assert (done, faults.found) == ([0, 2], ["one"])


def test_other_errors_are_not_gathered():
    with pytest.raises(KeyError), Faults().gather():
        raise KeyError


def test_of_many_names_three_are_told():
    assert [name_some("abcde"[:count]) for count in (0, 1, 3, 4, 5)] == [
        "", "a", "a, b, c", "a, b, c and 1 more", "a, b, c and 2 more",
    ]  # fmt: skip
