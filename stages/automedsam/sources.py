"""Where raw cases come from: a data set is a list of names, groups and a way to read each."""

import re
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from automedsam.cases import Split
from automedsam.errors import InputError
from automedsam.images import SUFFIXES, read_image, read_labels
from automedsam.phantoms import draw_phantom
from automedsam.splits import assign_splits

SYNTHETIC_SEED = 2026  # the data set is one and the same, whatever `seed` trains on it
SYNTHETIC_COUNTS: dict[Split, int] = {"train": 40, "val": 20, "test": 60}


@dataclass(frozen=True)
class RawCase:
    name: str
    group: str
    split: Split
    read: Callable[[], tuple[np.ndarray, np.ndarray]]  # image (H, W[, 3]) uint8, labels (H, W) of its mask


def synthetic_cases() -> list[RawCase]:
    """120 phantoms: 40 to train on, 20 to validate, 60 to test."""
    cases: list[RawCase] = []
    for split, count in SYNTHETIC_COUNTS.items():
        for _ in range(count):
            name = f"phantom_{len(cases):03d}"
            cases.append(RawCase(name, name, split, partial(_draw, len(cases))))
    return cases


def folder_cases(folder: Path, group_by: str | None, val_fraction: float, test_fraction: float) -> list[RawCase]:
    """Pairs of `images/NAME.*` and `masks/NAME.*`, in whatever subfolders, each of PNG, JPEG or TIFF.

    Raises:
      InputError: no images; images without a mask or with two; names that `group_by` does not match: all at once.
    """
    images, masks = _by_name(folder / "images"), _by_name(folder / "masks")
    faults = [f"{image}: expected a mask of the same name in {folder / 'masks'}, found none"
              for name, image in images.items() if name not in masks]  # fmt: skip
    groups = {}
    for name, image in images.items():
        found = re.search(group_by or "(.+)", name)
        if not found or not found[1]:
            faults.append(f"{image}: expected group_by {group_by!r} to match its name {name}, found no group")
        else:
            groups[name] = found[1]
    if faults:
        raise InputError("; ".join(faults))
    splits = assign_splits(groups, val_fraction, test_fraction)
    return [
        RawCase(name, groups[name], splits[name], partial(_read_pair, image, masks[name]))
        for name, image in images.items()
    ]


def _draw(number: int) -> tuple[np.ndarray, np.ndarray]:
    phantom = draw_phantom(np.random.default_rng([SYNTHETIC_SEED, number]))
    return phantom.image, phantom.mask.astype(np.uint8)


def _by_name(folder: Path) -> dict[str, Path]:
    """Case name (path below the folder, no suffix, `__` for the separators) to file, sorted by name."""
    found = defaultdict(list)
    for path in sorted(folder.rglob("*")):
        hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
        if path.is_file() and path.suffix.lower() in SUFFIXES and not hidden:
            found["__".join(path.relative_to(folder).with_suffix("").parts)].append(path)
    if not found:
        raise InputError(f"{folder}: expected {', '.join(SUFFIXES)} files, found none; see dataset and data_dir")
    twice = [paths for paths in found.values() if len(paths) > 1]
    if twice:
        raise InputError("; ".join(f"{', '.join(map(str, paths))}: expected one file a case" for paths in twice))
    return {name: paths[0] for name, paths in sorted(found.items())}


def _read_pair(image_path: Path, mask_path: Path) -> tuple[np.ndarray, np.ndarray]:
    image, labels = read_image(image_path), read_labels(mask_path)
    if image.shape[:2] != labels.shape:
        raise InputError(
            f"{mask_path}: expected the size of {image_path}, {image.shape[1]}x{image.shape[0]}, "
            f"found {labels.shape[1]}x{labels.shape[0]}"
        )
    return image, labels
