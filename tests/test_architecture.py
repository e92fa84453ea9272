"""The rooms of the package, and what each may import."""

import ast
import subprocess
import sys

import pytest

from import_closure import PACKAGE, import_closure, imported_files, modules, room_of
from repository import ROOT, STAGES

GROUND = {"runtime", "cases"}
DATA_WING = {"scans", "datasets", "preparation"}
METHOD_WING = {"backbone", "supervision", "model", "training", "evaluation"}
MAY_IMPORT = {
    # the ground
    "runtime": set(),
    "cases": {"runtime"},
    # the data wing: raw files -> prepared cases
    "scans": GROUND,
    "datasets": GROUND | {"scans"},
    "preparation": GROUND | {"scans", "datasets"},
    # the method wing: prepared cases -> trained model, metrics
    "backbone": GROUND,
    "supervision": GROUND | {"backbone"},
    "model": GROUND | {"backbone"},
    "training": GROUND | {"backbone", "supervision", "model"},
    "evaluation": GROUND | {"backbone", "supervision", "model"},
    # figures use the ground only; prediction spans both wings
    "figures": GROUND,
    "prediction": GROUND | {"scans", "datasets", "backbone", "model", "figures"},
}
MASKS = {"TEST_MASKS", "read_mask", "read_labels", "open_scan", "label_mask"}
MAX_LINES, MAX_SCRIPT_LINES, MAX_MODULES = 250, 80, 16


def test_every_folder_of_the_package_has_a_rule():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders == set(MAY_IMPORT)


@pytest.mark.parametrize("room", MAY_IMPORT)
def test_a_room_imports_only_what_its_rule_allows(room):
    imported = {
        (path.relative_to(PACKAGE).as_posix(), other)
        for path in modules()
        if room_of(path) == room
        for file in imported_files(path)
        if (other := room_of(file)) not in (None, room)
    }
    assert {(path, other) for path, other in imported if other not in MAY_IMPORT[room]} == set()


def test_the_rules_have_no_circle_and_keep_the_wings_apart():
    remaining = dict(MAY_IMPORT)
    while remaining:
        free = [room for room, allowed in remaining.items() if not allowed & remaining.keys()]
        assert free, f"circle among {', '.join(remaining)}"
        for room in free:
            del remaining[room]
    for wing, other in ((DATA_WING, METHOD_WING), (METHOD_WING, DATA_WING)):
        assert not any(MAY_IMPORT[room] & other for room in wing)


def test_modules_import_each_other_without_a_circle():
    remaining = {
        path: {file for file in imported_files(path) if file.name != "__init__.py"} - {path}
        for path in modules()
    }
    while remaining:
        free = [path for path, imported in remaining.items() if not imported & remaining.keys()]
        assert free, f"circle among {', '.join(path.name for path in remaining)}"
        for path in free:
            del remaining[path]


def test_no_module_imports_a_script():
    scripts = set(STAGES.glob("*.py"))
    assert {path for path in modules() if imported_files(path) & scripts} == set()


@pytest.mark.parametrize("room", ["backbone", "supervision", "model", "training"])
def test_code_that_trains_names_nothing_that_opens_a_mask(room):
    names = {
        (path.name, getattr(node, "id", None) or getattr(node, "attr", None))
        for path in modules()
        if room_of(path) == room
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Name | ast.Attribute)
    }
    assert {(path, name) for path, name in names if name in MASKS} == set()


@pytest.mark.parametrize("script", ["embed", "label", "train", "evaluate", "render"])
def test_no_stage_after_prepare_reaches_the_data_wing(script):
    rooms = {room_of(path) for path in import_closure(STAGES / f"{script}.py")}
    assert rooms & DATA_WING == set()


def test_test_masks_are_named_by_their_writer_and_their_readers_only():
    users = {
        path.relative_to(STAGES).as_posix()
        for path in STAGES.rglob("*.py")
        if "TEST_MASKS" in path.read_text(encoding="utf-8")
    }
    assert users == {
        "automedsam/runtime/paths.py",
        "automedsam/preparation/writing.py",
        "automedsam/figures/gallery.py",
        "evaluate.py",
    }


@pytest.mark.parametrize(
    ("library", "module"),
    [("segment_anything", "backbone/sam_networks.py"), ("monai", "evaluation/metrics.py")],
)
def test_one_module_alone_imports_a_library_with_many_traps(library, module):
    importers = {
        path.relative_to(PACKAGE).as_posix()
        for path in STAGES.rglob("*.py")
        if f"from {library}" in path.read_text(encoding="utf-8")
    }
    assert importers == {module}


def test_prepare_starts_without_torch():
    """The import of torch takes seconds, and a check of the data should not wait for it."""
    code = "import sys, automedsam.preparation.command; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=STAGES, check=False).returncode == 0


def test_files_and_folders_stay_small():
    for path in [*STAGES.rglob("*.py"), *(ROOT / "benchmarks").glob("*.py")]:
        limit = MAX_SCRIPT_LINES if path.parent == STAGES else MAX_LINES
        lines = len(path.read_text(encoding="utf-8").splitlines())
        assert lines <= limit, f"{path.relative_to(ROOT)} has {lines} lines"
    for folder in {path.parent for path in STAGES.rglob("*.py")}:
        count = len([path for path in folder.glob("*.py") if path.name != "__init__.py"])
        assert count <= MAX_MODULES, f"{folder.relative_to(ROOT)} has {count} modules"
