"""The page that `dvc plots show` writes.

No browser opens it here. The tests read its scripts, and parse them with Node.js where it is
installed: a fault in one of them would leave an empty place on the page, without a message.
"""

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
import yaml

from repository import ROOT
from workspace import copy_project

TITLES = [
    next(iter(plot))
    for plot in yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["plots"]
    if isinstance(plot, dict)
]
# DVC makes it the id of an element, a CSS selector and a JavaScript string, without escapes.
TITLE = r"[A-Za-z][A-Za-z0-9 _-]*"
PARSE = "for (const code of JSON.parse(require('fs').readFileSync(0))) new Function(code);"


class _Page(HTMLParser):
    """The ids of all elements, and the code of all scripts in the page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: list[str | None] = []
        self.scripts: list[str] = []
        self._is_script = False
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = dict(attrs)
        self.ids.append(attributes.get("id"))
        self._is_script = tag == "script" and "src" not in attributes

    def handle_endtag(self, tag: str) -> None:
        self._is_script = False

    def handle_data(self, data: str) -> None:
        if self._is_script:
            self.scripts.append(data)


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> _Page:
    """The page of the results that are committed."""
    root = tmp_path_factory.mktemp("plots") / "project"
    root.mkdir()
    copy_project(root).dvc("plots", "show")
    return _Page((root / "dvc_plots/index.html").read_text(encoding="utf-8"))


@pytest.mark.parametrize("title", TITLES)
def test_titles_need_no_escape(title: str) -> None:
    assert re.fullmatch(TITLE, title)


def test_a_quote_would_be_found() -> None:
    assert not re.fullmatch(TITLE, "Dice against the true box's")


@pytest.mark.slow
def test_each_plot_is_drawn_from_data_into_an_element_of_the_page(page: _Page) -> None:
    assert len(page.scripts) == len(TITLES) > 0
    for title, script in zip(TITLES, page.scripts, strict=True):
        call = re.search(r"vegaEmbed\('#([^'\"\\\n]+)', spec\);\s*$", script)
        assert call, script[-200:]
        assert call[1] == title.replace(" ", "_")
        assert page.ids.count(call[1]) == 1
        spec = json.loads(script.split("var spec = ", 1)[1].rsplit(";\n", 2)[0])
        assert spec["data"]["values"]


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("node") is None, reason="Node.js is not installed")
def test_all_scripts_are_valid_javascript(page: _Page) -> None:
    assert parse_scripts(page.scripts).returncode == 0
    broken = [script.replace("', spec", "'s', spec") for script in page.scripts]
    assert "SyntaxError" in parse_scripts(broken).stderr


def parse_scripts(scripts: list[str]) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        ["node", "-e", PARSE],
        input=json.dumps(scripts),
        capture_output=True,
        encoding="utf-8",
        check=False,
    )
