"""Rules that concern several parameters at once."""

import pytest

from automedsam.runtime.parameters.rules import conflicts
from automedsam.runtime.parameters.stages import AllParams

ANNOTATED = "dataset: folder\nannotations: a.csv\n"


def test_defaults_violate_no_rule():
    assert conflicts(AllParams()) == []


def test_each_violation_is_one_sentence():
    params = AllParams(size_lower=0.9, size_upper=0.5, val_fraction=0.5, test_fraction=0.5)
    assert len(conflicts(params)) == 2


@pytest.mark.parametrize(("lower", "upper"), [(0.9, 0.5), (0.5, 0.5)])
def test_size_bounds_must_be_in_order(rejection, lower, upper):
    message = rejection(f"size_lower: {lower}\nsize_upper: {upper}\n")
    assert message.endswith(f": size_lower must be below size_upper, found {lower} and {upper}")


def test_fractions_must_leave_training_images(rejection):
    message = rejection("val_fraction: 0.5\ntest_fraction: 0.5\n")
    assert "val_fraction + test_fraction must be below 1 to leave training images" in message
    assert message.endswith(", found 0.5 and 0.5")


def test_auto_counts_as_its_largest_share(load, rejection):
    message = rejection("val_fraction: 0.7\n")
    assert message.endswith(", found 0.7 and auto (auto is at most 0.2 and 0.3)")
    assert rejection("test_fraction: 0.8\n").endswith(
        "found auto and 0.8 (auto is at most 0.2 and 0.3)"
    )
    assert load("val_fraction: 0.65\n").val_fraction == 0.65


@pytest.mark.parametrize(
    ("low", "high", "values"),
    [("-100", "null", "-100.0 and None"), ("null", "40", "None and 40.0")],
)
def test_a_window_needs_both_ends(rejection, low, high, values):
    message = rejection(f"dataset: folder\nwindow_low: {low}\nwindow_high: {high}\n")
    assert message.endswith(f": window_low and window_high must be set together, found {values}")


@pytest.mark.parametrize(("low", "high"), [(40, -100), (40, 40)])
def test_a_window_must_be_in_order(rejection, low, high):
    message = rejection(f"dataset: folder\nwindow_low: {low}\nwindow_high: {high}\n")
    assert message.endswith(f": window_low must be below window_high, found {low}.0 and {high}.0")


def test_a_window_may_include_zero(load):
    config = load("dataset: folder\nwindow_low: -160\nwindow_high: 240\n")
    assert (config.window_low, config.window_high) == (-160, 240)


@pytest.mark.parametrize("line", ["annotations: boxes.csv", "group_by: '(p)'"])
@pytest.mark.parametrize("dataset", ["synthetic", "hc18"])
def test_keys_of_a_folder_are_rejected_for_other_datasets(load, rejection, line, dataset):
    key = line.split(":")[0]
    message = rejection(f"dataset: {dataset}\n{line}\n")
    assert message.endswith(f": {key} requires dataset: folder, found dataset: {dataset}")
    assert load(f"dataset: folder\n{line}\n").dataset == "folder"


@pytest.mark.parametrize(
    ("key", "lines"),
    [
        ("slice_axis", "slice_axis: axial"),
        ("window_low", "window_low: 0\nwindow_high: 9"),
        ("window_high", "window_low: 0\nwindow_high: 9"),
    ],
)
def test_keys_of_files_are_rejected_for_synthetic_images(load, rejection, key, lines):
    message = rejection(f"{lines}\n")
    assert f"{key} requires images from files, found dataset: synthetic" in message
    for dataset in ("folder", "hc18"):
        assert load(f"dataset: {dataset}\n{lines}\n").dataset == dataset


def test_an_unused_key_may_be_set_to_its_default(load):
    assert load("slice_axis: auto\nwindow_low: null\nwindow_high: null\n").slice_axis == "auto"
    assert load("sparse_prompt: box\nannotations: null\n").sparse_prompt == "box"


@pytest.mark.parametrize("ids", ["[1, lung]", "[0]", "[2, -1]", "[1, [2, 0]]"])
def test_class_ids_must_be_mask_values_without_annotations(rejection, ids):
    message = rejection(f"class_ids: {ids}\n")
    expected = "class_ids must be whole numbers over 0 if boxes are derived from masks, found ["
    assert expected in message


def test_class_ids_may_be_names_with_annotations(load):
    assert load(f"{ANNOTATED}class_ids: [1, lung]\n").class_ids == [1, "lung"]
    assert load("class_ids: [1, 2]\n").class_ids == [1, 2]


def test_mask_ids_require_annotations(rejection):
    assert rejection("dataset: folder\nmask_ids: [3]\n") == (
        "params.yaml: mask_ids requires annotations, found [3] without "
        "(the mask values are then class_ids)"
    )


def test_box_jitter_applies_to_boxes_from_masks_only(load, rejection):
    assert rejection(f"{ANNOTATED}box_jitter: 3\n") == (
        "params.yaml: box_jitter applies to boxes derived from masks only, found 3 with annotations"
    )
    assert load(f"{ANNOTATED}box_jitter: 0\n").box_jitter == 0
    assert load("dataset: folder\nbox_jitter: 3\n").box_jitter == 3


def test_sparse_prompt_requires_direct_prompting(load, rejection):
    message = rejection("sparse_prompt: tokens\n")
    assert message.endswith("sparse_prompt requires prompting: direct, found tokens with locate")
    assert load("prompting: direct\nsparse_prompt: tokens\n").sparse_prompt == "tokens"


@pytest.mark.parametrize("kind", ["point", "tokens"])
def test_lambda_box_requires_predicted_boxes(load, rejection, kind):
    load(f"prompting: direct\nsparse_prompt: {kind}\n")
    load(f"prompting: direct\nsparse_prompt: {kind}\nlambda_box: 0\n")  # as published
    message = rejection(f"prompting: direct\nsparse_prompt: {kind}\nlambda_box: 0.5\n")
    assert message.endswith(f"lambda_box requires sparse_prompt: box, found 0.5 with {kind}")


@pytest.mark.parametrize(
    ("lines", "expected"),
    [
        (
            "class_ids: [1, [2, 1]]",
            "class_ids must not repeat an id, found 1 more than once",
        ),
        (
            "class_ids: [[1, 2], 1+2]\ndataset: folder\nannotations: a.csv",
            "class_ids must have different names, found 1+2 more than once",
        ),
        (
            f"class_ids: {list(range(1, 300))}",
            "class_ids must have at most 255 classes, found 299",
        ),
        (
            "class_ids: [1, 2]\nprompting: direct",
            "class_ids with several classes require prompting: locate, found [1, 2] with direct",
        ),
    ],
)
def test_impossible_classes_are_rejected(rejection, lines, expected):
    assert rejection(f"{lines}\n") == f"params.yaml: {expected}"


def test_one_class_of_several_ids_can_be_prompted_directly(load):
    assert load("class_ids: [[1, 2]]\nprompting: direct\n").prompting == "direct"


def test_mask_ids_are_given_for_every_class_or_none(load, rejection):
    assert load(f"{ANNOTATED}class_ids: [liver]\nmask_ids: [1, 2]\n").mask_ids == [1, 2]
    assert load(f"{ANNOTATED}class_ids: [liver, spleen]\n").mask_ids is None
    assert rejection(f"{ANNOTATED}class_ids: [liver, spleen]\nmask_ids: [1]\n") == (
        "params.yaml: mask_ids must have one item per class in class_ids, "
        "found [1] for ['liver', 'spleen']"
    )
    message = rejection(f"{ANNOTATED}class_ids: [liver, spleen]\nmask_ids: [4, [3, 4]]\n")
    assert message.endswith("mask_ids must not repeat an id, found 4 more than once")
