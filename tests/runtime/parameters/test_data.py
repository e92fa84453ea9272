"""Parameters of the data: ids of classes and masks, and the pattern of groups."""

import pytest

CLASS_IDS = "class_ids: must be null or a non-empty list of ids or names, or of such lists, found "
MASK_IDS = "mask_ids: must be null or a non-empty list of whole numbers over 0, or of such lists"
ANNOTATED = "dataset: folder\nannotations: a.csv\n"


def test_group_by_requires_a_group(rejection):
    expected = "params.yaml: group_by: must have a group in parentheses, found 'p'"
    assert rejection("dataset: folder\ngroup_by: 'p'") == expected
    assert rejection(r"group_by: 'p\d+'").endswith(r"group in parentheses, found 'p\\d+'")


def test_group_by_requires_a_regular_expression(rejection):
    message = rejection("group_by: '('")
    assert message.startswith("params.yaml: group_by: must be a valid regular expression (")
    assert message.endswith("), found '('")


def test_group_by_may_be_a_regular_expression_or_null(load):
    assert load(r"{dataset: folder, group_by: '^(p\d+)_'}").group_by == r"^(p\d+)_"
    assert load("{dataset: folder, group_by: null}").group_by is None


def test_an_item_of_class_ids_is_an_id_or_a_list_of_ids(load):
    assert load("class_ids: [1, 3]\n").class_ids == [1, 3]
    assert load("class_ids: [[1, 2], 3]\n").class_ids == [[1, 2], 3]
    config = load(f"{ANNOTATED}class_ids: [liver, [left, 7]]\nmask_ids: [1, [2, 3]]\n")
    assert (config.class_ids, config.mask_ids) == (["liver", ["left", 7]], [1, [2, 3]])


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("[]", "[]"),
        ("3", "3"),
        ("[true]", "[True]"),
        ("[1, 2.5]", "[1, 2.5]"),
        ("[1, []]", "[1, []]"),
        ("[1, [[2]]]", "[1, [[2]]]"),
    ],
)
def test_invalid_class_ids_are_one_error(rejection, text, value):
    assert rejection(f"class_ids: {text}\n") == f"params.yaml: {CLASS_IDS}{value}"


@pytest.mark.parametrize("text", ["[0]", "[lung]", "[]", "1", "[true]"])
def test_mask_ids_must_be_numbers_over_0(rejection, text):
    message = rejection(f"{ANNOTATED}mask_ids: {text}\n")
    assert message.startswith(f"params.yaml: {MASK_IDS}, found ")


def test_mask_ids_are_read(load):
    assert load(f"{ANNOTATED}mask_ids: [1, 3]\n").mask_ids == [1, 3]


def test_a_class_id_may_be_the_zero_of_yolo(load):
    assert load("dataset: folder\nannotations: a.txt\nclass_ids: [0]\n").class_ids == [0]


@pytest.mark.parametrize(
    ("text", "expected"), [("auto", "auto"), ("0", 0), ("0.25", 0.25), ("'1e-05'", 1e-5)]
)
def test_shares_may_be_auto_or_0(load, text, expected):
    config = load(f"val_fraction: {text}\ntest_fraction: {text}\n")
    assert (config.val_fraction, config.test_fraction) == (expected, expected)


@pytest.mark.parametrize(("text", "expected"), [("auto", "auto"), ("null", None), ("7", 7)])
def test_train_cases_may_be_auto_all_or_a_number(load, text, expected):
    assert load(f"train_cases: {text}\n").train_cases == expected
