"""The index of cases: what is written comes back, whatever the cases are called."""

import pytest

from automedsam.boxes import EMPTY
from automedsam.cases import Case, read_index, write_index
from automedsam.errors import InputError

CASES = [
    Case("b", "patient_1", "train", 12, 20, (2, 3, 9, 7)),
    Case("a", "patient_2", "test", 12, 20, EMPTY),
    Case("c", "patient_3", "val", 30, 40, (0, 0, 40, 30)),
]


def test_index_is_a_plain_table_sorted_by_name(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert (tmp_path / "index.csv").read_bytes().decode() == (
        "case,group,split,height,width,x_min,y_min,x_max,y_max\n"
        "a,patient_2,test,12,20,0,0,0,0\n"
        "b,patient_1,train,12,20,2,3,9,7\n"
        "c,patient_3,val,30,40,0,0,40,30\n"
    )


def test_cases_come_back_sorted_and_unchanged(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert read_index(tmp_path / "index.csv") == sorted(CASES, key=lambda case: case.name)


def test_index_does_not_depend_on_the_order_of_cases(tmp_path):
    write_index(tmp_path / "one.csv", CASES)
    write_index(tmp_path / "other.csv", CASES[::-1])
    assert (tmp_path / "one.csv").read_bytes() == (tmp_path / "other.csv").read_bytes()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_one_split_is_read_alone(tmp_path, split):
    write_index(tmp_path / "index.csv", CASES)
    assert read_index(tmp_path / "index.csv", split) == [case for case in CASES if case.split == split]


@pytest.mark.parametrize("name", ["001", "1e5", "NA", "null", "True", "a,b", 'a"b', "été", " a "])
def test_names_that_look_like_something_else_stay_as_they_are(tmp_path, name):
    case = Case(name, name, "train", 1, 1, (0, 0, 1, 1))
    write_index(tmp_path / "index.csv", [case])
    assert read_index(tmp_path / "index.csv") == [case]


def test_missing_index_is_told_with_what_to_do(tmp_path):
    with pytest.raises(InputError, match=r"index\.csv: expected the index .* found no such file; run `dvc repro`"):
        read_index(tmp_path / "index.csv")


def test_columns_of_another_table_are_named(tmp_path):
    (tmp_path / "index.csv").write_text("name,box\na,3\n")
    with pytest.raises(InputError, match=r"index\.csv: expected the columns case, group, .* found name, box"):
        read_index(tmp_path / "index.csv")


def test_only_the_empty_box_means_no_object():
    assert [case.has_object for case in CASES] == [True, False, True]
    assert Case("d", "d", "train", 4, 4, (0, 0, 1, 1)).has_object


def test_image_size_is_height_then_width():
    assert CASES[0].image_size == (12, 20)
