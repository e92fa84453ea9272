"""dvc.yaml tells the truth: a stage depends on all the code that it imports and on all the keys that it reads."""

import ast
from pathlib import Path

import pytest
import yaml

from automedsam.runtime import paths
from automedsam.runtime.params import AutoMedSAMConfig, load_params
from automedsam.supervision.box_losses import LOSS_KEYS
from import_closure import imported_files
from repository import ROOT, STAGES

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]


def listed(stage: str, key: str) -> set[str]:
    """Names below a key of a stage, with or without options."""
    return {
        next(iter(item)) if isinstance(item, dict) else item
        for item in PIPELINE[stage].get(key, [])
    }


def keys_read(script: Path) -> set[str]:
    """Keys of params.yaml that a script names: as `params.KEY`, as text to pick them by, or all of the loss's."""
    tree = ast.parse(script.read_text(encoding="utf-8"))
    attributes = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute)
        and isinstance(node.value, ast.Name)
        and node.value.id == "params"
    }
    texts = {
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }
    is_with_loss = any(
        isinstance(node, ast.Name) and node.id == "LOSS_KEYS" for node in ast.walk(tree)
    )
    return (attributes | texts | set(LOSS_KEYS if is_with_loss else ())) & set(
        AutoMedSAMConfig.model_fields
    )


def test_six_stages_in_order():
    assert list(PIPELINE) == ["prepare", "embed", "label", "train", "evaluate", "render"]


@pytest.mark.parametrize("stage", PIPELINE)
def test_command_is_plain_python(stage):
    assert PIPELINE[stage]["cmd"] == f"python stages/{stage}.py"


@pytest.mark.parametrize("stage", PIPELINE)
def test_deps_are_the_import_closure(stage):
    modules = {dep for dep in listed(stage, "deps") if dep.endswith(".py")}
    assert modules == {
        path.relative_to(ROOT).as_posix() for path in imported_files(STAGES / f"{stage}.py")
    }


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_are_the_keys_read(stage):
    assert listed(stage, "params") == keys_read(STAGES / f"{stage}.py")


def test_every_key_is_read_by_some_stage():
    assert set().union(*(listed(stage, "params") for stage in PIPELINE)) == set(
        AutoMedSAMConfig.model_fields
    )


def test_what_the_loss_takes_are_keys() -> None:
    assert set(LOSS_KEYS) <= set(AutoMedSAMConfig.model_fields)


def test_a_key_of_another_stage_cannot_be_read():
    with pytest.raises(AttributeError, match="stage embed reads epochs, which"):
        load_params("embed", ROOT).epochs  # noqa: B018


@pytest.mark.parametrize("stage", ["embed", "label", "train"])
def test_no_mask_reaches_what_comes_before_evaluate(stage):
    assert not [dep for dep in listed(stage, "deps") if "mask" in dep]
    assert not {"data/raw", "data/prepared", "data"} & listed(stage, "deps")
    assert "data_dir" not in str(PIPELINE[stage])


def test_artifacts_lie_where_the_code_puts_them():
    known = {path.as_posix() for path in vars(paths).values() if isinstance(path, Path)}
    artifacts = {name for stage in PIPELINE for name in listed(stage, "outs")}
    artifacts |= {
        dep
        for stage in PIPELINE
        for dep in listed(stage, "deps")
        if dep.startswith(("data/", "metrics/"))
    }
    assert artifacts <= known


def test_metrics_and_plots_lie_in_git_and_data_does_not():
    for stage in PIPELINE.values():
        for out in stage["outs"]:
            name, cached = (next(iter(out)), False) if isinstance(out, dict) else (out, True)
            assert cached == name.startswith("data/")
            if not cached:
                assert out[name] == {"cache": False}


@pytest.mark.parametrize(("library", "module"), [("segment_anything", "architectures"), ("monai", "metrics")])
def test_one_module_alone_imports_a_library_of_many_traps(library, module):
    importers = {
        path.stem
        for path in STAGES.rglob("*.py")
        if f"from {library}" in path.read_text(encoding="utf-8")
    }
    assert importers == {module}
