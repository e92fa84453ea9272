"""The command `predict`: its messages, and scans that are skipped."""

import sys
from pathlib import Path

import pytest

from automedsam.backbone.weights import Weights
from automedsam.prediction import command
from automedsam.runtime.errors import InputError
from prediction_inputs import write_inputs
from saved_models import save_model


@pytest.fixture
def predict(tiny_weights: Weights, tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Run the command with a small model and more arguments, in this process."""
    model = save_model(tmp_path / "model.safetensors", tiny_weights)

    def run(*arguments: object) -> None:
        options = ["--model", model, "--device", "cpu"]
        monkeypatch.setattr(sys, "argv", ["predict.py", *map(str, [*arguments, *options])])
        command.main()

    return run


@pytest.fixture
def inputs(tmp_path: Path) -> Path:
    return write_inputs(tmp_path / "in")


def test_predict_prints_model_and_number_of_masks(predict, inputs: Path, tmp_path: Path, capsys):
    predict(inputs, "--out", tmp_path / "out")
    assert capsys.readouterr().out.splitlines() == [
        "sam_test on cpu in float32: 3 scans",
        f"wrote 3 masks to {tmp_path / 'out'}",
    ]


def test_quiet_prints_nothing(predict, inputs: Path, tmp_path: Path, capsys):
    predict(inputs, "--out", tmp_path / "out", "--quiet")
    printed = capsys.readouterr()
    assert (printed.out, printed.err) == ("", "")
    assert (tmp_path / "out/grey.png").is_file()


def test_broken_scans_are_skipped_and_listed(predict, inputs: Path, tmp_path: Path, capsys):
    (inputs / "broken.png").write_text("not an image", encoding="utf-8")
    (inputs / "empty.tif").touch()
    with pytest.raises(InputError) as caught:
        predict(inputs, "--out", tmp_path / "out")
    first, *others = str(caught.value).splitlines()
    assert first == "3 masks written, 2 scans skipped:"
    assert [line.split(":")[0] for line in others] == [
        str(inputs / "broken.png"),
        str(inputs / "empty.tif"),
    ]
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote 3 masks to {tmp_path / 'out'}"
    assert (tmp_path / "out/predictions.csv").is_file()


def test_invalid_inputs_are_rejected_before_the_model_is_loaded(predict, tmp_path: Path):
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"gone: no such file or folder"):
        predict(tmp_path / "gone", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
