"""The index of cases: what is written comes back, whatever the cases are called."""

from dataclasses import replace

import pytest

from automedsam.cases.case import Case
from automedsam.cases.index import read_index, read_splits, write_index
from automedsam.runtime.errors import InputError

CASES = [
    Case(
        "b", "patient_1", "train", 12, 20, ((2, 3, 9, 7), (0, 0, 1, 1)), value_range=(-1000.5, 400)
    ),
    Case(
        "v_s002",
        "v",
        "test",
        8,
        9,
        ((1, 1, 3, 2),),
        "v",
        2,
        30,
        True,
        (5, 0.703125, 1.5),
        (0, 65535),
    ),
    Case("v_s000", "v", "test", 8, 9, (), "v", 0, 30, True, (5, 0.703125, 1.5), (0, 65535)),
    Case("a", "patient_2", "test", 12, 20, has_mask=True),
    Case("c", "patient_3", "val", 30, 40, ((0, 0, 40, 30),)),
]


def test_index_is_a_plain_table_sorted_by_name(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert (tmp_path / "index.csv").read_bytes().decode() == (
        "case,group,split,volume,slice,of_slices,height,width,mask,slice_mm,row_mm,column_mm,value_low,value_high\n"
        "a,patient_2,test,,,,12,20,1,,,,,\n"
        "b,patient_1,train,,,,12,20,0,,,,-1000.5,400\n"
        "c,patient_3,val,,,,30,40,0,,,,,\n"
        "v_s000,v,test,v,0,30,8,9,1,5,0.703125,1.5,0,65535\n"
        "v_s002,v,test,v,2,30,8,9,1,5,0.703125,1.5,0,65535\n"
    )


def test_boxes_lie_beside_the_index_a_row_each_and_those_of_test_cases_apart(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert (tmp_path / "boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nb,,2,3,9,7\nb,,0,0,1,1\nc,,0,0,40,30\n"
    )
    assert (tmp_path / "test_boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nv_s002,,1,1,3,2\n"
    )


SEVERAL = Case(
    "m", "m", "train", 12, 20, ((2, 3, 9, 7), (0, 0, 1, 1), (4, 4, 9, 9)), box_classes=(1, 3, 1)
)


def test_boxes_of_several_classes_have_their_values_beside_them(tmp_path):
    empty = Case("n", "n", "train", 12, 20)
    write_index(tmp_path / "index.csv", [SEVERAL, empty])
    assert (tmp_path / "boxes.csv").read_bytes().decode() == (
        "case,class,x_min,y_min,x_max,y_max\nm,1,2,3,9,7\nm,3,0,0,1,1\nm,1,4,4,9,9\n"
    )
    assert read_index(tmp_path / "index.csv") == [SEVERAL, empty]


def test_a_case_of_one_class_has_its_boxes_alone():
    assert SEVERAL.of_class(1) == replace(
        SEVERAL, boxes_xyxy=((2, 3, 9, 7), (4, 4, 9, 9)), box_classes=()
    )
    assert SEVERAL.of_class(3) == replace(SEVERAL, boxes_xyxy=((0, 0, 1, 1),), box_classes=())
    assert not SEVERAL.of_class(2).has_object


def test_where_there_is_one_class_a_case_is_the_same_to_it():
    assert CASES[0].of_class(255) is CASES[0]


def test_boxes_of_test_cases_change_nothing_that_training_reads(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    read_before = [(tmp_path / name).read_bytes() for name in ("index.csv", "boxes.csv")]
    write_index(
        tmp_path / "index.csv",
        [replace(CASES[1], boxes_xyxy=((0, 0, 8, 8),)), CASES[0], *CASES[2:]],
    )
    assert [(tmp_path / name).read_bytes() for name in ("index.csv", "boxes.csv")] == read_before
    (tmp_path / "test_boxes.csv").unlink()
    for split in ("train", "val"):
        assert read_index(tmp_path / "index.csv", split) == [
            case for case in CASES if case.split == split
        ]


def test_names_and_splits_are_known_without_any_box(tmp_path):
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


def test_cases_come_back_sorted_and_unchanged(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    assert read_index(tmp_path / "index.csv") == sorted(CASES, key=lambda case: case.name)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_case_comes_back_when_it_is_the_only_one(tmp_path, case):
    write_index(tmp_path / "index.csv", [case])
    assert read_index(tmp_path / "index.csv") == [case]


def test_no_cases_come_back_as_none(tmp_path):
    write_index(tmp_path / "index.csv", [])
    assert read_index(tmp_path / "index.csv") == []


def test_numbers_come_back_as_plain_ones(tmp_path):
    write_index(tmp_path / "index.csv", CASES)
    case = read_index(tmp_path / "index.csv")[-1]
    whole = [case.height, case.width, case.slice, case.volume_slices, *case.boxes_xyxy[0]]
    assert {type(number) for number in whole} == {int}
    assert {type(number) for number in (*case.spacing_mm, *case.value_range)} == {float}
    assert type(case.has_mask) is bool


def test_index_does_not_depend_on_the_order_of_cases(tmp_path):
    for folder, cases in (("one", CASES), ("other", CASES[::-1])):
        (tmp_path / folder).mkdir()
        write_index(tmp_path / folder / "index.csv", cases)
    for name in ("index.csv", "boxes.csv", "test_boxes.csv"):
        assert (tmp_path / "one" / name).read_bytes() == (tmp_path / "other" / name).read_bytes()


@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_one_split_is_read_alone(tmp_path, split):
    write_index(tmp_path / "index.csv", CASES)
    expected = sorted((case for case in CASES if case.split == split), key=lambda case: case.name)
    assert read_index(tmp_path / "index.csv", split) == expected


@pytest.mark.parametrize("name", ["001", "1e5", "NA", "null", "True", "a,b", 'a"b', "été", " a "])
def test_names_that_look_like_something_else_stay_as_they_are(tmp_path, name):
    case = Case(name, name, "train", 1, 1, ((0, 0, 1, 1),), volume=name, slice=0, volume_slices=2)
    write_index(tmp_path / "index.csv", [case])
    assert read_index(tmp_path / "index.csv") == [case]


@pytest.mark.parametrize("name", ["index.csv", "boxes.csv", "test_boxes.csv"])
def test_missing_file_is_told_with_what_to_do(tmp_path, name):
    write_index(tmp_path / "index.csv", CASES)
    (tmp_path / name).unlink()
    with pytest.raises(
        InputError, match=rf"{name}: expected the index .* found no such file; run `dvc repro`"
    ):
        read_index(tmp_path / "index.csv")


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("index.csv", "case, group, split"),
        ("boxes.csv", "case, class, x_min"),
        ("test_boxes.csv", "case, class, x_min"),
    ],
)
def test_columns_of_another_table_are_named(tmp_path, name, first):
    write_index(tmp_path / "index.csv", CASES)
    (tmp_path / name).write_text("name,box\na,3\n")
    with pytest.raises(
        InputError, match=rf"{name}: expected the columns {first}, .* found name, box"
    ):
        read_index(tmp_path / "index.csv")


def test_a_file_that_is_no_table_is_named(tmp_path):
    (tmp_path / "index.csv").write_bytes(b"")
    with pytest.raises(
        InputError, match=r"index\.csv: expected the index that `prepare` writes, found "
    ):
        read_index(tmp_path / "index.csv")


def test_only_a_case_with_a_box_has_an_object():
    assert [case.has_object for case in CASES] == [True, True, False, False, True]


def test_image_size_is_height_then_width():
    assert CASES[0].image_size == (12, 20)
