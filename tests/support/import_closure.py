"""Which of this project's modules a script imports, directly or not: read from the code, for test_dvc_yaml.py."""

import ast
from pathlib import Path

from repository import STAGES


def imported_files(script: Path) -> set[Path]:
    """The script itself, the package's __init__ and every module file of stages/ that they import."""
    found: set[Path] = set()
    waiting = [script, STAGES / "automedsam" / "__init__.py"]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += [file for name in _imported_names(path) if (file := _module_file(name))]
    return found


def _imported_names(path: Path) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            names += [node.module, *(f"{node.module}.{alias.name}" for alias in node.names)]
    return names


def _module_file(name: str) -> Path | None:
    file = STAGES.joinpath(*name.split(".")).with_suffix(".py")
    return file if file.is_file() else None
