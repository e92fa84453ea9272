"""The tool `predict`: see automedsam/prediction/command.py."""

from automedsam.prediction.command import main
from automedsam.runtime.script import run

if __name__ == "__main__":
    run(main)
