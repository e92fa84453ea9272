"""Reading params.yaml, and changes of single keys from the command line."""

import logging
import re
import shlex
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import ValidationError

from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.base import Params
from automedsam.runtime.parameters.config import AutoMedSAMConfig

logger = logging.getLogger(__name__)
P = TypeVar("P", bound=Params)
PARAMS = Path("params.yaml")
PLAIN_MESSAGES = {  # by the type of the pydantic error
    "bool_parsing": "must be true or false",
    "bool_type": "must be true or false",
    "float_parsing": "must be a number",
    "float_type": "must be a number",
    "int_from_float": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "path_type": "must be a path",
    "string_type": "must be a text",
}


def load_config(path: Path, changes: Mapping[str, Any] | None = None) -> AutoMedSAMConfig:
    """Read and validate a params.yaml.

    Args:
      path: the file.
      changes: values that replace those of the file.

    Raises:
      InputError: naming, at once, every key that is unknown, of a wrong type or out of range.
    """
    try:
        values = yaml.safe_load(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; run this in the folder of the project") from None
    except UnicodeDecodeError:
        raise InputError(f"{path}: not UTF-8 text; save it in this encoding") from None
    except yaml.YAMLError as error:
        raise InputError(f"{path}: not valid YAML: {' '.join(str(error).split())}") from None
    if not isinstance(values, dict) or not all(isinstance(key, str) for key in values):
        raise InputError(f"{path}: expected keys and values, found {values!r:.60}")
    return _validate(str(path), {**values, **(changes or {})})


def load_params(
    stage: type[P],
    changes: Mapping[str, Any] | None = None,
    folder: Path = Path(),
    or_defaults: bool = False,
) -> P:
    """Read the parameters of one stage from the params.yaml in a folder.

    All keys of the file are validated, also those of other stages.

    Args:
      stage: the class of the parameters, for example `TrainParams`.
      changes: values that replace those of the file.
      folder: the folder of params.yaml.
      or_defaults: use the defaults if there is no such file.

    Raises:
      InputError: as `load_config`.
    """
    path = folder / PARAMS
    if or_defaults and not path.is_file():
        config = _validate("-S", changes or {})
    else:
        config = load_config(path, changes)
    params = stage.model_construct(**{key: getattr(config, key) for key in stage.model_fields})
    logger.debug("parameters: %s", params)
    return params


def add_set_option(parser: ArgumentParser, purpose: str) -> None:
    """Add the option `-S KEY=VALUE`, whose values are collected in `set` as pairs."""
    parser.add_argument(
        "-S",
        "--set",
        action="append",
        default=[],
        type=parse_change,
        metavar="KEY=VALUE",
        help=purpose,
    )


def parse_change(text: str) -> tuple[str, Any]:
    """Split one `KEY=VALUE` of a command line; the value is YAML.

    Raises:
      argparse.ArgumentTypeError: for any other form.
    """
    key, separator, value = text.partition("=")
    try:
        parsed = yaml.safe_load(value)
    except yaml.YAMLError:
        separator = ""
    if not separator:
        raise ArgumentTypeError(f"expected KEY=VALUE, found {text}")
    return key, parsed


def format_change(key: str, value: str) -> str:
    """Format a text value for `dvc exp run -S`, as one word of a shell.

    DVC's own syntax takes letters such as ü, and signs such as # and &, in quotes only.
    """
    if re.fullmatch(r"[\w./:-]+", value, re.ASCII):
        return f"{key}={value}"
    if not re.search(r"['\"$`!\\]", value):
        return f"\"{key}='{value}'\""
    escaped = value.replace("'", "\\'")
    return shlex.quote(f"{key}='{escaped}'")


def _validate(source: str, values: Mapping[str, Any]) -> AutoMedSAMConfig:
    try:
        return AutoMedSAMConfig(**values)
    except ValidationError as error:
        raise InputError("; ".join(f"{source}: {_describe(e)}" for e in error.errors())) from None


def _describe(error: Any) -> str:
    """One pydantic error as `key: what is wrong, found value`."""
    key = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        similar = get_close_matches(key, AutoMedSAMConfig.model_fields, n=1)
        return f"{key}: no such key{''.join(f' (did you mean {name}?)' for name in similar)}"
    message = error["msg"].removeprefix("Value error, ").replace("Input should", "must")
    message = PLAIN_MESSAGES.get(error["type"], message)
    return f"{key}: {message}, found {error['input']!r}" if key else message
