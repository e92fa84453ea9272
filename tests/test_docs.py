"""README.md, CONTRIBUTING.md and docs/: links, parameters, options, paths and Python examples."""

import importlib.util
import json
import os
import re
import runpy
import shlex
import subprocess
import sys
from argparse import ArgumentParser
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import yaml
from PIL import Image

from automedsam.__main__ import COMMANDS as AUTOMEDSAM_COMMANDS
from automedsam.backbone.weights import Weights
from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.loading import load_config
from docs_pages import PAGES, anchors, bash_commands, code_blocks, inline_code, links, read_page
from repository import ROOT, STAGES
from saved_models import save_model

MAX_README_WORDS = 800
COMMANDS = sorted({command for page in PAGES for command in bash_commands(page)})
IN_TEXT = {span for page in PAGES for span in inline_code(page)}
CHANGES = [command for command in COMMANDS if " -S " in command]
SCRIPTS = sorted(
    command
    for command in IN_TEXT.union(COMMANDS)
    if re.match(r"(python \w+/\w+\.py|automedsam \w)", command)
)
DVC_PARSER = """
import json, sys
from dvc.cli.parser import get_main_parser
for command in json.load(sys.stdin):
    get_main_parser().parse_args(command)
"""
RUN_BLOCKS = """
import json, sys
for number, (page, block) in enumerate(json.load(sys.stdin), start=1):
    exec(compile(block, f"{page}, example {number}", "exec"), {"__name__": "__main__"})
"""
NAMES = {
    path.name for folder in ("stages", "tests", "docs") for path in (ROOT / folder).rglob("*.py")
}
by_name = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)


@by_name
def test_relative_links_and_anchors_resolve(page: Path):
    broken = []
    for link in links(page):
        target, _, anchor = link.partition("#")
        if "://" in target:
            continue
        path = page.parent / target if target else page
        if not path.exists() or (anchor and anchor not in anchors(path)):
            broken.append(link)
    assert broken == []


@by_name
def test_all_pages_are_linked_from_the_readme(page: Path):
    assert page.name == "README.md" or any(page.name in link for link in links(PAGES[0]))


def test_parameters_page_is_up_to_date():
    path = ROOT / "docs/make_parameters.py"
    spec = importlib.util.spec_from_file_location("make_parameters", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    assert read_page(ROOT / "docs/parameters.md") == module.page(), "run docs/make_parameters.py"


def test_readme_is_short():
    assert len(read_page(ROOT / "README.md").split()) <= MAX_README_WORDS


# Commands


@pytest.mark.parametrize("command", CHANGES)
def test_values_of_parameters_are_valid(command: str):
    words = shlex.split(command)
    settings = [word for flag, word in pairwise(words) if flag == "-S"]
    choices = {key: split_sweep(value) for key, _, value in (s.partition("=") for s in settings)}
    if "slices.py" in command or "automedsam slices" in command:
        choices.setdefault("dataset", ["folder"])  # as the script does
    for number in range(max(map(len, choices.values()))):
        changes = {
            key: yaml.safe_load(values[min(number, len(values) - 1)])
            for key, values in choices.items()
        }
        load_config(ROOT / "params.yaml", changes)


def split_sweep(value: str) -> list[str]:
    """The values of a sweep such as `0.001,0.004`; other values are kept whole."""
    is_whole = value[:1] in ("[", "'", '"') or value.startswith("$(")
    return [value] if is_whole else value.split(",")


@by_name
def test_keys_in_the_text_exist(page: Path):
    spans = [span for span in inline_code(page) if span.startswith("-S ")]
    keys = {word.partition("=")[0] for span in spans for word in shlex.split(span)[1::2]}
    assert keys - {"KEY"} <= set(AutoMedSAMConfig.model_fields)


class AcceptedError(Exception):
    """The command line was accepted."""


@pytest.mark.parametrize("command", SCRIPTS)
def test_options_of_scripts_are_accepted(command: str, monkeypatch: pytest.MonkeyPatch):
    program, *arguments = shlex.split(command)
    script = STAGES / "automedsam/__main__.py"
    if program == "python":
        script, *arguments = ROOT / arguments[0], *arguments[1:]
    assert script.is_file()
    if command in IN_TEXT and len(arguments) <= (program == "automedsam"):
        assert not arguments or arguments[0] in AUTOMEDSAM_COMMANDS
        return
    parse_args = ArgumentParser.parse_args

    def parse_and_stop(parser, *values):
        parse_args(parser, *values)
        raise AcceptedError

    monkeypatch.setattr(ArgumentParser, "parse_args", parse_and_stop)
    monkeypatch.syspath_prepend(script.parent)
    monkeypatch.setattr(sys, "argv", [str(script), *arguments])
    with pytest.raises(AcceptedError):
        runpy.run_path(str(script), run_name="__main__")


def test_options_of_dvc_are_accepted():
    commands = [shlex.split(command)[1:] for command in COMMANDS if command.startswith("dvc ")]
    subprocess.run(
        [sys.executable, "-c", DVC_PARSER], input=json.dumps(commands), text=True, check=True
    )


@by_name
def test_code_files_named_in_the_text_exist(page: Path):
    text = " ".join([*inline_code(page), *bash_commands(page)])
    named = set(re.findall(r"(?<![\w./-])[\w/.-]+\.py\b", text))
    places = [ROOT, STAGES, STAGES / "automedsam"]
    missing = {
        name
        for name in named
        if not any((place / name).is_file() for place in places)
        and not ("/" not in name and name in NAMES)  # a bare file name
        and "NAME" not in name
    }
    assert missing == set()


# Python


def test_python_examples_run(tmp_path: Path):
    """As after `dvc repro`, with an image beside the project."""
    project, new_images = tmp_path / "project", tmp_path / "new_images"
    project.mkdir()
    save_model(project / "data/model/prompt_module.safetensors", Weights("sam_tiny"))
    new_images.mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    Image.fromarray(pixels).save(new_images / "a.png")
    blocks = [(page.name, block) for page in PAGES for block in code_blocks(page, "python")]
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", RUN_BLOCKS],
        input=json.dumps(blocks),
        cwd=project,
        env=os.environ | {"PYTHONPATH": str(STAGES)},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
