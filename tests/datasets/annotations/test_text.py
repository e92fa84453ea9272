"""Annotation files as text: encodings, numbers, hidden files."""

import pytest

from automedsam.datasets.annotations.text import files_below, number, read_text, whole_number
from automedsam.runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" 2.5 ", 2.5), ("-1e2", -100), ("nan", None), ("inf", None), ("1e999", None), ("", None), (None, None),
     ("3,5", None), ("x", None)],
)  # fmt: skip
def test_number_is_finite_or_none(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [("3", 3), (" 12 ", 12), ("-1", -1), ("2.0", 2), ("2.", 2), ("2.5", None), ("1_2", None), ("1e3", None),
     ("inf", None), ("", None), ("liver", None), ("9" * 5000, None), ("٣", None)],
)  # fmt: skip
def test_whole_number_is_written_as_one(text, value):
    assert whole_number(text) == value


def test_byte_order_mark_is_dropped_and_line_ends_are_kept(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf\xc3\xa9\r\n")
    assert read_text(tmp_path / "a") == "é\r\n"


@pytest.mark.parametrize("content", ["é".encode("latin-1"), "a".encode("utf-16")])
def test_another_encoding_is_a_fault(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt: expected text in UTF-8"):
        read_text(tmp_path / "a.txt")


def test_files_are_sorted_and_neither_hidden_nor_folders(tmp_path):
    for name in ("b.TXT", "a/c.txt", "a.txt/d.txt", ".hidden.txt", ".git/e.txt", "f.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, ".txt")]
    assert found == ["a/c.txt", "a.txt/d.txt", "b.TXT"]


def test_a_hidden_folder_above_hides_nothing(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.txt").touch()
    assert files_below(folder, ".txt") == [folder / "a.txt"]
