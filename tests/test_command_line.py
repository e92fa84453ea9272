"""The command `automedsam`, in a folder outside the project."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

import numpy as np
import pytest
from PIL import Image

from automedsam.__main__ import COMMANDS, main
from automedsam.backbone.weights import SAM_TINY_WEIGHTS, Weights
from automedsam.runtime.options import BackboneName
from repository import STAGES
from small_data import contents, save_cases

COUNTS = "found: 12 images, 0 volumes with 0 slices, 12 groups"


@dataclass(frozen=True)
class Ended:
    """What a command returned and printed."""

    returncode: int
    stdout: str
    stderr: str


@pytest.fixture
def run_command(tmp_path, monkeypatch, capsys):
    """Run the command in this process, in an empty working folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("DVC_ROOT", raising=False)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["automedsam", *arguments])
        capsys.readouterr()
        status = 0
        try:
            main()
        except SystemExit as ended:
            status = ended.code
        printed = capsys.readouterr()
        return Ended(status, printed.out, printed.err)

    return run


def run_module(folder, *arguments):
    """Run `python -m automedsam` in a folder."""
    return subprocess.run(
        [sys.executable, "-m", "automedsam", *arguments],
        cwd=folder,
        env={"PYTHONPATH": str(STAGES)},
        capture_output=True,
        encoding="utf-8",
        timeout=120,
    )


@pytest.mark.parametrize(
    ("arguments", "status", "error"),
    [
        ([], 0, ""),
        (["train"], 2, "automedsam: error: no command 'train'; choose from "),
        (
            ["predict", "gone", "--out", "out"],
            1,
            "automedsam predict: gone: no such file or folder",
        ),
        (["weights"], 2, "usage: automedsam weights [-h]"),
    ],
)
def test_the_package_is_a_module_to_run(tmp_path, arguments, status, error):
    ended = run_module(tmp_path, *arguments)
    assert ended.returncode == status
    assert ended.stderr.startswith(error)
    assert bool(ended.stderr) == bool(error)
    assert not [*tmp_path.iterdir()]


@pytest.mark.parametrize("arguments", [[], ["--help"], ["-h"]])
def test_without_a_command_the_commands_are_listed(run_command, arguments):
    ended = run_command(*arguments)
    assert (ended.returncode, ended.stderr) == (0, "")
    usage, empty, *lines = ended.stdout.splitlines()
    assert (usage, empty) == ("usage: automedsam COMMAND ...", "")
    assert [line.split()[0] for line in lines] == list(COMMANDS)
    for line, (_, summary) in zip(lines, COMMANDS.values(), strict=True):
        assert line.endswith(f"  {summary}")


@pytest.mark.parametrize("name", ["train", "predicts", "--version", ""])
def test_an_unknown_command_is_an_error_with_exit_code_2(run_command, name):
    ended = run_command(name)
    assert (ended.returncode, ended.stdout) == (2, "")
    expected = f"no command '{name}'; choose from predict, prepare, slices, download, weights"
    assert ended.stderr == f"automedsam: error: {expected}\n"


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_describes_itself(run_command, tmp_path, name):
    ended = run_command(name, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(f"usage: automedsam {name} [-h] [-q | -v]")
    assert "--quiet" in ended.stdout
    assert not [*tmp_path.iterdir()]


def test_a_command_rejects_unknown_arguments(run_command):
    ended = run_command("weights", "sam_huge")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "automedsam weights: error: argument backbone: invalid choice" in ended.stderr


def test_a_check_needs_no_params_yaml(run_command):
    save_cases()
    before = contents(Path())
    ended = run_command("prepare", "--check", "-S", "dataset=folder", "-S", "train_cases=3")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == COUNTS
    assert lines[5].startswith("train: 3 cases of 3 groups")
    assert contents(Path()) == before


def test_a_check_reads_params_yaml(run_command):
    save_cases()
    Path("params.yaml").write_text("dataset: folder\ntrain_cases: 2\n", encoding="utf-8")
    before = contents(Path())
    ended = run_command("prepare", "--check")
    assert ended.returncode == 0
    lines = ended.stdout.splitlines()
    assert lines[0] == COUNTS
    assert lines[5].startswith("train: 2 cases of 2 groups")
    changed = run_command("prepare", "--check", "-S", "train_cases=4")
    assert changed.stdout.splitlines()[5].startswith("train: 4 cases of 4 groups")
    assert contents(Path()) == before


@pytest.mark.parametrize("has_file", [False, True])
def test_invalid_parameters_are_one_line_with_exit_code_1(run_command, has_file):
    if has_file:
        Path("params.yaml").write_text("dataset: folder\n", encoding="utf-8")
    ended = run_command("prepare", "--check", "-S", "train_cases=0", "-S", "lr=1")
    assert (ended.returncode, ended.stdout) == (1, "")
    source = "params.yaml" if has_file else "-S"
    assert ended.stderr == (
        f"automedsam prepare: {source}: train_cases: must be auto, null or a whole "
        f"number of at least 1, found 0; {source}: lr: no such key\n"
    )


def test_prepare_requires_check(run_command):
    save_cases()
    ended = run_command("prepare")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("automedsam prepare: error: requires --check")
    assert ended.stderr.count("\n") == 1
    assert not Path("data/prepared").exists()


def test_slices_writes_pictures(run_command):
    Path("in").mkdir()
    Image.fromarray(np.arange(64, dtype=np.uint8).reshape(8, 8)).save("in/a.png")
    ended = run_command("slices", "in", "--out", "out")
    assert ended.returncode == 0
    assert ended.stdout == "wrote the pictures of 1 scans to out\n"
    assert Path("out/a.png").is_file()


def test_weights_prints_path_hash_license_and_training_data(run_command):
    ended = run_command("weights", "sam_tiny")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout == (
        f"{SAM_TINY_WEIGHTS}: SHA-256 {Weights('sam_tiny').sha256()}\n"
        "license: Apache-2.0, the authors of this software\n"
        "training data: synthetic phantoms of this software only; not suited to real images\n"
    )


def test_weights_offers_every_backbone(run_command):
    ended = run_command("weights", "--help")
    assert f"{{{','.join(get_args(BackboneName))}}}" in ended.stdout


def test_predict_reports_missing_images_in_one_line(run_command, tmp_path):
    ended = run_command("predict", "gone", "--out", "out")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "automedsam predict: gone: no such file or folder\n"
    assert not [*tmp_path.iterdir()]


def test_predict_reports_a_missing_model_in_one_line(run_command):
    Image.fromarray(np.zeros((8, 8), np.uint8)).save("a.png")
    ended = run_command("predict", "a.png", "--out", "out", "--model", "gone.safetensors")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("automedsam predict: gone.safetensors: ")
    assert ended.stderr.count("\n") == 1
    assert not Path("out").exists()
