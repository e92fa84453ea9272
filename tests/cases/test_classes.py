"""Tests of classes: pixels in masks, names of files and figures, and the table of classes."""

from pathlib import Path

import numpy as np
import pytest

from automedsam.cases.classes import (
    SINGLE_CLASS_VALUE,
    Classes,
    ObjectClass,
    label_mask,
    read_classes,
    to_json,
    write_classes,
)
from automedsam.cases.colours import CLASS_COLOURS, GREEN, ORANGE, SKY
from automedsam.runtime.errors import InputError

LIVER, SPLEEN = ObjectClass("liver", 1), ObjectClass("spleen", 7)
SINGLE, SEVERAL = Classes([SPLEEN]), Classes([LIVER, SPLEEN])
NAMED = Classes([ObjectClass("null", 1), ObjectClass('left, "upper"', 2), ObjectClass("3", 255)])


def test_takes_accepts_any_of_the_ids_or_names():
    kidneys = ObjectClass("kidneys", 1, ids=("left", 5))
    assert kidneys.takes((2, "left"))
    assert kidneys.takes((5, "right"))
    assert not kidneys.takes((2, "liver"))
    assert ObjectClass("object", 255, ids=None).takes((9,))


@pytest.mark.parametrize("dtype", [np.int16, np.int64, np.uint8])
@pytest.mark.parametrize(
    ("mask_values", "expected"),
    [
        (None, [False, False, True, True, True]),
        ((2,), [False, False, False, True, False]),
        ((200, 1), [False, False, True, False, True]),
        ((7,), [False] * 5),
        ((456,), [False] * 5),  # 200 + 256, which 8 bits cannot represent
    ],
)
def test_mask_of_selects_mask_values_or_all_above_0(mask_values, expected, dtype):
    raw = np.array([[0, -1, 1, 2, 200]]).clip(0 if dtype == np.uint8 else -1).astype(dtype)
    mask = ObjectClass("object", 255, mask_values=mask_values).mask_of(raw)
    assert (mask.dtype, mask.tolist()) == (bool, [expected])


def test_label_mask_contains_the_values_of_the_classes():
    raw_mask = np.array([[0, 1, 2], [3, 600, 1]])
    several = Classes(
        [ObjectClass("1+600", 1, mask_values=(1, 600)), ObjectClass("3", 3, mask_values=(3,))]
    )
    single = Classes([ObjectClass("object", SINGLE_CLASS_VALUE, mask_values=None)])
    labels = label_mask(raw_mask, several)
    assert (labels.dtype, labels.tolist()) == (np.uint8, [[0, 1, 0], [3, 1, 1]])
    assert label_mask(raw_mask, single).tolist() == [[0, 255, 255], [255, 255, 255]]


def test_values_and_names_have_the_order_of_the_classes():
    classes = Classes([SPLEEN, LIVER])
    assert classes.values == [7, 1]
    assert classes.names == ["spleen", "liver"]
    assert list(classes) == [SPLEEN, LIVER]


def test_is_single():
    assert SINGLE.is_single
    assert not SEVERAL.is_single


def test_folder_of_several_classes_is_named_by_the_value():
    assert SINGLE.folder_of(Path("labels"), SPLEEN) == Path("labels")
    assert [SEVERAL.folder_of(Path("labels"), cls) for cls in SEVERAL] == [
        Path("labels/1"),
        Path("labels/7"),
    ]


def test_key_of_several_classes_ends_with_the_value():
    assert SINGLE.key_of("a", SPLEEN) == "a"
    assert [SEVERAL.key_of("a", cls) for cls in SEVERAL] == ["a/1", "a/7"]


def test_suffix_of_several_classes_is_the_name():
    assert SINGLE.suffix_of(SPLEEN) == ""
    assert [SEVERAL.suffix_of(cls) for cls in SEVERAL] == ["_of_liver", "_of_spleen"]


def test_label_of_several_classes_ends_with_the_name():
    assert SINGLE.label_of("a", SPLEEN) == "a"
    assert [SEVERAL.label_of("a", cls) for cls in SEVERAL] == ["a, liver", "a, spleen"]
    assert SEVERAL.label_of("a", LIVER, separator="\n") == "a\nliver"


def test_colour_of_a_single_class_is_the_given_one():
    assert SINGLE.colour_of(SPLEEN, single=GREEN) == GREEN


def test_colours_of_several_classes_differ_and_repeat_after_seven():
    classes = Classes(ObjectClass(str(value), value) for value in range(1, 10))
    colours = [classes.colour_of(cls, single=GREEN) for cls in classes]
    assert len(set(colours[:7])) == 7
    assert colours == [*CLASS_COLOURS, ORANGE, SKY]


def test_read_classes_restores_any_name(tmp_path):
    write_classes(tmp_path / "classes.csv", NAMED)
    classes = read_classes(tmp_path / "classes.csv")
    assert classes == NAMED
    assert isinstance(classes, Classes)


def test_write_classes_writes_a_table_of_names_and_values(tmp_path):
    write_classes(tmp_path / "classes.csv", Classes([ObjectClass("1+2", 1), ObjectClass("3", 3)]))
    assert (tmp_path / "classes.csv").read_bytes() == b"class,value\n1+2,1\n3,3\n"


def test_to_json_keeps_the_order():
    assert to_json(Classes([SPLEEN, LIVER])) == '{"spleen": 7, "liver": 1}'


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (None, "no such file; run `dvc repro`"),
        ("", "not a table of classes: No columns"),
        ("name,value\na,1\n", "expected the columns class, value, found name, value"),
        ("class,value\na,b\n", "not a table of classes: invalid literal"),
    ],
)
def test_read_classes_reports_a_file_that_is_not_a_table_of_classes(tmp_path, content, fault):
    if content is not None:
        (tmp_path / "classes.csv").write_text(content)
    with pytest.raises(InputError, match=rf"classes\.csv: {fault}"):
        read_classes(tmp_path / "classes.csv")


def test_a_threshold_applies_to_a_class_of_all_values():
    raw_mask = np.array([[0, 100, 127, 128, 255]])
    blurred = Classes([ObjectClass("object", 255, None, None, threshold=127)])
    assert label_mask(raw_mask, blurred).tolist() == [[0, 0, 0, 255, 255]]
