"""What an unfinished training depends on, so that nothing else ever takes it up."""

import hashlib
from collections.abc import Iterable
from pathlib import Path

import yaml


def hash_files(paths: Iterable[Path]) -> str:
    """One sha256 over the contents of the files, in the order given."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def hash_sources(stage: str, dvc_yaml: Path = Path("dvc.yaml")) -> str:
    """One sha256 over the code and the pinned requirements that dvc.yaml names as the stage's."""
    deps = yaml.safe_load(dvc_yaml.read_text(encoding="utf-8"))["stages"][stage]["deps"]
    return hash_files(Path(dep) for dep in sorted(deps) if dep.endswith((".py", ".txt")))
