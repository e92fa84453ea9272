"""The `automedsam` command: the tools of the project, for use outside of its repository."""

import sys
from importlib import import_module

from automedsam.runtime.script import run

COMMANDS = {
    "predict": ("prediction.command", "predict masks of new images with a trained model"),
    "prepare": ("preparation.command", "check a data set: automedsam prepare --check"),
    "slices": ("scans.export", "write slices of volumes as PNGs to draw boxes on"),
    "download": ("datasets.download", "download a public data set"),
    "weights": ("backbone.weights_command", "download the weights of a backbone"),
}


def main() -> None:
    """Run the command that the first argument names."""
    name = sys.argv[1] if len(sys.argv) > 1 else "--help"
    if name in ("-h", "--help"):
        lines = [f"  {command:10} {summary}" for command, (_, summary) in COMMANDS.items()]
        print("\n".join(["usage: automedsam COMMAND ...", "", *lines]))
        return
    if name not in COMMANDS:
        print(
            f"automedsam: error: no command {name!r}; choose from {', '.join(COMMANDS)}",
            file=sys.stderr,
        )
        sys.exit(2)
    if name == "prepare" and not {"--check", "-h", "--help"} & set(sys.argv[2:]):
        print(
            "automedsam prepare: error: requires --check; the stage itself is part of `dvc repro`",
            file=sys.stderr,
        )
        sys.exit(2)
    sys.argv = [f"automedsam {name}", *sys.argv[2:]]
    run(lambda: import_module(f"automedsam.{COMMANDS[name][0]}").main())


if __name__ == "__main__":
    main()
