"""Warnings about odd files: each once, and few of a kind."""

import logging
from pathlib import Path

import pytest

from automedsam.scans.notices import report_notices, warn_once


@pytest.fixture
def lines(caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(logging.getLogger("automedsam"), "propagate", True)
    caplog.set_level(logging.WARNING, "automedsam")

    def found() -> list[str]:
        messages = [record.getMessage() for record in caplog.records]
        caplog.clear()
        return messages

    return found


def test_a_warning_is_logged_once(lines):
    for _ in range(2):
        warn_once(Path("a.png"), "odd")
        warn_once(Path("b.png"), "odd", ": x")
    assert lines() == ["a.png: odd", "b.png: odd: x"]
    report_notices()
    assert lines() == []


def test_few_warnings_of_a_kind_are_logged_and_all_are_counted(lines):
    for number in range(20):
        warn_once(Path(f"{number:02d}.png"), f"{number / 100:.1%} of the values are odd")
    warn_once(Path("z.png"), "another fault")
    assert lines() == [
        *(f"0{n}.png: {n}.0% of the values are odd" for n in range(5)),
        "05.png has the same warning, as may further files; --verbose prints all of them",
        "z.png: another fault",
    ]
    report_notices()
    assert lines() == ["20 files with a warning such as: 00.png: 0.0% of the values are odd"]
    report_notices()
    assert lines() == []


def test_all_warnings_are_details(lines, caplog):
    caplog.set_level(logging.DEBUG, "automedsam")
    for number in range(7):
        warn_once(Path(f"{number}.png"), "odd")
    assert [line for line in lines() if line.endswith(": odd")] == [
        f"{number}.png: odd" for number in range(7)
    ]
