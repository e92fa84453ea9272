"""Annotation files as text: encodings, numbers and hidden files."""

import codecs

import pytest

from automedsam.datasets.annotations.text import (
    decode,
    files_below,
    number,
    read_text,
    whole_number,
)
from automedsam.runtime.errors import InputError


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 2.5 ", 2.5),
        ("-1e2", -100),
        ("nan", None),
        ("inf", None),
        ("1e999", None),
        ("", None),
        (None, None),
        ("3,5", None),
        ("x", None),
    ],
)
def test_number_is_finite_or_none(text, value):
    assert number(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("3", 3),
        (" 12 ", 12),
        ("-1", -1),
        ("2.0", 2),
        ("2.", 2),
        ("2.5", None),
        ("1_2", None),
        ("1e3", None),
        ("inf", None),
        ("", None),
        ("liver", None),
        ("9" * 5000, None),
        ("٣", None),
    ],
)
def test_whole_number_accepts_digits_only(text, value):
    assert whole_number(text) == value


def test_read_text_drops_the_byte_order_mark_and_keeps_line_ends(tmp_path):
    (tmp_path / "a").write_bytes(b"\xef\xbb\xbf\xc3\xa9\r\n")
    assert read_text(tmp_path / "a") == "é\r\n"


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_read_text_accepts_utf_16_with_a_byte_order_mark(tmp_path, encoding):
    mark = codecs.BOM_UTF16_BE if encoding == "utf-16-be" else b""
    (tmp_path / "a").write_bytes(mark + "é\r\n".encode(encoding))
    assert read_text(tmp_path / "a") == "é\r\n"


def test_decode_uses_the_declared_encoding_unless_there_is_a_byte_order_mark():
    assert decode("é".encode("latin-1"), "latin-1") == "é"
    assert decode("é".encode("utf-8-sig"), "latin-1") == "é"
    with pytest.raises(LookupError):
        decode(b"a", "no-such-encoding")


@pytest.mark.parametrize("content", ["é".encode("latin-1"), b"\xff\xfea"])
def test_read_text_rejects_other_encodings(tmp_path, content):
    (tmp_path / "a.txt").write_bytes(content)
    with pytest.raises(InputError, match=r"a\.txt: cannot be read as UTF-8"):
        read_text(tmp_path / "a.txt")


def test_files_below_are_sorted_without_hidden_files_and_folders(tmp_path):
    for name in ("b.TXT", "a/c.txt", "a.txt/d.txt", ".hidden.txt", ".git/e.txt", "f.xml"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = [path.relative_to(tmp_path).as_posix() for path in files_below(tmp_path, ".txt")]
    assert found == ["a/c.txt", "a.txt/d.txt", "b.TXT"]


def test_files_below_accepts_a_hidden_folder(tmp_path):
    folder = tmp_path / ".cache"
    folder.mkdir()
    (folder / "a.txt").touch()
    assert files_below(folder, ".txt") == [folder / "a.txt"]
