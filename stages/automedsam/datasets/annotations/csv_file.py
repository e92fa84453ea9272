"""CSV tables, in the forms that spreadsheets, pandas and R write them."""

import csv
import io
import re
from pathlib import Path

from automedsam.datasets.annotations.text import read_text
from automedsam.runtime.errors import InputError

SEPARATORS = ",;\t"
SEPARATOR_LINE = re.compile(r'\ufeff?"?sep=(.)"?\r?\n')  # the first line, for Excel
UNNAMED = re.compile(r"(Unnamed: \d+)?")  # the index of pandas, or the row names of R
DECIMAL_COMMA = re.compile(r"\s*([+-]?\d*),(\d+)\s*")
MISSING = {"", "na", "nan", "n/a", "#n/a", "<na>", "null", "none"}  # in lower case


class CsvFile:
    """A table with a header, separated by commas, semicolons or tabs.

    Attributes:
      columns: Names of the columns, without a leading column of row numbers and without columns
        that have neither a name nor content.
      rows: The rows that are not empty, each with its line number.

    Raises:
      InputError: If the file is not text or not CSV.
    """

    def __init__(self, path: Path) -> None:
        text = read_text(path)
        declared = SEPARATOR_LINE.match(text)
        if declared:
            text = text[declared.end() :]
        header = text.lstrip().partition("\n")[0]
        separator = declared[1] if declared else max(SEPARATORS, key=header.count)
        lines = _split(path, text, separator, first_line=2 if declared else 1)
        self.rows = lines[1:]
        self._path = path
        self._has_decimal_commas = separator != ","
        self._header = lines[0][1] if lines else []
        self._used = [i for i, name in enumerate(self._header) if self._is_used(i, name)]
        self.columns = [self._header[index] for index in self._used]

    def cells_by_column(self, line: int, cells: list[str]) -> dict[str, str]:
        """Return the cells of a row by the names of their columns.

        Raises:
          InputError: If the row has more or fewer cells than the header.
        """
        if len(cells) != len(self._header):
            raise InputError(
                f"{self._path.name}, line {line}: expected {len(self._header)} cells, found "
                f"{len(cells)}"
            )
        return {self._header[index]: cells[index] for index in self._used}

    def plain_number(self, cell: str) -> str:
        """Return a cell of numbers with a decimal point, and an empty cell if it is missing.

        A comma is a decimal comma if the cells are separated by something else.
        """
        if cell.lower() in MISSING:
            return ""
        match = DECIMAL_COMMA.fullmatch(cell) if self._has_decimal_commas else None
        return f"{match[1]}.{match[2]}" if match else cell

    def _is_used(self, index: int, name: str) -> bool:
        if not UNNAMED.fullmatch(name):
            return True
        return index > 0 and any("".join(cells[index : index + 1]) for _, cells in self.rows)


def _split(path: Path, text: str, separator: str, first_line: int) -> list[tuple[int, list[str]]]:
    """Return the lines that are not empty, each with its number, as stripped cells."""
    # Strict mode: otherwise an unclosed quote would silently consume the rows after it.
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    offset = first_line - 1
    try:
        lines = [(reader.line_num + offset, [cell.strip() for cell in cells]) for cells in reader]
    except csv.Error as error:
        line = reader.line_num + offset
        raise InputError(f"{path.name}, line {line}: not valid CSV ({error})") from error
    return [(line, cells) for line, cells in lines if any(cells)]
