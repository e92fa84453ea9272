"""params.yaml as a whole: the committed file, the defaults, and the range of every key."""

import re
from pathlib import Path

import pytest
import yaml

from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.loading import load_config
from repository import ROOT

# Values of a wrong type or out of range, for every key.
INVALID = [
    ("dataset", "mnist"),
    ("data_dir", "3"),
    ("annotations", "[a.csv]"),
    ("class_ids", "[]"),
    ("class_ids", "3"),
    ("class_ids", "[true]"),
    ("mask_ids", "[-1]"),
    ("boxes_per_object", "all"),
    ("min_object_px", "0"),
    ("unboxed", "perhaps"),
    ("unlabelled", "perhaps"),
    ("max_unlabelled", "0"),
    ("self_training_rounds", "-1"),
    ("keep_empty", "perhaps"),
    ("box_jitter", "-1"),
    ("box_jitter", "1.5"),
    ("slice_axis", "z"),
    ("window_low", "dark"),
    ("window_high", "bright"),
    ("group_by", "3"),
    ("val_fraction", "-0.1"),
    ("val_fraction", "1"),
    ("val_fraction", "null"),
    ("val_fraction", "automatic"),
    ("test_fraction", "1.5"),
    ("test_fraction", "true"),
    ("train_cases", "-3"),
    ("train_cases", "0"),
    ("train_cases", "2.5"),
    ("train_cases", "all"),
    ("backbone", "vit_b"),
    ("medsam_checkpoint", "3"),
    ("device", "gpu"),
    ("use_amp", "maybe"),
    ("embedding_dtype", "float32"),
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
    ("box_margin", "-1"),
]


def test_the_committed_file_holds_every_key_at_its_default():
    values = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    assert values.keys() == AutoMedSAMConfig.model_fields.keys()
    assert load_config(ROOT / "params.yaml") == AutoMedSAMConfig()


def test_defaults_have_the_types_of_loaded_values():
    assert repr(AutoMedSAMConfig()) == repr(load_config(ROOT / "params.yaml"))


def test_every_key_has_a_comment_on_its_line():
    lines = (ROOT / "params.yaml").read_text(encoding="utf-8").splitlines()
    matches = [re.match(r"(\w+):(?: \S+)?\s+# \S", line) for line in lines]
    assert sorted(match[1] for match in matches if match) == sorted(AutoMedSAMConfig.model_fields)


@pytest.mark.parametrize("key", AutoMedSAMConfig.model_fields)
def test_every_key_has_a_description_of_full_sentences(key):
    description = AutoMedSAMConfig.model_fields[key].description
    assert description
    assert description.endswith(".")
    assert "  " not in description


def test_a_missing_key_has_its_default(load):
    assert load("epochs: 3\n") == AutoMedSAMConfig(epochs=3)


@pytest.mark.parametrize("text", ["1e-05", "1.0e-5", "0.00001", "'1e-05'"])
def test_small_numbers_are_read_in_every_notation(load, text):
    assert load(f"learning_rate: {text}").learning_rate == 1e-5


@pytest.mark.parametrize(
    ("text", "value"), [("no", False), ("false", False), ("yes", True), ("true", True)]
)
def test_yaml_booleans_are_booleans(load, text, value):
    assert load(f"use_amp: {text}").use_amp is value
    assert load(f"keep_empty: {text}").keep_empty is value


def test_paths_and_null_are_read(load):
    config = load("data_dir: scans/raw\nmedsam_checkpoint: weights/medsam.pth\ntrain_cases: null\n")
    assert config.data_dir == Path("scans/raw")
    assert config.medsam_checkpoint == Path("weights/medsam.pth")
    assert config.train_cases is None


def test_every_key_has_an_invalid_value_to_test():
    assert {key for key, _ in INVALID} == set(AutoMedSAMConfig.model_fields)


@pytest.mark.parametrize(("key", "value"), INVALID)
def test_invalid_values_are_rejected_with_their_key(rejection, key, value):
    message = rejection(f"{key}: {value}\n")
    assert re.match(rf"params\.yaml: {key}(\.0)?: must .*, found ", message)


def test_all_violated_rules_are_reported_together(rejection):
    message = rejection("size_lower: 0.9\nsize_upper: 0.5\nval_fraction: 0.5\ntest_fraction: 0.5\n")
    assert message == (
        "params.yaml: size_lower must be below size_upper, found 0.9 and 0.5; "
        "val_fraction + test_fraction must be below 1 to leave training images, found 0.5 and 0.5"
    )
