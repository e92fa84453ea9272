"""How good are the recipes, for a given number of boxes? Beside them the yardsticks, and a U-Net that was given masks.

    python benchmarks/accuracy.py --cases 10 --seeds 0 1 2 --sets synthetic hc18 acdc --recipes default "seed recipe"

Wants real images and a backbone trained on such beside the repository, but for `--sets synthetic`.
Each run is the real stages in a copy of the project; the seed picks the training cases, too. What has been measured
lies in accuracy.json and is not measured again: delete what is to be.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent
RESULTS = Path(__file__).resolve().with_suffix(".json")
REAL = {"medsam_checkpoint": ROOT.parent / "shared/weights/sam_tiny_real.pth", "dataset": "folder"}
DEFAULT_VIEWS = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))["augmentations"]
SETS: dict[str, dict[str, Any]] = {
    "synthetic": {},
    # A fetal head may lie either way; the other sets' objects have a left and a right, or none. With 70 steps for 30
    # the answers fit the boxes of its validation images better; in hearts they did not.
    "hc18": REAL
    | {"data_dir": ROOT.parent / "shared/data/hc18", "group_by": r"^(\d+)"}
    | {"augmentations": ["flip", *DEFAULT_VIEWS], "steps_per_epoch": 70},
    "acdc": REAL
    | {
        "data_dir": ROOT.parent / "shared/data/acdc",
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
    "seed recipe": PAPER | {"lambda_pseudo": 0},
    "seed recipe + pseudo-labels": PAPER,
    "seed recipe + pseudo-labels + boxes": PAPER | {"lambda_box": 1},
}
PEERS = {"U-Net, true masks": "monai", "our U-Net, true masks": "own"}
YARDSTICKS = ("true_box_dice", "mean_box_dice")


def main() -> None:
    arguments = parse_arguments()
    rows = json.loads(RESULTS.read_text(encoding="utf-8")) if RESULTS.is_file() else []
    done = {(row["set"], row["cases"], row["seed"], row["recipe"]) for row in rows}
    for seed in arguments.seeds:
        for cases in arguments.cases:
            for name in arguments.sets:
                missing = [
                    recipe
                    for recipe in arguments.recipes
                    if (name, cases, seed, recipe) not in done
                ]
                if not missing:
                    continue
                with tempfile.TemporaryDirectory() as folder:
                    workspace = copy_project(Path(folder) / "project")
                    prepare(workspace, SETS[name] | {"train_cases": cases, "seed": seed})
                    for recipe in missing:
                        scores = measure(workspace, recipe)
                        row = {"set": name, "cases": cases, "seed": seed, "recipe": recipe} | scores
                        rows.append(row)
                        RESULTS.write_text(json.dumps(rows, indent=1) + "\n", encoding="utf-8")
                        print(json.dumps(row), flush=True)
    print_table(rows)


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, nargs="+", default=[5, 10, 20, 40])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--sets", nargs="+", default=list(SETS), choices=SETS)
    parser.add_argument(
        "--recipes", nargs="+", default=[*RECIPES, *PEERS], choices=[*RECIPES, *PEERS]
    )
    return parser.parse_args()


def copy_project(root: Path) -> Path:
    """The stages and the parameters as they are now."""
    root.mkdir(parents=True)
    shutil.copytree(ROOT / "stages", root / "stages", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("params.yaml", "dvc.yaml", "requirements.txt"):
        shutil.copyfile(ROOT / name, root / name)
    shutil.copytree(ROOT / "data/raw", root / "data/raw")
    return root


def prepare(workspace: Path, params: dict[str, Any]) -> None:
    """Everything up to the training, which all recipes share."""
    change_params(workspace, params)
    for stage in ("prepare", "embed", "label"):
        run_stage(workspace, stage)
    shutil.copyfile(workspace / "params.yaml", workspace / "shared_params.yaml")


def measure(workspace: Path, recipe: str) -> dict[str, float]:
    """Dice on the test cases that show the object, and the yardsticks."""
    shutil.copyfile(workspace / "shared_params.yaml", workspace / "params.yaml")
    if recipe in PEERS:
        return {
            "dice": float(
                run(workspace, str(Path(__file__).with_name("peer.py").resolve()), PEERS[recipe])
            )
        }
    change_params(workspace, RECIPES[recipe])
    for stage in (
        "embed",
        "train",
        "evaluate",
    ):  # embed: the recipe before may have had other views
        run_stage(workspace, stage)
    summary = json.loads((workspace / "metrics/summary.json").read_text(encoding="utf-8"))
    return {key: summary[key] for key in ("dice", *YARDSTICKS, "left_empty") if key in summary}


def change_params(workspace: Path, params: dict[str, Any]) -> None:
    path = workspace / "params.yaml"
    plain = {key: str(value) if isinstance(value, Path) else value for key, value in params.items()}
    values = yaml.safe_load(path.read_text(encoding="utf-8")) | plain
    path.write_text(yaml.safe_dump(values), encoding="utf-8")


def run_stage(workspace: Path, stage: str) -> None:
    run(workspace, f"stages/{stage}.py")


def run(workspace: Path, script: str, *arguments: str) -> str:
    """The last line that it prints."""
    environment = os.environ | {"DVC_ROOT": str(ROOT)}  # embeddings are kept with the project's own
    command = [sys.executable, script, *arguments]
    done = subprocess.run(
        command, cwd=workspace, env=environment, capture_output=True, text=True, check=False
    )
    if done.returncode:
        raise SystemExit(f"{script}: {done.stdout}{done.stderr}")
    return done.stdout.splitlines()[-1]


def print_table(rows: list[dict[str, Any]]) -> None:
    """Mean and spread over the seeds, a line a recipe."""
    groups: dict[tuple[str, int, str], list[float]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["cases"], row["recipe"]), []).append(row["dice"])
        for yardstick in YARDSTICKS:
            if row["recipe"] == "default":
                groups.setdefault((row["set"], row["cases"], yardstick), []).append(row[yardstick])
    for (name, cases, recipe), dices in sorted(groups.items()):
        spread = stdev(dices) if len(dices) > 1 else 0
        print(
            f"{name:10} {cases:3} cases  {recipe:28} {mean(dices):.3f} ± {spread:.3f}  ({len(dices)} seeds)"
        )


if __name__ == "__main__":
    main()
