"""Where each artifact lies, from the folder that dvc.yaml is in; dvc.yaml names the same places."""

import os
from pathlib import Path

PREPARED = Path("data/prepared")
INDEX = PREPARED / "index.csv"
BOXES = PREPARED / "boxes.csv"
TEST_BOXES = PREPARED / "test_boxes.csv"
CLASSES = PREPARED / "classes.csv"
PREPARATION = PREPARED / "preparation.json"
IMAGES = PREPARED / "images"
TEST_MASKS = PREPARED / "test_masks"
EMBEDDINGS = Path("data/embeddings")
PSEUDO_LABELS = Path("data/pseudo_labels")
MODEL = Path("data/model")
PROMPT_MODULE = MODEL / "prompt_module.safetensors"
PROGRESS = MODEL / "progress.safetensors"
PREDICTIONS = Path("data/predictions")
PREDICTED_MASKS = PREDICTIONS / "masks"
SOFT_MASKS = PREDICTIONS / "soft"
PROMPTS = PREDICTIONS / "prompts.csv"
HISTORY = Path("plots/train.csv")
TRAIN_METRICS = Path("metrics/train.json")
SUMMARY = Path("metrics/summary.json")
PER_CASE = Path("metrics/per_case.csv")
PER_CLASS = Path("metrics/per_class.csv")
PER_VOLUME = Path("metrics/per_volume.csv")
DATA_REPORT = Path("plots/data.png")
LABEL_REPORT = Path("plots/pseudo_labels.png")
LOSS_CURVES = Path("plots/loss_curves.png")
SCORE_HISTOGRAM = Path("plots/score_histogram.png")
PROGRESS_STRIP = Path("plots/progress.png")
SNAPSHOTS = Path("plots/snapshots")


def cache_folder() -> Path:
    """Work that outlives a run, shared with DVC's temporary workspaces: they are told where the project lies."""
    return Path(os.environ.get("DVC_ROOT", ".")) / ".cache"


def weights_folder() -> Path:
    """Downloaded weights, one copy for all runs; unlike the stages, `predict` and Python may start in any folder."""
    if "DVC_ROOT" in os.environ:
        return cache_folder() / "weights"
    project = Path(__file__).resolve().parents[3]
    installed = not (project / "dvc.yaml").is_file()  # by pip, far from any project
    return (Path.home() / ".cache" / "automedsam" if installed else project / ".cache") / "weights"
