"""Dice of each recipe for a number of boxed images, with baselines and U-Nets trained on masks.

    python benchmarks/accuracy.py --sets synthetic --cases 10 --recipes default "as published"

The sets of real images use LiteMedSAM. The images are expected in the folder that the environment
variable AUTOMEDSAM_SHARED names, by default ../shared.

Each run executes the stages in a copy of the project. The seed also selects the training cases.
Results are stored in accuracy.json. A stored result is not measured again; to repeat it, delete it
from the file. Several of these processes may run at once, each with OMP_NUM_THREADS=1.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from itertools import product
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml
from filelock import FileLock

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().with_suffix(".json")
PEER = Path(__file__).resolve().with_name("peer.py")
LABEL_DICE = Path(__file__).resolve().with_name("label_dice.py")
SHARED = Path(os.environ.get("AUTOMEDSAM_SHARED", ROOT.parent / "shared")).resolve()
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
HEART = {
    "dataset": "folder",
    "data_dir": SHARED / "data/acdc",
    "group_by": r"^(patient\d+)",
}
SETS: dict[str, dict[str, Any]] = {
    "synthetic": {},
    # Heads and cells may be mirrored, cells also turned; in hearts, left and right differ.
    "hc18": {
        "dataset": "folder",
        "data_dir": SHARED / "data/hc18",
        "group_by": r"^(\d+)",
        "augmentations": ["flip", *DEFAULTS["augmentations"]],
    },
    "acdc left": {**HEART, "class_ids": [3]},
    "acdc right": {**HEART, "class_ids": [1]},
    "acdc both": {**HEART, "class_ids": [1, 3]},
    "wbc": {
        "dataset": "folder",
        "data_dir": SHARED / "data/wbc",
        "class_ids": [[1, 2]],
        "augmentations": ["flip", "turn", *DEFAULTS["augmentations"]],
    },
}
PAPER = {
    "prompting": "direct",
    "epochs": 100,
    "batch_size": 4,
    "learning_rate": 0.001,
    "weight_decay": 0.0001,
}
RECIPES: dict[str, dict[str, Any]] = {
    "default": {},
    "embedding alone": {"prompt_source": "embedding"},
    "image alone": {"prompt_source": "image"},
    "no other views": {"views": 0, "augmentations": []},
    "as published": {**PAPER, "lambda_pseudo": 0},
    "as published + pseudo-labels": PAPER,
    "as published + pseudo-labels + boxes": {**PAPER, "lambda_box": 1},
}
PEERS = {
    "U-Net, true masks": ("monai", "masks"),
    "our U-Net, true masks": ("own", "masks"),
    "U-Net, pseudo-labels": ("monai", "pseudo-labels"),
    "our U-Net, pseudo-labels": ("own", "pseudo-labels"),
}
BASELINES = ("true_box_dice", "mean_box_dice")

Row = dict[str, Any]


def main() -> None:
    arguments = parse_arguments()
    for seed, cases, name in product(arguments.seeds, arguments.cases, arguments.sets):
        stored = {row["recipe"] for row in read_rows() if run_of(row) == (name, cases, seed)}
        missing = [recipe for recipe in arguments.recipes if recipe not in stored]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as folder:
            workspace = copy_project(Path(folder) / "project")
            prepare(workspace, {**SETS[name], "train_cases": cases, "seed": seed})
            run_id = {"set": name, "backbone": backbone_of(name), "cases": cases, "seed": seed}
            for recipe in missing:
                add_row({**run_id, "recipe": recipe, **measure(workspace, recipe)})
    print_table(read_rows())


def backbone_of(name: str) -> str:
    """The backbone that `backbone: auto` selects for a set."""
    return "sam_tiny" if name == "synthetic" else "lite_medsam"


def run_of(row: Row) -> tuple[str, int, int]:
    """What a row was measured on, if its backbone is that of today; else no set of today."""
    name = row["set"] if row["backbone"] == backbone_of(row["set"]) else ""
    return name, row["cases"], row["seed"]


def read_rows() -> list[Row]:
    """All stored results."""
    return json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []


def add_row(row: Row) -> None:
    """Store a result, and print it; other processes may store results at the same time."""
    with FileLock(RESULTS.with_suffix(".lock")):
        RESULTS.write_text(json.dumps([*read_rows(), row], indent=1) + "\n", encoding="utf-8")
    print(json.dumps(row), flush=True)


def parse_arguments() -> argparse.Namespace:
    recipes = [*RECIPES, *PEERS]
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--cases", type=int, nargs="+", default=[5, 10, 20, 40], help="numbers of training images"
    )
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument("--recipes", nargs="+", default=recipes, choices=recipes)
    return parser.parse_args()


def copy_project(root: Path) -> Path:
    """Copy the stages and their parameters to a folder, and return it."""
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml", "requirements.txt"):
        shutil.copyfile(ROOT / name, root / name)
    shutil.copytree(ROOT / "data/raw", root / "data/raw")
    return root


def prepare(workspace: Path, params: dict[str, Any]) -> None:
    """Run all stages before the training, which the recipes share."""
    change_params(workspace, params)
    for stage in ("prepare", "embed", "label"):
        run(workspace, f"stages/{stage}.py")
    shutil.copyfile(workspace / "params.yaml", workspace / "shared_params.yaml")


def measure(workspace: Path, recipe: str) -> dict[str, float]:
    """Dice on the test cases that show the object, and the baselines."""
    shutil.copyfile(workspace / "shared_params.yaml", workspace / "params.yaml")
    if recipe in PEERS:
        return {"dice": float(run(workspace, str(PEER), *PEERS[recipe]))}
    change_params(workspace, RECIPES[recipe])
    # The embed stage runs again, because the recipe before may have had other views.
    for stage in ("embed", "train", "evaluate"):
        run(workspace, f"stages/{stage}.py")
    summary = json.loads((workspace / "metrics/summary.json").read_text(encoding="utf-8"))
    scores = {
        key: value
        for key, value in summary.items()
        if key in ("dice", *BASELINES, "left_empty") or key.startswith("dice_of_")
    }
    if recipe == "default":
        scores["label_dice"] = float(run(workspace, str(LABEL_DICE)))
    return scores


def change_params(workspace: Path, params: dict[str, Any]) -> None:
    """Change values in the params.yaml of a workspace."""
    path = workspace / "params.yaml"
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in params.items()}
    values = {**yaml.safe_load(path.read_text(encoding="utf-8")), **plain}
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def run(workspace: Path, script: str, *arguments: str) -> str:
    """Run a script in a workspace, and return the last line that it prints."""
    # All workspaces share the project's store of embeddings.
    environment = {**os.environ, "DVC_ROOT": str(ROOT)}
    completed = subprocess.run(
        [sys.executable, script, *arguments],
        cwd=workspace,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    if completed.returncode:
        raise SystemExit(f"{script}: {completed.stdout}{completed.stderr}")
    lines = completed.stdout.splitlines()
    return lines[-1] if lines else ""


def print_table(rows: list[Row]) -> None:
    """Print the mean and the standard deviation over the seeds, one line per recipe."""
    groups: dict[tuple[str, str, int, str], list[float]] = {}
    for row in rows:
        of_set = (row["set"], row["backbone"], row["cases"])
        groups.setdefault((*of_set, row["recipe"]), []).append(row["dice"])
        for extra in (*BASELINES, "label_dice"):
            if row["recipe"] == "default" and extra in row:
                groups.setdefault((*of_set, extra), []).append(row[extra])
    for (name, backbone, cases, recipe), values in sorted(groups.items()):
        spread = stdev(values) if len(values) > 1 else 0
        line = f"{name:10} {backbone:13} {cases:3} cases  {recipe:36} {mean(values):.3f}"
        print(f"{line} ± {spread:.3f}  ({len(values)} seeds)")


if __name__ == "__main__":
    main()
