"""Reading params.yaml for a stage, changes of single keys, and messages about invalid files."""

import shlex
from argparse import ArgumentTypeError
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides, to_hydra_overrides

from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.loading import (
    format_change,
    load_config,
    load_params,
    parse_change,
)
from automedsam.runtime.parameters.stages import (
    EmbedParams,
    EvaluateParams,
    LabelParams,
    PrepareParams,
    TrainParams,
)
from repository import ROOT

STAGES = [PrepareParams, EmbedParams, LabelParams, TrainParams, EvaluateParams]


@pytest.fixture
def write(tmp_path, monkeypatch):
    """Write a params.yaml into the working folder."""
    monkeypatch.chdir(tmp_path)
    return Path("params.yaml").write_text


def test_all_faults_are_reported_in_one_error(rejection):
    message = rejection(
        "lr: 0.1\n"
        "epochs: 0\n"
        "batch_size: many\n"
        "dataset: mnist\n"
        "learning_rate: .nan\n"
        "class_ids: [1, 2.5]\n"
        "group_by: '(p'\n"
    )
    faults = message.split("; params.yaml: ")
    assert sorted(fault.removeprefix("params.yaml: ") for fault in faults) == [
        "batch_size: must be a whole number, found 'many'",
        "class_ids: must be null or a non-empty list of ids or names, or of such lists, "
        "found [1, 2.5]",
        "dataset: must be 'synthetic', 'folder', 'hc18', 'acdc' or 'camus', found 'mnist'",
        "epochs: must be greater than or equal to 1, found 0",
        "group_by: must be a valid regular expression (missing ), unterminated subpattern at "
        "position 0), found '(p'",
        "learning_rate: must be a finite number, found nan",
        "lr: no such key",
    ]


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("data_dir: 3", "data_dir: must be a path, found 3"),
        ("epochs: null", "epochs: must be a whole number, found None"),
        ("epochs: 2.5", "epochs: must be a whole number, found 2.5"),
        ("learning_rate: fast", "learning_rate: must be a number, found 'fast'"),
        ("learning_rate: [1]", "learning_rate: must be a number, found [1]"),
        ("use_amp: maybe", "use_amp: must be true or false, found 'maybe'"),
        ("use_amp: null", "use_amp: must be true or false, found None"),
        ("epochs: true", "epochs: must not be true or false, found True"),
        ("augmentations: flip", "augmentations: must be a list, found 'flip'"),
        ("group_by: 3", "group_by: must be a text, found 3"),
        ("size_upper: 2", "size_upper: must be less than or equal to 1, found 2"),
        ("val_fraction: 1", "val_fraction: must be auto or a number from 0 to below 1, found 1"),
        (
            "train_cases: 0",
            "train_cases: must be auto, null or a whole number of at least 1, found 0",
        ),
    ],
)
def test_messages_name_file_key_requirement_and_value(rejection, line, expected):
    assert rejection(line) == f"params.yaml: {expected}"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("class_idz: 3", "class_idz: no such key (did you mean class_ids?)"),
        ("epoch: 3", "epoch: no such key (did you mean epochs?)"),
        ("Seed: 3", "Seed: no such key (did you mean seed?)"),
        ("learning-rate: 3", "learning-rate: no such key (did you mean learning_rate?)"),
        ("xyz: 3", "xyz: no such key"),
    ],
)
def test_the_most_similar_key_is_suggested(rejection, line, expected):
    assert rejection(line) == f"params.yaml: {expected}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", "expected keys and values, found None"),
        ("- epochs\n", "expected keys and values, found ['epochs']"),
        ("epochs\n", "expected keys and values, found 'epochs'"),
        ("1: 2\n", "expected keys and values, found {1: 2}"),
        ("epochs: [\n", "not valid YAML: "),
        ("epochs: 3\n\tseed: 1\n", "not valid YAML: "),
    ],
)
def test_a_file_without_keys_and_values_is_rejected(rejection, text, expected):
    assert rejection(text).startswith(f"params.yaml: {expected}")


def test_a_file_in_another_encoding_is_rejected(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_bytes("# gew\xe4hlt\nepochs: 3\n".encode("latin-1"))
    with pytest.raises(InputError, match=r"params\.yaml: not UTF-8 text"):
        load_config(path)


def test_a_missing_file_is_reported(tmp_path):
    with pytest.raises(InputError, match=r"params\.yaml: no such file; run this in the folder"):
        load_config(tmp_path / "params.yaml")
    with pytest.raises(InputError, match=r"params\.yaml: no such file"):
        load_params(TrainParams, folder=tmp_path)


@pytest.mark.parametrize("stage", STAGES)
def test_each_stage_loads_its_own_keys_from_the_committed_file(stage):
    params = load_params(stage, folder=ROOT)
    assert type(params) is stage
    assert params.model_dump() == stage().model_dump()
    assert repr(params) == repr(stage())
    for key in AutoMedSAMConfig.model_fields.keys() - stage.model_fields.keys():
        assert not hasattr(params, key)


def test_params_of_a_stage_are_validated_values(write):
    write(
        "learning_rate: '1e-05'\nmedsam_checkpoint: a/b.pth\nepochs: '7'\nuse_amp: 'no'\n"
        "lambda_size: 1\n",
        encoding="utf-8",
    )
    params = load_params(TrainParams)
    assert (type(params.learning_rate), params.learning_rate) == (float, 1e-5)
    assert params.medsam_checkpoint == Path("a/b.pth")
    assert (type(params.epochs), params.epochs) == (int, 7)
    assert params.use_amp is False
    assert (type(params.lambda_size), params.lambda_size) == (float, 1.0)
    assert TrainParams.model_validate(params.model_dump()) == params


def test_keys_without_a_value_in_the_file_have_defaults(write):
    write("epochs: 7\n", encoding="utf-8")
    params = load_params(TrainParams)
    assert (params.epochs, params.seed) == (7, 0)


def test_params_of_a_stage_hold_every_key_in_a_fixed_order(write):
    write("seed: 1\nepochs: 7\n", encoding="utf-8")
    one = load_params(TrainParams).model_dump_json()
    write("epochs: 7\nseed: 1\n", encoding="utf-8")
    assert load_params(TrainParams).model_dump_json() == one


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("epochs: 0", "epochs: must be greater than or equal to 1, found 0"),
        ("lr: 1", "lr: no such key"),
        ("size_lower: 0.95", "size_lower must be below size_upper, found 0.95 and 0.9"),
    ],
)
def test_a_stage_rejects_invalid_keys_of_other_stages(write, line, expected):
    write(f"{line}\n", encoding="utf-8")
    with pytest.raises(InputError) as caught:
        load_params(PrepareParams)
    assert str(caught.value) == f"params.yaml: {expected}"


def test_changes_replace_the_values_of_the_file(write):
    write("epochs: 7\nseed: 1\n", encoding="utf-8")
    params = load_params(TrainParams, {"epochs": "9"})
    assert (params.epochs, params.seed) == (9, 1)
    assert load_config(Path("params.yaml"), {"epochs": 9}).epochs == 9
    with pytest.raises(InputError, match=r"params\.yaml: epoch: no such key"):
        load_params(TrainParams, {"epoch": 9})


def test_a_change_can_repair_an_invalid_value(write):
    write("epochs: 0\n", encoding="utf-8")
    assert load_params(TrainParams, {"epochs": 1}).epochs == 1


def test_defaults_replace_a_missing_file_on_request(write):
    params = load_params(PrepareParams, {"dataset": "folder"}, or_defaults=True)
    assert params == PrepareParams(dataset="folder")
    with pytest.raises(InputError, match=r"^-S: epochs: must be a whole number, found 'x'"):
        load_params(PrepareParams, {"epochs": "x"}, or_defaults=True)
    write("train_cases: 3\n", encoding="utf-8")
    assert load_params(PrepareParams, or_defaults=True).train_cases == 3


@pytest.mark.parametrize(
    ("text", "key", "value"),
    [
        ("epochs=3", "epochs", 3),
        ("learning_rate=1e-05", "learning_rate", "1e-05"),
        ("train_cases=", "train_cases", None),
        ("class_ids=[[1, 2], lung]", "class_ids", [[1, 2], "lung"]),
        ("group_by=^(a=b)_", "group_by", "^(a=b)_"),
    ],
)
def test_a_change_is_a_key_and_a_yaml_value(text, key, value):
    assert parse_change(text) == (key, value)


@pytest.mark.parametrize("text", ["epochs", "", "class_ids=[1,", "group_by=%"])
def test_another_form_of_a_change_is_rejected(text):
    with pytest.raises(ArgumentTypeError) as caught:
        parse_change(text)
    assert str(caught.value) == f"expected KEY=VALUE, found {text}"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("../my_data", "data_dir=../my_data"),
        ("C:/data", "data_dir=C:/data"),
        ("../m\xfcller", "\"data_dir='../m\xfcller'\""),
        ("../my data", "\"data_dir='../my data'\""),
        ("../a#b&c=d,(e)", "\"data_dir='../a#b&c=d,(e)'\""),
        ("../$a", "'data_dir='\"'\"'../$a'\"'\"''"),
    ],
)
def test_a_change_is_quoted_for_dvc_and_for_the_shell(value, expected):
    assert format_change("data_dir", value) == expected


@pytest.mark.parametrize(
    "value",
    [
        "../a",
        "../m\xfcller/\u65e5\u672c",
        "a#b&c",
        "o'b",
        "a=b",
        "a,b",
        "(a) [b] {c}",
        "$a!",
        'a"b',
    ],
)
def test_dvc_reads_the_formatted_value(tmp_path, value):
    path = tmp_path / "params.yaml"
    path.write_text("data_dir: data/raw\n", encoding="utf-8")
    (change,) = shlex.split(format_change("data_dir", value))
    assert not any(one.is_sweep_override() for one in to_hydra_overrides([change]))
    apply_overrides(path, [change])
    assert load_config(path).data_dir == Path(value)
