"""Faults: told together, in their order."""

import pytest

from automedsam.errors import Faults, InputError


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
