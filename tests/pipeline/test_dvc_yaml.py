"""dvc.yaml lists the code that each stage imports and the parameters that it reads."""

import ast
from pathlib import Path

import pytest
import yaml

from automedsam.runtime import paths
from automedsam.runtime.parameters import stages
from automedsam.runtime.parameters.config import AutoMedSAMConfig
from automedsam.runtime.parameters.losses import BoxLossParams
from import_closure import PACKAGE, import_closure, room_of
from repository import ROOT, STAGES

PIPELINE = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
PARAMS = {
    "prepare": stages.PrepareParams,
    "embed": stages.EmbedParams,
    "label": stages.LabelParams,
    "train": stages.TrainParams,
    "evaluate": stages.EvaluateParams,
}
# The stage that a room belongs to; the ground and the figures serve several.
STAGE_OF_ROOM = {
    "scans": "prepare",
    "datasets": "prepare",
    "preparation": "prepare",
    "backbone": "embed",
    "supervision": "label",
    "model": "train",
    "training": "train",
    "evaluation": "evaluate",
}
# Keys that a property of the parameters reads.
KEYS_OF_PROPERTY = {"backbone_name": {"backbone", "dataset"}}
SHARED_ROOMS = {"runtime", "cases", "figures"}
MAX_CODE_LINES = 45


def listed(stage: str, key: str) -> list[str]:
    """The names below a key of a stage, with or without options."""
    items = PIPELINE[stage].get(key, [])
    return [next(iter(item)) if isinstance(item, dict) else item for item in items]


def code_deps(stage: str) -> list[str]:
    return [dep for dep in listed(stage, "deps") if dep.startswith("stages/")]


def keys_read(script: Path) -> set[str]:
    """Keys that the code of a stage reads, as `params.KEY` or as a whole group of keys."""
    keys = set()
    for path in import_closure(script):
        if path.is_relative_to(PACKAGE / "runtime"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Attribute) and ast.unparse(node.value) == "params":
                keys |= KEYS_OF_PROPERTY.get(node.attr, {node.attr})
                if node.attr == "only":
                    keys |= set(BoxLossParams.model_fields)
    return keys & set(AutoMedSAMConfig.model_fields)


def test_six_stages_in_order():
    assert list(PIPELINE) == ["prepare", "embed", "label", "train", "evaluate", "render"]


@pytest.mark.parametrize("stage", PIPELINE)
def test_command_is_plain_python(stage):
    assert PIPELINE[stage]["cmd"] == f"python stages/{stage}.py"


@pytest.mark.parametrize("stage", PIPELINE)
def test_code_deps_are_the_rooms_of_the_import_closure(stage):
    script = STAGES / f"{stage}.py"
    closure = import_closure(script)
    rooms = {room for path in closure if (room := room_of(path))}
    expected = {f"stages/automedsam/{room}" for room in rooms}
    assert set(code_deps(stage)) == expected | {
        f"stages/{stage}.py",
        "stages/automedsam/__init__.py",
    }
    assert "requirements.txt" in listed(stage, "deps")


@pytest.mark.parametrize("stage", PIPELINE)
def test_no_stage_lists_a_room_of_a_later_stage(stage):
    order = list(PIPELINE)
    for dep in code_deps(stage):
        room = Path(dep).name
        if "." not in room and room not in SHARED_ROOMS:
            assert order.index(STAGE_OF_ROOM[room]) <= order.index(stage), dep


def test_code_deps_can_be_read_on_one_screen():
    assert sum(len(code_deps(stage)) for stage in PIPELINE) <= MAX_CODE_LINES


@pytest.mark.parametrize("stage", PIPELINE)
def test_params_are_those_of_the_stage(stage):
    fields = set(PARAMS[stage].model_fields) if stage in PARAMS else set()
    assert set(listed(stage, "params")) == fields


@pytest.mark.parametrize("stage", PARAMS)
def test_a_stage_reads_all_of_its_params(stage):
    assert set(PARAMS[stage].model_fields) <= keys_read(STAGES / f"{stage}.py")


def test_a_stage_without_params_reads_none():
    script = ast.parse((STAGES / "render.py").read_text(encoding="utf-8"))
    assert "load_params" not in {n.id for n in ast.walk(script) if isinstance(n, ast.Name)}


def test_every_key_belongs_to_some_stage():
    keys = set().union(*(set(params.model_fields) for params in PARAMS.values()))
    assert keys == set(AutoMedSAMConfig.model_fields)


def test_a_key_of_another_stage_cannot_be_read():
    params = stages.EmbedParams()
    with pytest.raises(AttributeError, match="epochs"):
        params.epochs  # noqa: B018


@pytest.mark.parametrize("stage", ["embed", "label", "train"])
def test_no_mask_is_a_dependency_before_evaluate(stage):
    deps = set(listed(stage, "deps"))
    assert not [dep for dep in deps if "mask" in dep]
    assert not {"data/raw", "data/prepared", "data"} & deps
    assert "data_dir" not in str(PIPELINE[stage])


def test_artifacts_have_the_paths_that_the_code_uses():
    known = {path.as_posix() for path in vars(paths).values() if isinstance(path, Path)}
    artifacts = {name for stage in PIPELINE for name in listed(stage, "outs")}
    artifacts |= {
        dep
        for stage in PIPELINE
        for dep in listed(stage, "deps")
        if dep.startswith(("data/", "metrics/"))
    }
    assert artifacts <= known


def test_metrics_and_plots_are_kept_in_git_and_data_in_the_cache():
    for stage in PIPELINE.values():
        for out in stage["outs"]:
            name, is_cached = (next(iter(out)), False) if isinstance(out, dict) else (out, True)
            assert is_cached == name.startswith("data/")
            if not is_cached:
                assert out[name] == {"cache": False}
