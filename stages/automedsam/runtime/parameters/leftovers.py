"""Values of params.yaml that an earlier run may have left, named in the errors that they cause."""

import re
import sys
from collections.abc import Callable, Collection
from functools import wraps
from typing import Any, TypeVar

from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.loading import PARAMS, load_config

T = TypeVar("T")
# The keys of "class_ids: no such class", of "class_ids, mask_ids: ..." and of "check dataset and
# data_dir".
NAMED_KEYS = re.compile(r"(?:^|; )(\w+(?:, \w+)*): |\bcheck (\w+(?:, \w+)*(?: and \w+)?)")


def names_leftovers(main: Callable[[], T]) -> Callable[[], T]:
    """Wrap the `main` of a script: its errors also name the values of params.yaml they are about.

    The values of `dvc exp run -S` stay in params.yaml. A later run on other data meets them there,
    without their being on its command line.
    """

    @wraps(main)
    def run() -> T:
        try:
            return main()
        except InputError as error:
            message = str(error)
            given = {word.partition("=")[0] for word in sys.argv[1:]}
            raise InputError(f"{message}{describe_leftovers(message, given)}") from error

    return run


def describe_leftovers(message: str, given: Collection[str] = ()) -> str:
    """Describe the values of params.yaml that an error is about and that are not the defaults.

    Args:
      message: the error; it begins with a key or a path that is a value, or says what to check.
      given: keys that the command line sets.

    Returns:
      A remark in parentheses, to be appended; "" if there is nothing to describe.
    """
    changes = {
        key: value
        for key, value in _changed_values().items()
        if key not in given and (key in _named_keys(message) or message.startswith(f"{value}: "))
    }
    if not changes:
        return ""
    values = ", ".join(f"{key}: {_format(value)}" for key, value in changes.items())
    resets = " ".join(f"-S {key}={_format(_default(key))}" for key in changes)
    return f" (params.yaml sets {values}, perhaps since an earlier run. To reset: {resets})"


def _changed_values() -> dict[str, Any]:
    """The keys of params.yaml with another value than the default; none if it is invalid."""
    try:
        config = load_config(PARAMS)
    except InputError:
        return {}
    return {key: value for key, value in config if value != _default(key)}


def _default(key: str) -> Any:
    return AutoMedSAMConfig.model_fields[key].get_default(call_default_factory=True)


def _named_keys(message: str) -> set[str]:
    names = [first or second for first, second in NAMED_KEYS.findall(message)]
    return {word for name in names for word in re.findall(r"\w+", name)}


def _format(value: Any) -> str:
    """A value as params.yaml has it."""
    constants = {None: "null", True: "true", False: "false"}
    return constants[value] if value is None or isinstance(value, bool) else str(value)
