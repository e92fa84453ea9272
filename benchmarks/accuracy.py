"""Dice of each recipe for a number of boxed images, with baselines and U-Nets trained on masks.

    python benchmarks/accuracy.py --sets synthetic --cases 10 --recipes default "as published"

The sets hc18 and acdc need real images, and a backbone that was trained on real images. Both are
expected in the folder that the environment variable AUTOMEDSAM_SHARED names, by default ../shared.

Each run executes the stages in a copy of the project. The seed also selects the training cases.
Results are stored in accuracy.json. A stored result is not measured again; to repeat it, delete it
from the file.
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

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().with_suffix(".json")
PEER = Path(__file__).resolve().with_name("peer.py")
SHARED = Path(os.environ.get("AUTOMEDSAM_SHARED", ROOT.parent / "shared")).resolve()
DEFAULTS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
REAL = {"medsam_checkpoint": SHARED / "weights/sam_tiny_real.pth", "dataset": "folder"}
SETS: dict[str, dict[str, Any]] = {
    "synthetic": {},
    # A fetal head may be mirrored; the objects of the other sets have a left and a right, or none.
    # 70 steps instead of 30 improve the fit to the boxes of its validation images, unlike in acdc.
    "hc18": {
        **REAL,
        "data_dir": SHARED / "data/hc18",
        "group_by": r"^(\d+)",
        "augmentations": ["flip", *DEFAULTS["augmentations"]],
        "steps_per_epoch": 70,
    },
    "acdc": {
        **REAL,
        "data_dir": SHARED / "data/acdc",
        "group_by": r"^(patient\d+)",
        "class_ids": [3],
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
PEERS = {"U-Net, true masks": "monai", "our U-Net, true masks": "own"}
BASELINES = ("true_box_dice", "mean_box_dice")

Row = dict[str, Any]


def main() -> None:
    arguments = parse_arguments()
    rows: list[Row] = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    stored = {(row["set"], row["cases"], row["seed"], row["recipe"]) for row in rows}
    for seed, cases, name in product(arguments.seeds, arguments.cases, arguments.sets):
        missing = [
            recipe for recipe in arguments.recipes if (name, cases, seed, recipe) not in stored
        ]
        if not missing:
            continue
        with tempfile.TemporaryDirectory() as folder:
            workspace = copy_project(Path(folder) / "project")
            prepare(workspace, {**SETS[name], "train_cases": cases, "seed": seed})
            for recipe in missing:
                scores = measure(workspace, recipe)
                row = {"set": name, "cases": cases, "seed": seed, "recipe": recipe, **scores}
                rows.append(row)
                RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                print(json.dumps(row), flush=True)
    print_table(rows)


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
        return {"dice": float(run(workspace, str(PEER), PEERS[recipe]))}
    change_params(workspace, RECIPES[recipe])
    # The embed stage runs again, because the recipe before may have had other views.
    for stage in ("embed", "train", "evaluate"):
        run(workspace, f"stages/{stage}.py")
    summary = json.loads((workspace / "metrics/summary.json").read_text(encoding="utf-8"))
    return {key: summary[key] for key in ("dice", *BASELINES, "left_empty") if key in summary}


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
    groups: dict[tuple[str, int, str], list[float]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["cases"], row["recipe"]), []).append(row["dice"])
        if row["recipe"] == "default":
            for baseline in BASELINES:
                key = (row["set"], row["cases"], baseline)
                groups.setdefault(key, []).append(row[baseline])
    for (name, cases, recipe), values in sorted(groups.items()):
        spread = stdev(values) if len(values) > 1 else 0
        line = f"{name:10} {cases:3} cases  {recipe:36} {mean(values):.3f} ± {spread:.3f}"
        print(f"{line}  ({len(values)} seeds)")


if __name__ == "__main__":
    main()
