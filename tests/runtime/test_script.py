"""Scripts in a process of their own: exit codes, arguments, messages and progress bars."""

import io
import logging
import re
import subprocess
import sys

import pytest

from automedsam.runtime import script
from automedsam.runtime.script import argument_parser, parse, progress_bar, set_up_logging
from repository import STAGES

USAGE = "usage: measure.py [-h] [-q | -v]\n\nimages -> masks\n\n    python measure.py\n"
MESSAGES = (
    "parse(argument_parser('images -> masks\\n\\n    python measure.py'))\n"
    "    logging.getLogger('automedsam.stage').debug('a detail')\n"
    "    logging.getLogger('automedsam.stage').info('%d masks', 3)\n"
    "    logging.getLogger('automedsam.stage').warning('%s is empty', 'a.png')"
)
BAR = "parse(argument_parser(''))\n    print(*progress_bar('abc', 'survey', 'scan'))"
ACCENTS = (
    "set_up_logging()\n"
    "    logging.getLogger('automedsam').info('caf\\xe9.png')\n"
    "    logging.getLogger('automedsam').warning('caf\\xe9.png')"
)


@pytest.fixture
def run_script(tmp_path):
    """Run a script whose main() has this body."""

    def run_main(body, *arguments, prefix="", **environment):
        path = tmp_path / "measure.py"
        path.write_text(
            "import logging, sys\n"
            "from automedsam.runtime.errors import InputError\n"
            "from automedsam.runtime.script import *\n"
            f"def main():\n    {body}\n"
            "run(main)\n"
            "print('after')\n",
            encoding="utf-8",
        )
        command = [sys.executable, path, *arguments]
        if prefix:
            command = ["sh", "-c", f'"$@" {prefix}', "sh", *command]
        return subprocess.run(
            command,
            env={"PYTHONPATH": str(STAGES), "PYTHONIOENCODING": "utf-8", **environment},
            capture_output=True,
            encoding="utf-8",
            timeout=30,
        )

    return run_main


@pytest.fixture
def restored_logging(monkeypatch):
    """Undo what the test does to the logger of the package."""
    for name in ("handlers", "propagate", "level"):
        monkeypatch.setattr(script.logger, name, getattr(script.logger, name))


def test_a_successful_script_continues_with_exit_code_0(run_script):
    ended = run_script("print('done')")
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "done\nafter\n", "")


def test_invalid_input_is_one_line_and_exit_code_1(run_script):
    ended = run_script("raise InputError('a.png: not an image')")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr == "measure: a.png: not an image\n"


def test_no_line_is_longer_than_2000_characters(run_script):
    """A file may put a text of any length into a message."""
    ended = run_script("raise InputError('a.png: ' + 'x' * 200_000 + ' and\\nb.png: no image')")
    first, second = ended.stderr.splitlines()
    assert first.startswith("measure: a.png: xxx")
    assert first.endswith("xxx and")
    assert 1900 < len(first) <= 2000 + len("measure: ")
    assert second == "b.png: no image"
    ended = run_script("set_up_logging(); logging.getLogger('automedsam').warning('x' * 200_000)")
    assert len(ended.stderr) < 2100


def test_the_cause_of_invalid_input_is_not_printed(run_script):
    ended = run_script("raise InputError('a.png: broken') from OSError('errno 5')")
    assert ended.stderr == "measure: a.png: broken\n"


def test_ctrl_c_is_one_line_and_exit_code_130(run_script):
    ended = run_script("raise KeyboardInterrupt")
    assert (ended.returncode, ended.stdout) == (130, "")
    assert ended.stderr == "measure: interrupted\n"


@pytest.mark.parametrize("error", ["ValueError('a bug')", "OSError('a bug')", "KeyError('a bug')"])
def test_the_traceback_of_a_bug_is_printed(run_script, error):
    ended = run_script(f"raise {error}")
    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("Traceback (most recent call last):")
    assert "measure.py" in ended.stderr
    assert "a bug" in ended.stderr.splitlines()[-1]


def test_help_prints_the_description_as_it_is(run_script):
    ended = run_script(MESSAGES, "--help")
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ended.stdout.startswith(USAGE)


def test_unknown_arguments_are_rejected_with_exit_code_2(run_script):
    ended = run_script(MESSAGES, "--epochs=3")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.endswith("measure.py: error: unrecognized arguments: --epochs=3\n")


@pytest.mark.parametrize(
    ("options", "printed"),
    [
        ([], "3 masks\nafter\n"),
        (["--quiet"], "after\n"),
        (["-q"], "after\n"),
        (["--verbose"], "a detail\n3 masks\nmeasure: finished in 0.0 s\nafter\n"),
        (["-v"], "a detail\n3 masks\nmeasure: finished in 0.0 s\nafter\n"),
    ],
)
def test_messages_go_to_stdout_and_warnings_to_stderr(run_script, options, printed):
    ended = run_script(MESSAGES, *options)
    assert (ended.returncode, re.sub(r"\d+\.\d s", "0.0 s", ended.stdout)) == (0, printed)
    assert ended.stderr == "warning: a.png is empty\n"


def test_quiet_and_verbose_exclude_each_other(run_script):
    ended = run_script(MESSAGES, "--quiet", "--verbose")
    assert ended.returncode == 2
    assert "not allowed with argument" in ended.stderr.splitlines()[-1]


class Terminal(io.StringIO):
    """A stream that says it is a terminal."""

    def isatty(self):
        return True


def test_pipes_and_files_get_no_progress_bar(run_script):
    ended = run_script(BAR)
    assert (ended.stdout, ended.stderr) == ("a b c\nafter\n", "")


@pytest.mark.parametrize(("options", "is_shown"), [([], True), (["--quiet"], False)])
def test_a_terminal_gets_a_progress_bar_on_stderr_unless_quiet(
    restored_logging, monkeypatch, options, is_shown
):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    parse(argument_parser(""), options)
    assert list(progress_bar("abc", "survey", "scan")) == ["a", "b", "c"]
    assert ("survey: 100%" in terminal.getvalue()) is is_shown
    assert ("3/3" in terminal.getvalue()) is is_shown


def test_messages_that_the_terminal_cannot_show_are_escaped(run_script):
    ended = run_script(ACCENTS, PYTHONIOENCODING="ascii")
    assert (ended.returncode, ended.stdout) == (0, "caf\\xe9.png\nafter\n")
    assert ended.stderr == "warning: caf\\xe9.png\n"
    ended = run_script(ACCENTS)
    assert (ended.returncode, ended.stdout) == (0, "caf\xe9.png\nafter\n")
    assert ended.stderr == "warning: caf\xe9.png\n"


def test_prints_and_errors_that_the_terminal_cannot_show_are_escaped(run_script):
    body = r"print('\u65e5'); raise InputError('\u672c\udce9.png: broken')"
    ended = run_script(body, PYTHONIOENCODING="cp1252")
    assert (ended.returncode, ended.stdout) == (1, "\\u65e5\n")
    assert ended.stderr == "measure: \\u672c\\udce9.png: broken\n"


@pytest.mark.skipif(sys.platform == "win32", reason="needs a POSIX shell")
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
@pytest.mark.parametrize("body", [MESSAGES, BAR, ACCENTS])
def test_a_script_without_stdout_or_stderr_succeeds(run_script, closed, body):
    assert run_script(body, prefix=closed).returncode == 0


def test_parse_returns_the_arguments_and_sets_the_level(restored_logging):
    parser = argument_parser("images -> masks")
    parser.add_argument("folder")
    for options, level in (
        ([], logging.INFO),
        (["-q"], logging.WARNING),
        (["-v"], logging.DEBUG),
    ):
        assert parse(parser, ["images", *options]).folder == "images"
        assert script.logger.level == level
    assert len(script.logger.handlers) == 1
    assert not script.logger.propagate


def test_messages_do_not_tear_a_progress_bar(restored_logging, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stdout", terminal)
    monkeypatch.setattr(sys, "stderr", terminal)
    set_up_logging()
    for number in progress_bar(range(3), "survey", "scan"):
        logging.getLogger("automedsam.stage").info("scan %d", number)
    # A message starts at the beginning of a line that was cleared.
    assert [
        line.split("\r")[-1] for line in terminal.getvalue().split("\n") if "\rscan" in line
    ] == [f"scan {number}" for number in range(3)]


def test_a_progress_bar_can_start_in_the_middle(restored_logging, monkeypatch):
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    set_up_logging()
    assert list(progress_bar(iter("cd"), "train", "epoch", total=4, initial=2)) == ["c", "d"]
    assert "4/4" in terminal.getvalue()


@pytest.mark.parametrize(
    "stage",
    ["prepare", "embed", "label", "train", "evaluate", "render", "download", "predict", "slices"],
)
def test_every_script_describes_itself(tmp_path, stage):
    command = [sys.executable, STAGES / f"{stage}.py", "--help"]
    ended = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"python stages/{stage}.py" in ended.stdout
    assert not [*tmp_path.iterdir()]
