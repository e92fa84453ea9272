"""Scores of whole volumes, from the overlaps of their slices."""

import math
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from automedsam.cases.case import Case

COLUMNS = ("volume", "class", "slices", "volume_dice", "predicted_ml", "true_ml")


@dataclass(frozen=True)
class Overlap:
    """Numbers of pixels of a predicted and a true mask, and of their intersection."""

    predicted: int
    true: int
    common: int

    @classmethod
    def of_masks(cls, mask: np.ndarray, truth: np.ndarray) -> "Overlap":
        """Count the pixels of two bool masks of one shape."""
        return cls(int(mask.sum()), int(truth.sum()), int((mask & truth).sum()))

    def __add__(self, other: "Overlap") -> "Overlap":
        return Overlap(
            self.predicted + other.predicted, self.true + other.true, self.common + other.common
        )

    @property
    def dice(self) -> float:
        """Dice, 0 to 1; two empty masks have 1."""
        total = self.predicted + self.true
        return 2 * self.common / total if total else 1.0


@dataclass(frozen=True)
class VolumeScores:
    """Scores of one class in one volume."""

    volume: str
    slices: int
    volume_dice: float
    predicted_ml: float | None  # None: the spacing is unknown
    true_ml: float | None


def score_volumes(slices: Sequence[tuple[Case, Overlap]]) -> list[VolumeScores]:
    """The scores of each volume of which all slices are given, sorted by name.

    Args:
      slices: test cases with a true mask, and the overlap of one class in each; cases that belong
        to no volume are ignored.
    """
    volumes = defaultdict(list)
    for case, overlap in slices:
        if case.volume is not None:
            volumes[case.volume].append((case, overlap))
    return [
        _score_volume(name, *zip(*pairs, strict=True))
        for name, pairs in sorted(volumes.items())
        if len(pairs) == pairs[0][0].volume_slices
    ]


def _score_volume(name: str, cases: Sequence[Case], overlaps: Sequence[Overlap]) -> VolumeScores:
    total = sum(overlaps, start=Overlap(0, 0, 0))
    spacing_mm = cases[0].spacing_mm
    voxel_ml = None if spacing_mm is None else math.prod(spacing_mm) / 1000
    return VolumeScores(
        volume=name,
        slices=len(cases),
        volume_dice=total.dice,
        predicted_ml=None if voxel_ml is None else voxel_ml * total.predicted,
        true_ml=None if voxel_ml is None else voxel_ml * total.true,
    )
