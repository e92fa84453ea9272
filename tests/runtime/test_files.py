"""Atomic files and folders, and tables and metrics with finite numbers."""

import csv
import json
import sys

import numpy as np
import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.files import atomic_file, atomic_folder, write_metrics, write_table


class StoppedError(Exception):
    pass


def stop_after_writing(path, error=StoppedError):
    path.write_text("half")
    raise error


def test_atomic_folder_replaces_the_previous_folder(tmp_path):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with atomic_folder(tmp_path / "out") as folder:
        assert list(folder.iterdir()) == []
        (folder / "new").write_text("new")
        assert (tmp_path / "out" / "old").is_file()
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "new"]


def test_atomic_folder_creates_its_parents(tmp_path):
    with atomic_folder(tmp_path / "data" / "out") as folder:
        (folder / "new").write_text("new")
    assert (tmp_path / "data" / "out" / "new").read_text() == "new"


@pytest.mark.parametrize("error", [StoppedError, KeyboardInterrupt, SystemExit])
def test_atomic_folder_keeps_the_previous_folder_on_error(tmp_path, error):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "old").write_text("old")
    with pytest.raises(error), atomic_folder(tmp_path / "out") as folder:
        stop_after_writing(folder / "new", error)
    assert [path.name for path in tmp_path.rglob("*")] == ["out", "old"]
    assert (tmp_path / "out" / "old").read_text() == "old"


def test_atomic_folder_leaves_nothing_on_error(tmp_path):
    with pytest.raises(StoppedError), atomic_folder(tmp_path / "out") as folder:
        stop_after_writing(folder / "new")
    assert list(tmp_path.iterdir()) == []


def test_atomic_file_replaces_the_previous_file(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    with atomic_file(tmp_path / "out.txt") as building:
        building.write_text("new")
        assert (tmp_path / "out.txt").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert (tmp_path / "out.txt").read_text() == "new"


def test_atomic_file_creates_its_parents(tmp_path):
    with atomic_file(tmp_path / "metrics" / "out.txt") as building:
        building.write_text("new")
    assert (tmp_path / "metrics" / "out.txt").read_text() == "new"


def test_atomic_file_keeps_the_previous_file_on_error(tmp_path):
    (tmp_path / "out.txt").write_text("old")
    with pytest.raises(StoppedError), atomic_file(tmp_path / "out.txt") as building:
        stop_after_writing(building)
    assert [path.name for path in tmp_path.iterdir()] == ["out.txt"]
    assert (tmp_path / "out.txt").read_text() == "old"


def test_atomic_file_leaves_nothing_on_error(tmp_path):
    with pytest.raises(StoppedError), atomic_file(tmp_path / "out.txt") as building:
        stop_after_writing(building)
    assert list(tmp_path.iterdir()) == []


def test_write_metrics_keeps_six_significant_digits(tmp_path):
    metrics = {"dice": 0.123456789, "loss": 1234567.8, "tiny": 1.23456789e-9, "cases": 1234567}
    write_metrics(tmp_path / "m.json", metrics)
    text = (tmp_path / "m.json").read_text()
    assert json.loads(text) == {
        "dice": 0.123457,
        "loss": 1234570.0,
        "tiny": 1.23457e-09,
        "cases": 1234567,
    }
    assert text.endswith("}\n")


def test_write_table_rounds_numbers_and_leaves_none_empty(tmp_path):
    rows = [
        {"case": "a,b", "dice": 0.123456789, "hd95": None},
        {"case": "c", "dice": 1.0, "hd95": 2.0},
    ]
    write_table(tmp_path / "t.csv", rows)
    assert (tmp_path / "t.csv").read_bytes() == b'case,dice,hd95\n"a,b",0.123457,\nc,1.0,2.0\n'


def test_write_table_writes_exactly_the_given_columns(tmp_path):
    rows = [{"case": "a", "dice": 0.5}, {"case": "b", "left_empty": 1.0, "note": "x"}]
    write_table(tmp_path / "t.csv", rows, ["case", "hd95", "left_empty", "dice"])
    assert (tmp_path / "t.csv").read_bytes() == b"case,hd95,left_empty,dice\na,,,0.5\nb,,1.0,\n"


def test_write_table_without_rows_writes_the_header(tmp_path):
    write_table(tmp_path / "t.csv", [], ["volume", "slices"])
    assert (tmp_path / "t.csv").read_bytes() == b"volume,slices\n"


def test_write_table_keeps_integers_beside_empty_fields(tmp_path):
    write_table(tmp_path / "t.csv", [{"slice": None, "px": 1}, {"slice": np.int64(3)}])
    assert (tmp_path / "t.csv").read_bytes() == b"slice,px\n,1\n3,\n"


def test_numpy_floats_are_written_like_python_floats(tmp_path):
    write_metrics(tmp_path / "m.json", {"dice": np.float64(0.1234567)})
    write_table(tmp_path / "t.csv", [{"dice": np.float64(0.1234567)}])
    assert json.loads((tmp_path / "m.json").read_text()) == {"dice": 0.123457}
    with (tmp_path / "t.csv").open() as table:
        assert list(csv.reader(table)) == [["dice"], ["0.123457"]]


@pytest.mark.parametrize("number", [1234567, np.int64(1234567), np.uint32(1234567)])
def test_integers_are_not_rounded(tmp_path, number):
    write_metrics(tmp_path / "m.json", {"px": number})
    write_table(tmp_path / "t.csv", [{"px": number}])
    assert (tmp_path / "m.json").read_text() == '{\n  "px": 1234567\n}\n'
    assert (tmp_path / "t.csv").read_text() == "px\n1234567\n"


@pytest.mark.parametrize(
    "value", [float("nan"), float("inf"), float("-inf"), np.float64("nan"), np.float32("nan")]
)
def test_non_finite_numbers_are_rejected_by_row_and_key(tmp_path, value):
    (tmp_path / "t.csv").write_text("old")
    rows = [{"dice": 1.0, "loss": 2.0}, {"dice": value, "loss": 2.0}, {"dice": 1.0, "loss": value}]
    with pytest.raises(InputError, match=rf"t\.csv: .* row 2, dice: {value}; row 3, loss: {value}"):
        write_table(tmp_path / "t.csv", rows)
    with pytest.raises(
        InputError, match=rf"m\.json: numbers must be finite, found .*dice: {value}"
    ):
        write_metrics(tmp_path / "m.json", {"loss": 1.0, "dice": value})
    assert [path.name for path in tmp_path.iterdir()] == ["t.csv"]
    assert (tmp_path / "t.csv").read_text() == "old"


@pytest.mark.skipif(sys.platform == "win32", reason="the whole path is limited there")
def test_a_name_may_be_as_long_as_the_file_system_allows(tmp_path):
    with atomic_file(tmp_path / (255 * "a")) as building:
        building.write_text("new")
    assert (tmp_path / (255 * "a")).read_text() == "new"


def test_a_file_that_cannot_be_written_is_named(tmp_path):
    (tmp_path / "a.csv").mkdir()
    with pytest.raises(InputError, match=r"a\.csv: cannot write the file \(.*directory"):
        write_table(tmp_path / "a.csv", [{"dice": 1}])
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"b\.csv: cannot write the file \("):
        write_table(tmp_path / "file/b.csv", [{"dice": 1}])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.csv", "file"]


def test_texts_that_are_not_utf_8_are_escaped_in_tables(tmp_path):
    write_table(tmp_path / "t.csv", [{"image": "caf\udce9.png"}, {"image": "\u65e5"}])
    assert (tmp_path / "t.csv").read_text(encoding="utf-8") == "image\ncaf\\udce9.png\n\u65e5\n"
