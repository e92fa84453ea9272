"""Tests of the index of cases: the files, and that reading restores what was written."""

from dataclasses import replace

import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.cases.index import read_index, read_splits, write_index
from automedsam.runtime.errors import InputError

OBJECT = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
VOLUME = {
    "volume": "v",
    "volume_slices": 30,
    "has_mask": True,
    "spacing_mm": (5, 0.703125, 1.5),
    "value_range": (0, 65535),
}


def make_case(name, group, split, size, boxes_xyxy=(), **fields):
    return Case(name, group, split, *size, {SINGLE_CLASS_VALUE: boxes_xyxy}, **fields)


CASES = [
    make_case(
        "b",
        "patient_1",
        "train",
        (12, 20),
        ((2, 3, 9, 7), (0, 0, 1, 1)),
        value_range=(-1000.5, 400),
    ),
    make_case("v_s002", "v", "test", (8, 9), ((1, 1, 3, 2),), slice=2, **VOLUME),
    make_case("v_s000", "v", "test", (8, 9), slice=0, **VOLUME),
    make_case("a", "patient_2", "test", (12, 20), has_mask=True),
    make_case("c", "patient_3", "val", (30, 40), ((0, 0, 40, 30),)),
]


def test_write_index_writes_a_table_sorted_by_name(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert (tmp_path / "index.csv").read_bytes().decode() == (
        "case,group,split,volume,slice,of_slices,height,width,mask,"
        "slice_mm,row_mm,column_mm,value_low,value_high\n"
        "a,patient_2,test,,,,12,20,1,,,,,\n"
        "b,patient_1,train,,,,12,20,0,,,,-1000.5,400\n"
        "c,patient_3,val,,,,30,40,0,,,,,\n"
        "v_s000,v,test,v,0,30,8,9,1,5,0.703125,1.5,0,65535\n"
        "v_s002,v,test,v,2,30,8,9,1,5,0.703125,1.5,0,65535\n"
    )


def test_write_index_writes_boxes_of_test_cases_to_a_file_of_their_own(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert (tmp_path / "boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nb,255,2,3,9,7\nb,255,0,0,1,1\nc,255,0,0,40,30\n"
    )
    assert (tmp_path / "test_boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nv_s002,255,1,1,3,2\n"
    )


def test_boxes_of_several_classes_are_stored_with_the_values_of_their_classes(tmp_path):
    classes = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2), ObjectClass("3", 3)])
    boxes = {1: ((2, 3, 9, 7), (4, 4, 9, 9)), 2: (), 3: ((0, 0, 1, 1),)}
    case = Case("m", "m", "train", 12, 20, boxes)
    empty = Case("n", "n", "train", 12, 20, {1: (), 2: (), 3: ()})
    write_index(tmp_path / "index.csv", [case, empty])
    assert (tmp_path / "boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nm,1,2,3,9,7\nm,1,4,4,9,9\nm,3,0,0,1,1\n"
    )
    assert read_index(tmp_path / "index.csv", classes) == [case, empty]


def test_boxes_of_test_cases_do_not_change_the_files_of_training(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    before = [(tmp_path / name).read_bytes() for name in ("index.csv", "boxes.csv")]
    changed = replace(CASES[1], boxes={SINGLE_CLASS_VALUE: ((0, 0, 8, 8),)})
    write_index(tmp_path / "index.csv", [changed, CASES[0], *CASES[2:]])
    assert [(tmp_path / name).read_bytes() for name in ("index.csv", "boxes.csv")] == before
    (tmp_path / "test_boxes.csv").unlink()
    for split in ("train", "val"):
        expected = [case for case in CASES if case.split == split]
        assert read_index(tmp_path / "index.csv", OBJECT, split) == expected


def test_read_splits_requires_no_file_of_boxes(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    for name in ("boxes.csv", "test_boxes.csv"):
        (tmp_path / name).unlink()
    splits = read_splits(tmp_path / "index.csv")
    assert list(splits.items()) == [
        ("a", "test"),
        ("b", "train"),
        ("c", "val"),
        ("v_s000", "test"),
        ("v_s002", "test"),
    ]


def test_read_index_returns_the_written_cases_sorted(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    expected = sorted(CASES, key=lambda case: case.name)
    assert read_index(tmp_path / "index.csv", OBJECT) == expected


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_read_index_returns_a_single_case(tmp_path, case):
    write_index(tmp_path / "index.csv", [case])
    assert read_index(tmp_path / "index.csv", OBJECT) == [case]


def test_read_index_of_no_cases_is_empty(tmp_path):
    write_index(tmp_path / "index.csv", [])
    assert read_index(tmp_path / "index.csv", OBJECT) == []


def test_read_index_returns_python_numbers(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    case = read_index(tmp_path / "index.csv", OBJECT)[-1]
    box = case.boxes[SINGLE_CLASS_VALUE][0]
    integers = [case.height, case.width, case.slice, case.volume_slices, *box]
    assert {type(number) for number in integers} == {int}
    assert {type(number) for number in (*case.spacing_mm, *case.value_range)} == {float}
    assert type(case.has_mask) is bool


def test_write_index_does_not_depend_on_the_order_of_cases(tmp_path):
    for folder, cases in (("one", CASES), ("other", CASES[::-1])):
        (tmp_path / folder).mkdir()
        write_index(tmp_path / folder / "index.csv", cases)
    for name in ("index.csv", "boxes.csv", "test_boxes.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_read_index_reads_one_split(tmp_path, split):
    write_index(tmp_path / "index.csv", CASES)
    expected = sorted((case for case in CASES if case.split == split), key=lambda case: case.name)
    assert read_index(tmp_path / "index.csv", OBJECT, split) == expected


@pytest.mark.parametrize("name", ["001", "1e5", "NA", "null", "True", "a,b", 'a"b', "été", " a "])
def test_read_index_keeps_names_that_resemble_other_types(tmp_path, name):
    boxes_xyxy = ((0, 0, 1, 1),)
    case = make_case(name, name, "train", (1, 1), boxes_xyxy, volume=name, slice=0, volume_slices=2)
    write_index(tmp_path / "index.csv", [case])
    assert read_index(tmp_path / "index.csv", OBJECT) == [case]


@pytest.mark.parametrize("name", ["index.csv", "boxes.csv", "test_boxes.csv"])
def test_a_missing_file_is_reported_with_the_command_that_writes_it(tmp_path, name):
    write_index(tmp_path / "index.csv", CASES)
    (tmp_path / name).unlink()
    with pytest.raises(InputError, match=rf"{name}: no such file; run `dvc repro`, .* prepare"):
        read_index(tmp_path / "index.csv", OBJECT)


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("index.csv", "case, group, split"),
        ("boxes.csv", "case, class, x_min"),
        ("test_boxes.csv", "case, class, x_min"),
    ],
)
def test_columns_of_another_table_are_reported(tmp_path, name, first):
    write_index(tmp_path / "index.csv", CASES)
    (tmp_path / name).write_text("name,box\na,3\n")
    with pytest.raises(
        InputError, match=rf"{name}: expected the columns {first}, .* found name, box"
    ):
        read_index(tmp_path / "index.csv", OBJECT)


def test_a_file_that_is_not_a_table_is_reported(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    (tmp_path / "index.csv").write_bytes(b"")
    with pytest.raises(InputError, match=r"index\.csv: not a table of the prepare stage: ."):
        read_index(tmp_path / "index.csv", OBJECT)
