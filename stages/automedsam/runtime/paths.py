"""Paths of all artifacts, relative to the folder of dvc.yaml, which declares the same paths."""

import os
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[3]  # unless the package was installed with pip
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
SELF_LABELS = MODEL / "self_labels.safetensors"
PREDICTIONS = Path("data/predictions")
PREDICTED_MASKS = PREDICTIONS / "masks"
SOFT_MASKS = PREDICTIONS / "soft"
PROMPTS = PREDICTIONS / "prompts.csv"
HISTORY = Path("plots/train.csv")
LABEL_METRICS = Path("metrics/labels.json")
TRAIN_METRICS = Path("metrics/train.json")
SUMMARY = Path("metrics/summary.json")
PER_CASE = Path("metrics/per_case.csv")
PER_CLASS = Path("metrics/per_class.csv")
PER_VOLUME = Path("metrics/per_volume.csv")
VERDICT = Path("metrics/verdict.md")
DATA_REPORT = Path("plots/data.png")
LABEL_REPORT = Path("plots/pseudo_labels.png")
SELF_LABEL_REPORT = Path("plots/self_labels.png")
LOSS_CURVES = Path("plots/loss_curves.png")
SCORE_HISTOGRAM = Path("plots/score_histogram.png")
PROGRESS_STRIP = Path("plots/progress.png")
SNAPSHOTS = Path("plots/snapshots")


def image_path(folder: Path, case: str) -> Path:
    """Return the path of a case's image, mask or pseudo-label in its folder."""
    return folder / f"{case}.png"


def project_folder() -> Path:
    """Return the repository that this package belongs to, or the working directory if it has none.

    A package that was installed with pip is outside any project.
    """
    return REPOSITORY if _is_in_repository() else Path()


def cache_folder() -> Path:
    """Return the cache that outlives a run, `.cache` in the project.

    DVC runs some experiments in temporary workspaces, and passes the project's folder in DVC_ROOT,
    so that all of them share one cache.
    """
    return Path(os.environ.get("DVC_ROOT", ".")) / ".cache"


def weights_folder() -> Path:
    """Return the folder of downloaded weights, shared by all runs.

    It does not depend on the working directory: prediction and the Python interface, unlike the
    stages, may be started anywhere. A package that was installed with pip, outside the project,
    uses `~/.cache/automedsam/weights`.
    """
    if "DVC_ROOT" in os.environ:
        return cache_folder() / "weights"
    if _is_in_repository():
        return REPOSITORY / ".cache" / "weights"
    return Path.home() / ".cache" / "automedsam" / "weights"


def _is_in_repository() -> bool:
    return (REPOSITORY / "dvc.yaml").is_file()
