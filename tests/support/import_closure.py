"""Imports between the project's modules, read from the code with `ast`."""

import ast
from functools import cache
from pathlib import Path

from repository import STAGES

PACKAGE = STAGES / "automedsam"


@cache
def imported_files(path: Path) -> frozenset[Path]:
    """The files of stages/ that one file imports directly, including each `__init__.py`."""
    found = set()
    for name in _imported_names(path):
        parts = name.split(".")
        found |= {STAGES.joinpath(*parts[:n], "__init__.py") for n in range(1, len(parts) + 1)}
        found.add(STAGES.joinpath(*parts).with_suffix(".py"))
    return frozenset(file for file in found if file.is_file())


def import_closure(script: Path) -> set[Path]:
    """The script and all files of stages/ that it imports, directly or not."""
    closure: set[Path] = set()
    pending = [script]
    while pending:
        path = pending.pop()
        if path not in closure:
            closure.add(path)
            pending += imported_files(path)
    return closure


def room_of(path: Path) -> str | None:
    """The room of a module: the name of its folder in the package; None outside of all rooms."""
    if not path.is_relative_to(PACKAGE):
        return None
    parts = path.relative_to(PACKAGE).parts
    return parts[0] if len(parts) > 1 else None


def modules() -> list[Path]:
    """All modules of the package, sorted."""
    return sorted(PACKAGE.rglob("*.py"))


def _imported_names(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names
