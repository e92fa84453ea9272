"""How a script ends, in a process of its own: exit status and what stands on stderr."""

import subprocess
import sys

import pytest

from repository import STAGES


@pytest.fixture
def run_script(tmp_path):
    """Run a script whose main() has this body."""

    def run_main(body, *arguments, about=None):
        script = tmp_path / "measure.py"
        script.write_text(
            "from automedsam.runtime.errors import InputError\n"
            "from automedsam.runtime.script import run\n"
            f"def main():\n    {body}\n"
            f"run(main, {about!r})\n"
            "print('after')\n"
        )
        return subprocess.run(
            [sys.executable, script, *arguments],
            env={"PYTHONPATH": str(STAGES)},
            capture_output=True,
            text=True,
            timeout=30,
        )

    return run_main


def test_script_that_ends_well_has_status_0_and_goes_on(run_script):
    ended = run_script("print('done')")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\nafter\n", "")


def test_bad_input_is_one_line_and_status_1(run_script):
    ended = run_script("raise InputError('a.png: expected an image, found none')")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "measure: a.png: expected an image, found none\n"


def test_cause_of_bad_input_is_not_printed(run_script):
    ended = run_script("raise InputError('a.png: broken') from OSError('errno 5')")
    assert ended.stderr == "measure: a.png: broken\n"


def test_ctrl_c_is_one_line_and_status_130(run_script):
    ended = run_script("raise KeyboardInterrupt")
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "measure: stopped by hand\n"


@pytest.mark.parametrize("error", ["ValueError('a bug')", "OSError('a bug')", "KeyError('a bug')"])
def test_traceback_of_a_bug_is_shown(run_script, error):
    ended = run_script(f"raise {error}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Traceback (most recent call last):")
    assert "measure.py" in ended.stderr
    assert "a bug" in ended.stderr.splitlines()[-1]


def test_a_script_without_arguments_tells_what_it_does_and_takes_no_others(run_script):
    told = run_script("print('done')", "--help", about="images -> masks\n\n    python measure.py")
    assert (told.returncode, told.stderr) == (0, "")
    assert told.stdout.startswith(
        "usage: measure.py [-h]\n\nimages -> masks\n\n    python measure.py\n"
    )
    refused = run_script("print('done')", "--epochs=3", about="images -> masks")
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.endswith("measure.py: error: unrecognized arguments: --epochs=3\n")
    assert run_script("print('done')", about="images -> masks").stdout == "done\nafter\n"


@pytest.mark.parametrize(
    "stage", ["prepare", "embed", "train", "evaluate", "render", "download", "predict", "slices"]
)
def test_every_script_tells_what_it_does(tmp_path, stage):
    command = [sys.executable, STAGES / f"{stage}.py", "--help"]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (told.returncode, told.stderr) == (0, "")
    assert f"python stages/{stage}.py" in told.stdout
    assert not [*tmp_path.iterdir()]
