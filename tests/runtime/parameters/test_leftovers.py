"""Errors that name values of params.yaml, which an earlier run may have left there."""

import sys
from pathlib import Path

import pytest

from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.leftovers import describe_leftovers, names_leftovers

PARAMS = "dataset: folder\nannotations: boxes.csv\nclass_ids: [3]\nuse_amp: false\nepochs: 20\n"


@pytest.fixture(autouse=True)
def _params(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A params.yaml of an earlier run, in the working directory."""
    monkeypatch.chdir(tmp_path)
    Path("params.yaml").write_text(PARAMS, encoding="utf-8")


@pytest.mark.parametrize(
    ("message", "remark"),
    [
        (
            "annotations: no file or folder boxes.csv in data_dir (../new)",
            " (params.yaml sets annotations: boxes.csv, perhaps since an earlier run. To reset: "
            "-S annotations=null)",
        ),
        (
            "boxes.csv: not UTF-8 text",
            " (params.yaml sets annotations: boxes.csv, perhaps since an earlier run. To reset: "
            "-S annotations=null)",
        ),
        (
            "class_ids, use_amp: no such thing",
            " (params.yaml sets use_amp: false, class_ids: [3], perhaps since an earlier run. To "
            "reset: -S use_amp=true -S class_ids=null)",
        ),
        (
            "../new/images: no files; check dataset, data_dir and annotations",
            " (params.yaml sets dataset: folder, annotations: boxes.csv, perhaps since an earlier "
            "run. To reset: -S dataset=synthetic -S annotations=null)",
        ),
        (
            "a.png: broken; class_ids: no boxes of 3",
            " (params.yaml sets class_ids: [3], perhaps since an earlier run. To reset: "
            "-S class_ids=null)",
        ),
        ("data_dir: expected a folder, found none at data/raw", ""),  # the default
        ("epochs: too many", ""),  # as the default
        ("boxes.csv, line 3: an empty box", ""),  # a fault of the data
        ("set.json, annotations[7]: an empty box", ""),
        ("a.png: no mask, and no annotations", ""),
    ],
)
def test_values_that_differ_from_the_defaults_are_named(message: str, remark: str) -> None:
    assert describe_leftovers(message) == remark


def test_values_of_the_command_line_are_not_named() -> None:
    message = "dataset, annotations: no"
    assert "sets dataset: folder, perhaps" in describe_leftovers(message, {"annotations", "-S"})
    assert describe_leftovers(message, {"annotations", "dataset"}) == ""


@pytest.mark.parametrize("text", [None, "epochs: 0\nannotations: boxes.csv\n"])
def test_a_missing_or_invalid_file_adds_nothing(text: str | None) -> None:
    Path("params.yaml").unlink()
    if text:
        Path("params.yaml").write_text(text, encoding="utf-8")
    assert describe_leftovers("annotations: no file") == ""


def test_the_error_of_a_script_is_completed(monkeypatch: pytest.MonkeyPatch) -> None:
    @names_leftovers
    def main() -> bool:
        raise InputError("annotations: no file")

    monkeypatch.setattr(sys, "argv", ["prepare.py"])
    with pytest.raises(InputError, match=r"^annotations: no file \(params\.yaml sets annotations"):
        main()
    monkeypatch.setattr(sys, "argv", ["prepare.py", "--check", "-S", "annotations=other.csv"])
    with pytest.raises(InputError, match=r"^annotations: no file$"):
        main()


def test_a_script_without_an_error_returns_its_result() -> None:
    assert names_leftovers(lambda: True)() is True
