"""The tool `download`: see automedsam/datasets/download.py."""

from automedsam.datasets.download import main
from automedsam.runtime.script import run

if __name__ == "__main__":
    run(main)
