"""Masks of a few validation cases over the epochs, for a figure."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.case import Case
from automedsam.cases.masks import to_soft_mask
from automedsam.runtime.tensors import load_tensors, save_tensors

SHOWN_CASES = 3
SHOWN_EPOCHS = 6


def shown_cases(val_cases: Sequence[Case]) -> list[Case]:
    """The first validation cases with an object."""
    return [case for case in val_cases if case.has_object][:SHOWN_CASES]


def shown_epochs(epochs: int) -> set[int]:
    """Epochs from the first to the last, with growing distances."""
    return {round(epoch) for epoch in np.geomspace(1, epochs, SHOWN_EPOCHS).tolist()}


def add_progress(path: Path, epoch: int, cases: Sequence[Case], logits: Sequence[Tensor]) -> None:
    """Add the masks after an epoch to the file.

    Args:
      path: the file, which is created if it is missing.
      epoch: number of the epoch, from 1.
      cases: the shown cases.
      logits: (1, K, H, W) of each case, stored as probabilities of 0 to 255.
    """
    masks = load_tensors(path) if path.is_file() else {}
    for case, mask in zip(cases, logits, strict=True):
        masks[f"{epoch}/{case.name}"] = torch.from_numpy(to_soft_mask(mask))
    save_tensors(path, masks, {"content": "epoch/case: probability, 0 to 255"})


def load_progress(path: Path) -> dict[str, dict[int, np.ndarray]]:
    """Case name -> epoch -> soft mask (H, W), uint8; both sorted."""
    masks: dict[str, dict[int, np.ndarray]] = {}
    for key, mask in load_tensors(path).items():
        epoch, case = key.split("/", 1)
        masks.setdefault(case, {})[int(epoch)] = mask.numpy()
    return {case: dict(sorted(by_epoch.items())) for case, by_epoch in sorted(masks.items())}
