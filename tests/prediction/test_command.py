"""The command `predict`: its messages, and scans that are skipped."""

import csv
import os
import sys
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

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
        "read 3, skipped 0",
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
    lines = str(caught.value).splitlines()
    assert [line.split(": ")[0] for line in lines[1:-1]] == [
        str(inputs / "broken.png"),
        str(inputs / "empty.tif"),
    ]
    assert (lines[0], lines[-1]) == ("2 faults:", "read 3, skipped 2: 2 with a fault")
    assert capsys.readouterr().out.splitlines()[-1] == f"wrote 3 masks to {tmp_path / 'out'}"
    assert (tmp_path / "out/predictions.csv").is_file()


def test_of_many_broken_scans_five_are_listed(predict, inputs: Path, tmp_path: Path):
    for number in range(8):
        (inputs / f"broken_{number}.png").touch()
    with pytest.raises(InputError) as caught:
        predict(inputs, "--out", tmp_path / "out")
    lines = str(caught.value).splitlines()
    assert [lines[0], *lines[-2:]] == [
        "8 faults:",
        "and 3 more; --verbose prints all of them",
        "read 3, skipped 8: 8 with a fault",
    ]
    assert len(lines) == 8


def test_files_in_other_formats_are_counted(predict, inputs: Path, tmp_path: Path, capsys):
    (inputs / "a.mha").touch()
    (inputs / "b.nrrd").touch()
    predict(inputs, "--out", tmp_path / "out", "--quiet")
    assert capsys.readouterr().err == "warning: read 3, skipped 2: 1 .mha, 1 .nrrd\n"
    (inputs / "broken.png").touch()
    with pytest.raises(
        InputError, match=r"\nread 3, skipped 3: 1 with a fault, 1 \.mha, 1 \.nrrd$"
    ):
        predict(inputs, "--out", tmp_path / "out", "--quiet")


def images_of(table: Path) -> list[str]:
    with table.open(newline="", encoding="utf-8") as file:
        return sorted({Path(row["image"]).name for row in csv.DictReader(file)})


def test_a_mask_that_cannot_be_written_does_not_stop_the_others(
    predict, inputs: Path, tmp_path: Path
):
    out = tmp_path / "out"
    (out / "grey.png").mkdir(parents=True)
    with pytest.raises(InputError) as caught:
        predict(inputs, "--out", out)
    lines = str(caught.value).splitlines()
    assert lines[1].startswith(f"{out / 'grey.png'}: cannot write the file (")
    assert lines[-1] == "read 2, skipped 1: 1 with a fault"
    assert images_of(out / "predictions.csv") == ["colour.png", "volume.nii.gz"]


def test_a_table_that_cannot_be_written_is_a_fault(predict, inputs: Path, tmp_path: Path):
    (tmp_path / "out/predictions.csv").mkdir(parents=True)
    with pytest.raises(InputError, match=r"predictions\.csv: cannot write the file"):
        predict(inputs, "--out", tmp_path / "out")
    assert (tmp_path / "out/grey.png").is_file()


@pytest.mark.parametrize("error", [RuntimeError("a bug"), MemoryError()])
def test_an_unexpected_fault_of_one_scan_does_not_stop_the_others(
    predict, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
):
    open_scan = command.open_scan

    def open_all_but_grey(path: Path, *arguments: object):
        if path.name == "grey.png":
            raise error
        return open_scan(path, *arguments)

    monkeypatch.setattr(command, "open_scan", open_all_but_grey)
    with pytest.raises(InputError, match=rf"grey\.png: {type(error).__name__}: {error}"):
        predict(inputs, "--out", tmp_path / "out")
    assert images_of(tmp_path / "out/predictions.csv") == ["colour.png", "volume.nii.gz"]


def test_tables_are_written_after_ctrl_c(
    predict, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    open_scan = command.open_scan

    def stop_at_the_volume(path: Path, *arguments: object):
        if path.name == "volume.nii.gz":
            raise KeyboardInterrupt
        return open_scan(path, *arguments)

    monkeypatch.setattr(command, "open_scan", stop_at_the_volume)
    with pytest.raises(KeyboardInterrupt):
        predict(inputs, "--out", tmp_path / "out")
    assert images_of(tmp_path / "out/predictions.csv") == ["colour.png", "grey.png"]


def test_a_volume_without_a_real_spacing_is_named(predict, tmp_path: Path, capsys):
    voxels = np.random.default_rng(0).integers(0, 99, (6, 8, 2)).astype(np.int16)
    for name, affine in (("a", np.eye(4)), ("b", np.diag([-1, -1, 1, 1])), ("c", 2 * np.eye(4))):
        nib.save(nib.Nifti1Image(voxels, affine), tmp_path / f"{name}.nii")
    names = [tmp_path / f"{name}.nii" for name in "abc"]
    predict(*names, "--out", tmp_path / "out", "--quiet")
    assert capsys.readouterr().err == (
        "warning: 2 volumes with voxels of 1 mm at the origin (a.nii, b.nii): if the spacing was "
        "lost when the files were made, all values in mm are wrong\n"
    )


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="names must be UTF-8 there")
def test_names_that_are_long_or_not_utf_8_get_masks(predict, inputs: Path, tmp_path: Path):
    long = inputs / f"{250 * 'a'}.jpg"
    (inputs / "grey.png").rename(inputs / os.fsdecode(b"caf\xe9.png"))
    Image.fromarray(np.zeros((8, 8), np.uint8)).save(tmp_path / "a.jpg")
    (tmp_path / "a.jpg").rename(long)
    predict(inputs, "--out", tmp_path / "out", "--overlay", "--soft")
    assert (tmp_path / "out" / f"{250 * 'a'}.png").is_file()
    assert b"caf\\udce9.png" in (tmp_path / "out/predictions.csv").read_bytes()
    assert len(list((tmp_path / "out").iterdir())) == 4 + 2 + 2


def test_invalid_inputs_are_rejected_before_the_model_is_loaded(predict, tmp_path: Path):
    (tmp_path / "model.safetensors").unlink()
    with pytest.raises(InputError, match=r"gone: no such file or folder"):
        predict(tmp_path / "gone", "--out", tmp_path / "out")
    assert not (tmp_path / "out").exists()
