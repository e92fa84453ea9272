"""Name the combination of values at which a test that loops over many of them fails."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest


@contextmanager
def combination(**values: object) -> Iterator[None]:
    """Turn a failure or an error inside the block into one that begins with these values.

    A loop in one test is much faster than a parametrized test for each combination.
    """
    try:
        yield
    except (Exception, pytest.fail.Exception) as error:
        names = ", ".join(f"{name}={value}" for name, value in values.items())
        raise AssertionError(f"at {names}: {error}") from error
