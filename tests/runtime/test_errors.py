"""Collection of several faults into one error."""

import logging

import pytest

from automedsam.runtime.errors import ErrorCollector, InputError, name_some, shorten


def test_collector_raises_all_faults_in_order():
    errors = ErrorCollector()
    errors.raise_if_any()
    for text in ("one", "two"):
        with errors.catch():
            raise InputError(text)
    assert errors.found == ["one", "two"]
    with pytest.raises(InputError, match=r"^one; two$"):
        errors.raise_if_any()


def collect(faults):
    errors = ErrorCollector()
    for fault in faults:
        errors.add(fault)
    with pytest.raises(InputError) as caught:
        errors.raise_if_any()
    return str(caught.value)


def test_up_to_five_faults_are_one_line():
    assert collect("abcde") == "a; b; c; d; e"


def test_of_many_faults_the_first_five_are_listed_and_all_are_printed_with_verbose(caplog):
    faults = [f"image {number}: no mask" for number in range(2000)]
    with caplog.at_level(logging.DEBUG, logger="automedsam"):
        message = collect(faults)
    assert message.splitlines() == [
        "2000 faults, of which the first 5 are:",
        *(f"  image {number}: no mask" for number in range(5)),
        "  and 1995 more; --verbose prints all of them",
    ]
    assert caplog.messages == faults


def test_a_long_fault_keeps_its_beginning_and_its_end():
    long = f"a.json: {'x' * 200_000} is no image"
    assert shorten("a" * 40, 40) == "a" * 40
    assert shorten("a" * 9 + "\n" + "b" * 9, 15) == "aaaaa ... bbbbb"
    assert shorten("a\nb", 15) == "a b"
    for message in (collect([long]), collect([long] * 9)):
        assert max(map(len, message.splitlines())) < 700
        assert message.startswith("a.json: xxx") or "  a.json: xxx" in message
        assert "xxx ... xxx" in message
        assert "xxx is no image" in message


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
