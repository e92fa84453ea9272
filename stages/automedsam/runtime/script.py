"""How a script ends: well, with one line about the input and status 1, or stopped by hand with status 130."""

import argparse
import sys
from collections.abc import Callable
from pathlib import Path

from automedsam.runtime.errors import InputError


def run(main: Callable[[], None], about: str | None = None) -> None:
    """Run a script's `main`; status 130 after ctrl-C, as DVC takes a 0 for a stage that is done.

    Args:
      about: what --help says of a script without arguments; None: `main` reads its own.
    """
    if about is not None:
        form = argparse.RawDescriptionHelpFormatter
        argparse.ArgumentParser(description=about, formatter_class=form).parse_args()
    name = Path(sys.argv[0]).stem
    try:
        main()
    except InputError as error:
        print(f"{name}: {error}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print(f"{name}: stopped by hand", file=sys.stderr)
        sys.exit(130)
