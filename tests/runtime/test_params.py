"""params.yaml: every key typed, ranged, commented and at its default; every fault named at once."""

import re
from pathlib import Path

import pytest
import yaml

from automedsam.runtime.errors import InputError
from automedsam.runtime.params import AutoMedSAMConfig, StageParams, load_config, load_params
from repository import ROOT


@pytest.fixture
def load(tmp_path):
    """Load a params.yaml of this text."""

    def load_text(text):
        (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
        return load_config(tmp_path / "params.yaml")

    return load_text


def test_committed_file_holds_every_key_at_its_default():
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert values.keys() == AutoMedSAMConfig.model_fields.keys()
    assert load_config(ROOT / "params.yaml") == AutoMedSAMConfig()


def test_defaults_read_like_the_committed_file():
    assert repr(AutoMedSAMConfig()) == repr(load_config(ROOT / "params.yaml"))


def test_every_key_has_a_comment_on_its_line():
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    commented = [found[1] for line in lines if (found := re.match(r"(\w+):(?: \S+)?\s+# \S", line))]
    assert sorted(commented) == sorted(AutoMedSAMConfig.model_fields)


def test_a_key_left_out_has_its_default(load):
    assert load("epochs: 3\n") == AutoMedSAMConfig(epochs=3)


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001", "'1e-05'"])
def test_small_number_is_a_number_however_it_is_written(load, text):
    assert load(f"learning_rate: {text}").learning_rate == 1e-5


@pytest.mark.parametrize(
    ("text", "value"), [("no", False), ("false", False), ("yes", True), ("true", True)]
)
def test_yaml_booleans_are_booleans(load, text, value):
    assert load(f"use_amp: {text}").use_amp is value


def test_paths_and_null_are_read(load):
    config = load(
        "data_dir: scans/raw\nmedsam_checkpoint: weights/medsam.pth\ntrain_cases: null\nclass_ids:
        [1, 3]\n"
    )
    assert (config.data_dir, config.medsam_checkpoint) == (
        Path("scans/raw"),
        Path("weights/medsam.pth"),
    )
    assert (config.train_cases, config.class_ids) == (None, [1, 3])


def test_all_faults_are_named_in_one_error(load):
    with pytest.raises(InputError) as caught:
        load(
            "lr: 0.1\nepochs: 0\nbatch_size: many\ndataset: mnist\nlearning_rate: .nan\nclass_ids:
            [1, 2.5]\n"
        )
    for fault in (
        "params.yaml: lr: no such key",
        "epochs: Input should be greater than or equal to 1, found 0",
        "batch_size: Input should be a valid integer",
        "found 'many'",
        "dataset: Input should be 'synthetic', 'folder', 'hc18', 'acdc' or 'camus', found 'mnist'",
        "learning_rate: Input should be a finite number, found nan",
        "class_ids: expected null, or ids or names and lists of such, found [1, 2.5]",
    ):
        assert fault in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("train_cases", "-3"),
        ("train_cases", "0"),
        ("class_ids", "[]"),
        ("class_ids", "3"),
        ("class_ids", "[true]"),
        ("boxes_per_object", "all"),
        ("min_object_px", "0"),
        ("keep_empty", "perhaps"),
        ("box_jitter", "-1"),
        ("box_jitter", "1.5"),
        ("box_margin", "-1"),
        ("slice_axis", "z"),
        ("window_low", "dark"),
        ("val_fraction", "0"),
        ("val_fraction", "1"),
        ("test_fraction", "1.5"),
        ("backbone", "vit_b"),
        ("device", "gpu"),
        ("use_amp", "maybe"),
        ("augmentations", "flip"),
        ("augmentations", "[mirror]"),
        ("views", "-1"),
        ("prompting", "guess"),
        ("prompt_source", "null"),
        ("sparse_prompt", "null"),
        ("epochs", "2.5"),
        ("epochs", "true"),
        ("steps_per_epoch", "0"),
        ("batch_size", "null"),
        ("learning_rate", "0"),
        ("learning_rate", ".inf"),
        ("learning_rate", "fast"),
        ("weight_decay", "-1"),
        ("seed", "-1"),
        ("save_every", "0"),
        ("lambda_pseudo", "-1"),
        ("lambda_box", "-1"),
        ("lambda_tightness", "-0.1"),
        ("lambda_size", ".nan"),
        ("barrier_t", "0"),
        ("band_width", "0"),
        ("size_lower", "-0.1"),
        ("size_upper", "1.1"),
    ],
)
def test_value_out_of_range_or_type_is_refused_by_key(load, key, value):
    with pytest.raises(InputError, match=rf"params\.yaml: {key}(\.0(\.int)?)?: .*found"):
        load(f"{key}: {value}\n")


def test_group_by_needs_a_group(load):
    with pytest.raises(
        InputError,
        match=r"group_by: expected a regular expression with a group in parenth.* found 'p",
    ):
        load(r"group_by: 'p\d+'")


def test_group_by_needs_to_be_a_regular_expression(load):
    with pytest.raises(
        InputError, match=r"group_by: expected a regular expression \(.*\), found '\('"
    ):
        load("group_by: '('")


@pytest.mark.parametrize(("lower", "upper"), [(0.9, 0.5), (0.5, 0.5)])
def test_size_bounds_need_to_be_in_order(load, lower, upper):
    with pytest.raises(
        InputError, match=rf"size_lower must be below size_upper, found {lower} and {upper}"
    ):
        load(f"size_lower: {lower}\nsize_upper: {upper}\n")


def test_fractions_need_to_leave_some_to_train_on(load):
    with pytest.raises(InputError, match=r"val_fraction \+ test_fraction must be below 1"):
        load("val_fraction: 0.5\ntest_fraction: 0.5\n")


def test_faults_of_two_pairs_are_both_named(load):
    with pytest.raises(InputError, match=r"(?=.*size_lower)(?=.*val_fraction)"):
        load("size_lower: 0.9\nsize_upper: 0.5\nval_fraction: 0.5\ntest_fraction: 0.5\n")


@pytest.mark.parametrize(("low", "high"), [("-100", "null"), ("null", "40")])
def test_a_window_needs_both_its_ends(load, low, high):
    with pytest.raises(InputError, match="window_low and window_high must come together"):
        load(f"window_low: {low}\nwindow_high: {high}\n")


@pytest.mark.parametrize(("low", "high"), [(40, -100), (40, 40)])
def test_a_window_needs_to_be_in_order(load, low, high):
    with pytest.raises(
        InputError, match=rf"window_low must be below window_high, found {low}\.0 and {high}\.0"
    ):
        load(f"window_low: {low}\nwindow_high: {high}\n")


def test_a_window_may_lie_about_zero(load):
    config = load("dataset: folder\nwindow_low: -160\nwindow_high: 240\n")
    assert (config.window_low, config.window_high) == (-160, 240)


@pytest.mark.parametrize("line", ["annotations: boxes.csv", "group_by: '(p)'"])
@pytest.mark.parametrize("dataset", ["synthetic", "hc18"])
def test_what_belongs_to_a_folder_is_refused_elsewhere(load, line, dataset):
    with pytest.raises(
        InputError,
        match=rf"{line.split(':')[0]} belongs to dataset: folder, found it with {dataset}",
    ):
        load(f"dataset: {dataset}\n{line}\n")
    assert load(f"dataset: folder\n{line}\n").dataset == "folder"


def test_classes_are_named_in_annotations_and_numbered_in_masks(load):
    assert load("dataset: folder\nannotations: a.json\nclass_ids: [1, lung]\n").class_ids == [
        1,
        "lung",
    ]
    assert load("class_ids: [1, 2]\n").class_ids == [1, 2]
    for found in ("[1, lung]", "[0]", "[2, -1]"):
        with pytest.raises(
            InputError, match="class_ids of masks must be whole numbers over 0, found"
        ):
            load(f"class_ids: {found}\n")
    assert load("dataset: folder\nannotations: a.txt\nclass_ids: [0]\n").class_ids == [
        0
    ]  # YOLO's first


def test_mask_ids_are_numbers_over_0_that_go_with_annotations(load):
    annotated = "dataset: folder\nannotations: a.csv\n"
    assert load(f"{annotated}mask_ids: [1, 3]\n").mask_ids == [1, 3]
    for found in ("[0]", "[lung]", "[]", "1", "[true]"):
        with pytest.raises(InputError, match=r"params\.yaml: mask_ids"):
            load(f"{annotated}mask_ids: {found}\n")
    with pytest.raises(
        InputError, match=r"mask_ids belongs to annotations, found \[3\] without; class_ids are"
    ):
        load("dataset: folder\nmask_ids: [3]\n")


def test_jitter_loosens_no_box_that_somebody_drew(load):
    with pytest.raises(
        InputError, match="box_jitter loosens boxes from masks, found 3 with annotations"
    ):
        load("dataset: folder\nannotations: a.csv\nbox_jitter: 3\n")
    assert load("dataset: folder\nannotations: a.csv\nbox_jitter: 0\n").box_jitter == 0
    assert load("dataset: folder\nbox_jitter: 3\n").box_jitter == 3


@pytest.mark.parametrize(
    ("key", "lines"),
    [("slice_axis", "slice_axis: axial"), ("window_low", "window_low: 0\nwindow_high: 9"),
     ("window_high", "window_low: 0\nwindow_high: 9")],
)  # fmt: skip
def test_what_belongs_to_images_from_files_is_refused_of_synthetic_ones(load, key, lines):
    with pytest.raises(
        InputError, match=f"{key} belongs to images from files, found it with dataset: synthetic"
    ):
        load(f"{lines}\n")
    for dataset in ("folder", "hc18"):
        assert load(f"dataset: {dataset}\n{lines}\n").dataset == dataset
    assert load("slice_axis: auto\nwindow_low: null\nwindow_high: null\n").slice_axis == "auto"


def test_changes_take_the_place_of_the_files_values(tmp_path):
    (tmp_path / "params.yaml").write_text("epochs: 7\nseed: 1\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  train:\n    params:\n      - epochs\n      - seed\n"
    )
    params = load_params("train", tmp_path, {"epochs": 9})
    assert (params.epochs, params.seed) == (9, 1)
    with pytest.raises(InputError, match=r"params\.yaml: epoch: no such key"):
        load_params("train", tmp_path, {"epoch": 9})


@pytest.mark.parametrize(
    "text", ["", "- epochs\n", "epochs\n", "epochs: [\n", "epochs: 3\n\tseed: 1\n", "1: 2\n"]
)
def test_file_without_keys_and_values_is_named(load, text):
    with pytest.raises(InputError, match=r"params\.yaml: "):
        load(text)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml: "):
        load_config(tmp_path / "params.yaml")


def test_stage_gets_the_keys_that_dvc_yaml_gives_it(tmp_path):
    (tmp_path / "params.yaml").write_text("epochs: 7\n")
    (tmp_path / "dvc.yaml").write_text(
        "stages:\n  train:\n    params:\n      - epochs\n      - seed\n"
    )
    params = load_params("train", tmp_path)
    assert (params.epochs, params.seed) == (7, 0)
    with pytest.raises(
        AttributeError, match=r"stage train reads batch_size, which dvc\.yaml does not list"
    ):
        _ = params.batch_size


@pytest.mark.parametrize("stage", ["prepare", "embed", "label", "train", "evaluate"])
def test_each_stage_loads_its_own_keys_from_the_committed_files(stage):
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"][stage][
        "params"
    ]
    params = load_params(stage, ROOT)
    assert params.pick(*declared) == {key: getattr(AutoMedSAMConfig(), key) for key in declared}
    for key in AutoMedSAMConfig.model_fields.keys() - set(declared):
        assert not hasattr(params, key)


def test_picking_an_undeclared_key_is_refused():
    params = StageParams("train", {"epochs": 7, "seed": 0})
    assert params.pick("seed", "epochs") == {"seed": 0, "epochs": 7}
    with pytest.raises(AttributeError, match="stage train reads device"):
        params.pick("seed", "device")


def test_text_of_the_keys_is_sorted_and_the_same_in_any_order():
    one = StageParams("train", {"seed": 0, "data_dir": Path("data/raw"), "save_every": None})
    other = StageParams("train", {"save_every": None, "seed": 0, "data_dir": Path("data/raw")})
    assert list(one.as_text().items()) == [
        ("data_dir", "data/raw"),
        ("save_every", "None"),
        ("seed", "0"),
    ]
    assert list(one.as_text().items()) == list(other.as_text().items())


def test_what_is_predicted_directly_is_refused_where_the_object_is_located(load):
    with pytest.raises(
        InputError, match="sparse_prompt belongs to prompting: direct, found tokens with locate"
    ):
        load("sparse_prompt: tokens\n")
    assert load("prompting: direct\nsparse_prompt: tokens\n").sparse_prompt == "tokens"


@pytest.mark.parametrize("kind", ["point", "tokens"])
def test_the_loss_of_predicted_boxes_wants_predicted_boxes(load, kind):
    load(f"prompting: direct\nsparse_prompt: {kind}\n")
    load(f"prompting: direct\nsparse_prompt: {kind}\nlambda_box: 0\n")  # the recipe as published
    with pytest.raises(
        InputError, match=f"lambda_box belongs to sparse_prompt: box, found 0.5 with {kind}"
    ):
        load(f"prompting: direct\nsparse_prompt: {kind}\nlambda_box: 0.5\n")


def test_an_item_of_the_classes_is_a_class_and_a_list_in_it_is_one_too(load):
    assert load("class_ids: [[1, 2], 3]\n").class_ids == [[1, 2], 3]
    annotated = "dataset: folder\nannotations: a.csv\n"
    config = load(f"{annotated}class_ids: [liver, [left, 7]]\nmask_ids: [1, [2, 3]]\n")
    assert (config.class_ids, config.mask_ids) == (["liver", ["left", 7]], [1, [2, 3]])


@pytest.mark.parametrize(
    ("lines", "fault"),
    [
        ("class_ids: [1, [2, 1]]", "class_ids must hold no id twice, found 1 more than once"),
        (
            "class_ids: [1, [2, 0]]",
            r"class_ids of masks must be whole numbers over 0, found \[1, \[2, 0\]\]",
        ),
        (
            "class_ids: [[1, 2], 1+2]\ndataset: folder\nannotations: a.csv",
            r"must differ in their names, found 1\+2 more",
        ),
        (f"class_ids: {list(range(1, 300))}", "class_ids must be at most 255 classes, found 299"),
        (
            "class_ids: [1, []]",
            r"class_ids: expected null, or ids or names and lists of such, found \[1, \[\]\]",
        ),
        (
            "class_ids: [1, [[2]]]",
            "class_ids: expected null, or ids or names and lists of such, found",
        ),
        (
            "class_ids: [1, 2]\nprompting: direct",
            r"several classes want prompting: locate, found \[1, 2\] with direct",
        ),
    ],
)
def test_classes_that_cannot_be_are_refused(load, lines, fault):
    with pytest.raises(InputError, match=fault):
        load(f"{lines}\n")


def test_one_class_of_several_ids_can_be_prompted_directly(load):
    assert load("class_ids: [[1, 2]]\nprompting: direct\n").prompting == "direct"


def test_values_of_test_masks_are_told_of_each_class_or_of_none(load):
    annotated = "dataset: folder\nannotations: a.csv\n"
    assert load(f"{annotated}class_ids: [liver]\nmask_ids: [1, 2]\n").mask_ids == [1, 2]
    assert load(f"{annotated}class_ids: [liver, spleen]\n").mask_ids is None
    expected = (
        r"mask_ids must have an item for each of class_ids, \['liver', 'spleen'\], found \[1\]"
    )
    with pytest.raises(InputError, match=expected):
        load(f"{annotated}class_ids: [liver, spleen]\nmask_ids: [1]\n")
    with pytest.raises(InputError, match="mask_ids must hold no id twice, found 4 more than once"):
        load(f"{annotated}class_ids: [liver, spleen]\nmask_ids: [4, [3, 4]]\n")
