"""A copy of this project with git and DVC, for the tests that run the pipeline."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from repository import ROOT

SMALL = {
    "backbone": "sam_tiny",
    "epochs": 2,
    "steps_per_epoch": 2,
    "batch_size": 2,
    "views": 1,
    "train_cases": 4,
}  # a training of seconds, without a download
RUN_STAGES = """
import runpy, sys
sys.path.insert(0, "stages")
for name in sys.argv[1:]:
    sys.argv = [f"stages/{name}.py"]
    runpy.run_path(sys.argv[0], run_name="__main__")
"""
IDENTITY = ["-c", "user.name=Test", "-c", "user.email=test@example.org"]


class Workspace:
    """Runs commands in one clone; each returns its output and checks its exit code."""

    def __init__(self, root: Path) -> None:
        self.root = root

    @property
    def environment(self) -> dict[str, str]:
        """The environment: `python` and `dvc` of the running tests, without variables of DVC."""
        clean = {key: value for key, value in os.environ.items() if not key.startswith("DVC_")}
        path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
        return clean | {"PATH": path, "OMP_NUM_THREADS": "1"}  # as conftest.py has it

    def run(self, *command: str, status: int | None = 0) -> str:
        done = subprocess.run(
            command,
            cwd=self.root,
            env=self.environment,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            timeout=600,
            check=False,
        )
        printed = done.stdout + done.stderr
        assert status is None or done.returncode == status, (
            f"{command} ended with {done.returncode}:\n{printed}"
        )
        return printed

    def python(self, script: str, status: int = 0) -> str:
        return self.run(sys.executable, script, status=status)

    def stages(self, *names: str) -> str:
        """Run several stages in one process, because importing torch takes seconds."""
        return self.run(sys.executable, "-c", RUN_STAGES, *names)

    def dvc(self, *arguments: str, status: int | None = 0) -> str:
        return self.run(sys.executable, "-m", "dvc", *arguments, status=status)

    def git(self, *arguments: str) -> str:
        return self.run("git", *IDENTITY, *arguments)

    def commit(self, message: str) -> None:
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)

    def clone(self, root: Path) -> "Workspace":
        """As another person would have it: what git holds, and nothing else."""
        self.git("clone", "--quiet", str(self.root), str(root))
        return Workspace(root)

    def set_params(self, **values: object) -> None:
        path = self.root / "params.yaml"
        text = path.read_text(encoding="utf-8")
        for key, value in values.items():
            text, count = re.subn(
                rf"^{key}: [^#\n]*", f"{key}: {value}  ", text, flags=re.MULTILINE
            )
            assert count == 1, key
        path.write_text(text, encoding="utf-8")

    def read(self, name: str) -> bytes:
        return (self.root / name).read_bytes()


def copy_project(root: Path, **params: object) -> Workspace:
    """Copy the files of the working tree into a new git repository with one commit."""
    listing = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    for name in filter(None, listing.split("\0")):
        if (ROOT / name).is_file():
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, root / name)
    workspace = Workspace(root)
    workspace.git("init", "--quiet", "--initial-branch", "main")
    workspace.set_params(**params)
    workspace.commit("the project")
    return workspace


def stages_run(printed: str) -> list[str]:
    """The stages that DVC says it ran."""
    return re.findall(r"Running stage '(\w+)'", printed)
