"""Repro, experiments and comparing branches, with the real DVC in a real clone."""

import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from docs_pages import bash_commands
from repository import ROOT
from workspace import SMALL, Workspace, copy_project, stages_run

pytestmark = pytest.mark.slow
STAGES = ["prepare", "embed", "label", "train", "evaluate", "render"]


@pytest.fixture(scope="module")
def reproduced(tmp_path_factory: pytest.TempPathFactory) -> Workspace:
    """A clone in which `dvc repro` has run, with few steps, and its results are committed."""
    root = tmp_path_factory.mktemp("pipeline") / "project"
    root.mkdir()
    workspace = copy_project(root, **SMALL)
    workspace.dvc("repro")
    workspace.commit("results")
    return workspace


def test_results_are_complete_and_sound(reproduced: Workspace):
    summary = json.loads(reproduced.read("metrics/summary.json"))
    assert summary["n_cases"] == 60
    for key in ("dice", "iou", "true_box_dice", "mean_box_dice", "box_fill_dice"):
        assert 0 <= summary[key] <= 1
    assert summary["true_box_dice"] >= 0.95
    assert len(reproduced.read("metrics/per_case.csv").splitlines()) == 61
    assert len(reproduced.read("plots/train.csv").splitlines()) == 3
    assert len(list((reproduced.root / "data/pseudo_labels").iterdir())) == 4
    assert reproduced.read("plots/pseudo_labels.png").startswith(b"\x89PNG")
    snapshots = {path.name for path in (reproduced.root / "plots/snapshots").iterdir()}
    assert snapshots == {
        f"{name}.png" for name in ("worst", "median", "best", "fixed_1", "fixed_2", "fixed_3")
    }


def test_second_repro_runs_nothing(reproduced: Workspace):
    printed = reproduced.dvc("repro")
    assert stages_run(printed) == []
    assert [f"Stage '{stage}' didn't change, skipping" in printed for stage in STAGES] == [True] * 6
    assert reproduced.git("status", "--porcelain") == ""


def test_fresh_clone_without_cache_gives_the_same_bytes(reproduced: Workspace, tmp_path: Path):
    clone = reproduced.clone(tmp_path / "clone")
    printed = clone.dvc("repro")
    assert set(stages_run(printed)) >= {"prepare", "embed", "label", "train", "evaluate"}
    assert clone.git("status", "--porcelain") == ""


def test_a_lambda_and_epochs_rerun_train_evaluate_and_render_only(
    reproduced: Workspace, tmp_path: Path
):
    workspace = with_cache(reproduced, tmp_path / "clone")
    printed = workspace.dvc(
        "exp", "run", "--set-param", "lambda_size=0.05", "--set-param", "epochs=3"
    )
    assert stages_run(printed) == ["train", "evaluate", "render"]


def test_metrics_of_two_branches_differ_in_a_clone_without_cache(
    reproduced: Workspace, tmp_path: Path
):
    workspace = with_cache(reproduced, tmp_path / "first")
    workspace.git("checkout", "--quiet", "-b", "larger")
    workspace.dvc(
        "exp", "run", "--set-param", "lambda_size=0.5", "--set-param", "learning_rate=1e-05"
    )
    workspace.commit("a larger lambda_size")
    clone = workspace.clone(tmp_path / "second")
    diff = json.loads(
        clone.run(
            sys.executable, "-m", "dvc", "metrics", "diff", "origin/main", "origin/larger", "--json"
        )
    )
    dice = diff["metrics/summary.json"]["dice"]
    assert dice["old"] != dice["new"]
    (command,) = commands_of_the_docs("dvc metrics diff ")
    assert command[2:4] == ["main", "my-branch"]
    header, *rows = clone.dvc(
        *command[:2], "origin/main", "origin/larger", *command[4:]
    ).splitlines()
    assert header.split()[:2] == ["Path", "Metric"]
    assert [row.split()[0] for row in rows] == ["metrics/summary.json"] * len(rows)
    assert "dice" in [row.split()[1] for row in rows[:3]]
    assert not (clone.root / ".dvc/cache").exists()


def test_temporary_experiment_changes_no_workspace_and_embeds_nothing(
    reproduced: Workspace, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    workspace = with_cache(reproduced, tmp_path / "clone")
    printed = workspace.dvc(
        "exp", "run", "--temp", "--name", "aside", "--set-param", "prompting=direct"
    )
    assert stages_run(printed) == ["train", "evaluate", "render"]
    assert workspace.git("status", "--porcelain") == ""
    monkeypatch.setenv("COLUMNS", "100")
    (command,) = commands_of_the_docs("dvc exp show ")
    rows = workspace.dvc(*command).splitlines()
    header = next(row for row in rows if "Experiment" in row)
    assert header.split() == ["Experiment", "dice", "best_val_box_iou", "lambda_size"]
    assert any("[aside]" in row for row in rows)
    assert max(map(len, rows)) <= 100
    assert "\N{HORIZONTAL ELLIPSIS}" not in "".join(rows)


def commands_of_the_docs(start: str) -> list[list[str]]:
    """The arguments of each command of dvc in docs/experiments.md that begins like this."""
    commands = dict.fromkeys(bash_commands(ROOT / "docs/experiments.md"))
    return [shlex.split(command)[1:] for command in commands if command.startswith(start)]


def test_queued_experiments_run(reproduced: Workspace, tmp_path: Path):
    workspace = with_cache(reproduced, tmp_path / "clone")
    workspace.dvc("exp", "run", "--queue", "--set-param", "lambda_size=0.02,0.03")
    workspace.dvc("queue", "start", "--jobs", "1")
    deadline = time.monotonic() + 300
    while (status := workspace.dvc("queue", "status")).count("Success") < 2:
        assert time.monotonic() < deadline, status
        assert "Failed" not in status, status
        time.sleep(2)
    shown = workspace.dvc("exp", "show", "--csv")
    assert "0.02" in shown
    assert "0.03" in shown


@pytest.mark.parametrize("override", ["lambda_sise=0.05", "lambda_size=large", "backbone=sam_huge"])
def test_mistyped_override_fails_and_changes_nothing(
    reproduced: Workspace, tmp_path: Path, override: str
):
    workspace = with_cache(reproduced, tmp_path / "clone")
    lock = workspace.read("dvc.lock")
    printed = workspace.dvc("exp", "run", "--temp", "--set-param", override, status=None)
    assert override.split("=")[0] in printed
    assert workspace.read("dvc.lock") == lock
    assert workspace.git("status", "--porcelain") == ""
    assert stages_run(workspace.dvc("repro")) == []


def test_failed_experiment_can_be_undone_as_the_docs_describe(
    reproduced: Workspace, tmp_path: Path
):
    workspace = with_cache(reproduced, tmp_path / "clone")
    printed = workspace.dvc("exp", "run", "--set-param", "lambda_size=-1", status=None)
    assert "lambda_size: must be greater than or equal to 0, found -1" in printed
    workspace.git("checkout", "--", "params.yaml", "dvc.lock", "metrics", "plots")
    workspace.dvc("checkout")
    assert workspace.git("status", "--porcelain") == ""
    assert stages_run(workspace.dvc("repro")) == []


def test_comment_in_the_encoder_code_embeds_nothing(reproduced: Workspace, tmp_path: Path):
    workspace = with_cache(reproduced, tmp_path / "clone")
    with (workspace.root / "stages/automedsam/backbone/fast_encoder.py").open(
        "a", encoding="utf-8"
    ) as file:
        file.write("# a comment\n")
    printed = workspace.dvc("repro", "embed")
    assert stages_run(printed) == ["embed"]
    assert "0 images to embed, 88 in the store" in printed


def test_one_more_view_embeds_that_view_only(reproduced: Workspace, tmp_path: Path):
    workspace = with_cache(reproduced, tmp_path / "clone")
    workspace.set_params(views=2)
    assert "4 images to embed, 88 in the store" in workspace.dvc("repro", "embed")
    assert len(list((workspace.root / "data/embeddings/views/2").iterdir())) == 4


@pytest.mark.skipif(os.name == "nt", reason="signals a process group")
def test_ctrl_c_leaves_no_model_and_a_later_run_resumes_to_the_same_bytes(
    reproduced: Workspace, tmp_path: Path
):
    workspace = with_cache(reproduced, tmp_path / "clone")
    lock = workspace.read("dvc.lock")
    workspace.set_params(epochs=16)
    status, printed = interrupt(
        workspace, [sys.executable, "-m", "dvc", "repro", "train"], after_epoch=3
    )
    assert status != 0
    assert "train: interrupted" in printed
    assert not (workspace.root / "data/model").exists()
    assert workspace.read("dvc.lock") == lock
    assert "resuming" not in train_with_changed_code(workspace)
    assert interrupt(workspace, [sys.executable, "stages/train.py"], after_epoch=7)[0] == 130
    assert not (workspace.root / "data/model").exists()

    assert "resuming the training" in workspace.dvc("repro", "train")
    resumed = (
        workspace.read("data/model/prompt_module.safetensors"),
        workspace.read("plots/train.csv"),
    )
    workspace.dvc("repro", "--force", "--single-item", "train")
    assert resumed == (
        workspace.read("data/model/prompt_module.safetensors"),
        workspace.read("plots/train.csv"),
    )


def train_with_changed_code(workspace: Workspace) -> str:
    """Train for an epoch with a comment added to a room, and return what was printed."""
    module = workspace.root / "stages/automedsam/supervision/box_losses.py"
    code = module.read_bytes()
    module.write_bytes(code + b"# a comment\n")
    (workspace.root / "plots/train.csv").unlink()
    command = [sys.executable, "stages/train.py"]
    status, printed = interrupt(workspace, command, after_epoch=1)
    module.write_bytes(code)
    assert status == 130
    return printed


def interrupt(workspace: Workspace, command: list[str], after_epoch: int) -> tuple[int, str]:
    """Press Ctrl-C, which reaches the whole process group; return exit code and output."""
    running = subprocess.Popen(
        command,
        cwd=workspace.root,
        env=workspace.environment,
        start_new_session=True,
        # a background job of a shell, as tests may be, hands on that it ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        encoding="utf-8",
    )
    history = workspace.root / "plots/train.csv"
    deadline = time.monotonic() + 120
    while (
        not history.exists() or len(history.read_text(encoding="utf-8").splitlines()) <= after_epoch
    ):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    os.killpg(running.pid, signal.SIGINT)
    printed, _ = running.communicate(timeout=60)
    return running.returncode, printed


def with_cache(workspace: Workspace, root: Path) -> Workspace:
    """A clone that shares the caches of another, so that it starts with everything reproduced."""
    clone = workspace.clone(root)
    clone.dvc("cache", "dir", "--local", str(workspace.root / ".dvc/cache"))
    shutil.copytree(workspace.root / ".cache", clone.root / ".cache")
    clone.dvc("checkout")
    return clone
