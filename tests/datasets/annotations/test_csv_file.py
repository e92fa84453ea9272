"""CSV tables as spreadsheets, pandas and R write them."""

import pytest

from automedsam.datasets.annotations.csv_file import CsvFile
from automedsam.runtime.errors import InputError


def read(folder, text, encoding="utf-8"):
    (folder / "x.csv").write_bytes(text.encode(encoding))
    return CsvFile(folder / "x.csv")


def rows_of(table):
    return [(line, table.cells_by_column(line, cells)) for line, cells in table.rows]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("image,x\na,1\n", 2),
        ("image;x\r\na;1\r\n", 2),
        ("image\tx\na\t1\n", 2),
        ("sep=;\nimage;x\na;1\n", 3),
        ('"sep=,"\r\nimage,x\r\na,1\r\n', 3),
        ("sep=|\nimage|x\n\na|1\n", 4),
        (",image,x\n0,a,1\n", 2),
        ("Unnamed: 0,image,x\n0,a,1\n", 2),
        ("image,x,,\na,1,,\n", 2),
        ("\timage\tx\n0\ta\t1\n", 2),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_separators_and_columns_without_names(tmp_path, text, line, encoding):
    table = read(tmp_path, text, encoding)
    assert table.columns == ["image", "x"]
    assert rows_of(table) == [(line, {"image": "a", "x": "1"})]


def test_a_column_with_content_needs_a_name_unless_it_is_the_first(tmp_path):
    assert read(tmp_path, "image,,x\na,7,1\n").columns == ["image", "", "x"]


@pytest.mark.parametrize(
    ("separator", "cell", "plain"),
    [
        (";", "42,0", "42.0"),
        (";", "-,5", "-.5"),
        (";", "42.5", "42.5"),
        (";", "1.234,5", "1.234,5"),
        (";", "1,2,3", "1,2,3"),
        ("\t", "42,5", "42.5"),
        (",", "42,5", "42,5"),
        (",", "NA", ""),
        (",", "NaN", ""),
        (",", "name", "name"),
    ],
)
def test_numbers_have_a_decimal_point(tmp_path, separator, cell, plain):
    assert read(tmp_path, f"image{separator}x\n").plain_number(cell) == plain


def test_an_empty_file_has_no_columns(tmp_path):
    for text in ("", "\n", "sep=;\n"):
        table = read(tmp_path, text)
        assert (table.columns, table.rows) == ([], [])


def test_lines_are_counted_as_in_the_file(tmp_path):
    with pytest.raises(InputError, match=r"^x\.csv, line 4: not valid CSV"):
        read(tmp_path, 'sep=;\nimage;x\na;1\n"b;1\n')
    table = read(tmp_path, "image,x\n\na\n")
    with pytest.raises(InputError, match=r"^x\.csv, line 3: expected 2 cells, found 1$"):
        rows_of(table)
