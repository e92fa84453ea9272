"""The tool `slices`: see automedsam/scans/export.py."""

from automedsam.runtime.script import run
from automedsam.scans.export import main

if __name__ == "__main__":
    run(main)
