"""The public names of automedsam, each imported on first use."""

import ast
import os
import subprocess
import sys

import pytest

import automedsam
from repository import STAGES


def loaded_after(statement: str) -> set[str]:
    """Top-level modules in a fresh interpreter after the statement."""
    ended = subprocess.run(
        [sys.executable, "-c", f"{statement}\nimport sys\nprint(*sys.modules)"],
        env={"PYTHONPATH": str(STAGES)},
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    return {name.split(".")[0] for name in ended.stdout.split()}


def test_importing_the_package_loads_nothing_heavy():
    loaded = loaded_after("import automedsam")
    assert "automedsam" in loaded
    assert loaded.isdisjoint({"torch", "monai", "numpy", "pandas", "pydantic", "segment_anything"})


def test_the_configuration_does_not_import_torch():
    loaded = loaded_after("from automedsam import AutoMedSAMConfig")
    assert "pydantic" in loaded
    assert loaded.isdisjoint({"torch", "monai"})


def test_public_names():
    assert set(automedsam.__all__) == {
        "AutoMedSAM",
        "AutoMedSAMConfig",
        "AutoMedSAMLoss",
        "Predictor",
        "PromptModule",
        "compute_dice_score",
        "create_model",
    }


@pytest.mark.parametrize("name", automedsam.__all__)
def test_every_public_name_is_the_object_of_that_name(name):
    assert getattr(automedsam, name).__name__ == name
    assert callable(getattr(automedsam, name))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'automedsam' has no attribute 'AutoSAM'"):
        _ = automedsam.AutoSAM


def test_importing_an_unknown_name_is_an_import_error():
    with pytest.raises(ImportError, match="cannot import name 'AutoSAM'"):
        from automedsam import AutoSAM  # noqa: F401


@pytest.mark.parametrize("script", ["embed", "label", "train", "evaluate", "predict"])
def test_scripts_import_the_package_before_torch(script):
    """The package sets how idle threads wait, which torch reads when it is imported."""
    tree = ast.parse((STAGES / f"{script}.py").read_text(encoding="utf-8"))
    imports = [node for node in tree.body if isinstance(node, ast.Import | ast.ImportFrom)]
    modules = [
        node.module or "" if isinstance(node, ast.ImportFrom) else node.names[0].name
        for node in imports
    ]
    first = next(number for number, name in enumerate(modules) if name.startswith("automedsam"))
    before = "\n".join(f"import {name}" for name in modules[:first])
    assert "torch" not in loaded_after(before)
    assert os.environ["GOMP_SPINCOUNT"]
