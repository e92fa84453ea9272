"""Arguments, logging and exit codes of scripts.

The exit code is 1 after invalid input and 130 after Ctrl-C: DVC takes 0 for a stage that is done.
"""

import argparse
import io
import logging
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from tqdm import tqdm

from automedsam.runtime.errors import InputError, shorten

T = TypeVar("T")
logger = logging.getLogger("automedsam")
MAX_LINE_CHARACTERS = 2000


def run(main: Callable[[], None]) -> None:
    """Run the `main` of a script, and exit with 1 after an InputError and with 130 after Ctrl-C."""
    _escape_unencodable()
    name = Path(sys.argv[0]).stem
    start = time.monotonic()
    try:
        main()
        logger.debug("%s: finished in %.1f s", name, time.monotonic() - start)
    except InputError as error:
        print(f"{name}: {_shorten_lines(str(error))}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: interrupted", file=sys.stderr)
        sys.exit(130)


def _escape_unencodable() -> None:
    """Let stdout and stderr escape characters of file names that their encoding does not have."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def argument_parser(description: str | None) -> argparse.ArgumentParser:
    """A parser with the options that all scripts share: `--quiet` and `--verbose`."""
    parser = argparse.ArgumentParser(
        prog=Path(sys.argv[0]).name,
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    volume = parser.add_mutually_exclusive_group()
    volume.add_argument("-q", "--quiet", action="store_true", help="print warnings and errors only")
    volume.add_argument("-v", "--verbose", action="store_true", help="print details")
    return parser


def parse(
    parser: argparse.ArgumentParser, arguments: Sequence[str] | None = None
) -> argparse.Namespace:
    """Parse the command line, and set up logging for `--quiet` and `--verbose`."""
    parsed = parser.parse_args(arguments)
    if parsed.quiet:
        set_up_logging(logging.WARNING)
    elif parsed.verbose:
        set_up_logging(logging.DEBUG)
    else:
        set_up_logging()
    return parsed


def set_up_logging(level: int = logging.INFO) -> None:
    """Print messages of this level and above: warnings to stderr, all others to stdout."""
    logger.setLevel(level)
    logger.propagate = False
    logger.handlers = [_ConsoleHandler()]


def progress_bar(
    items: Iterable[T], description: str, unit: str, total: int | None = None, initial: int = 0
) -> "tqdm[T]":
    """Iterate over the items with a progress bar on stderr.

    The bar is hidden by `--quiet`, and in files and pipes, where each step would add a line.
    """
    is_terminal = sys.stderr is not None and sys.stderr.isatty()
    hidden = not is_terminal or not logger.isEnabledFor(logging.INFO)
    return tqdm(items, description, total, unit=unit, initial=initial, disable=hidden)


def _shorten_lines(message: str) -> str:
    """Shorten each line of a message, in which a file may have put a text of any length."""
    return "\n".join(shorten(line, MAX_LINE_CHARACTERS) for line in message.split("\n"))


class _ConsoleHandler(logging.Handler):
    """Writes through `tqdm`, so that a message does not tear a progress bar."""

    def emit(self, record: logging.LogRecord) -> None:
        is_warning = record.levelno >= logging.WARNING
        message = _shorten_lines(record.getMessage())
        text = f"warning: {message}" if is_warning else message
        stream = sys.stderr if is_warning else sys.stdout
        if stream is None:  # the program was started without it
            return
        tqdm.write(text, file=stream)
