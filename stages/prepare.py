"""The prepare stage: see automedsam/preparation/command.py, and figures of the data."""

from automedsam.cases.classes import read_classes
from automedsam.cases.index import read_index
from automedsam.figures.data_sheet import draw_data_sheet
from automedsam.preparation import command
from automedsam.runtime.parameters.leftovers import names_leftovers
from automedsam.runtime.paths import CLASSES, DATA_REPORT, IMAGES, INDEX
from automedsam.runtime.script import run


def main() -> None:
    if command.main():
        classes = read_classes(CLASSES)
        draw_data_sheet(DATA_REPORT, read_index(INDEX, classes), IMAGES, classes)


if __name__ == "__main__":
    run(names_leftovers(main))
