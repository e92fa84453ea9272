"""Trainings of both kinds on the shared fixtures, and how two of them are compared."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import AUGMENTATIONS
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.training.direct import DirectTraining
from automedsam.training.inputs import CaseInputs
from automedsam.training.locating import LocatingTraining
from automedsam.training.trainer import Setup, Training

OBJECT = [ObjectClass("object", SINGLE_CLASS_VALUE)]
CPU = Compute(torch.device("cpu"), torch.float32)
RECIPE: dict[str, Any] = {"epochs": 4, "learning_rate": 0.01, "weight_decay": 1e-4}
LOCATING: dict[str, Any] = {"steps_per_epoch": 2, "views": 2, "augmentations": list(AUGMENTATIONS)}


@dataclass(frozen=True)
class TrainingFixtures:
    """What the shared fixtures give to learn from."""

    weights: Weights
    embeddings: EmbeddingFolder
    images: Path
    pseudo_labels: Path

    def direct(
        self,
        compute: Compute = CPU,
        start: int = 0,
        batch_size: int = 2,
        seed: int = 0,
        **changes: Any,
    ) -> DirectTraining:
        """The recipe with some changes, its module started from a seed."""
        torch.manual_seed(start)
        model = AutoMedSAM(self.weights, "direct")
        return DirectTraining(self.set_up(model, compute, batch_size, seed), **RECIPE | changes)

    def locating(
        self,
        compute: Compute = CPU,
        start: int = 0,
        batch_size: int = 2,
        seed: int = 0,
        source: Any = "both",
        classes: Sequence[ObjectClass] = OBJECT,
        **changes: Any,
    ) -> LocatingTraining:
        """The same of the other kind, of one class or several."""
        torch.manual_seed(start)
        model = AutoMedSAM(self.weights, "locate", source, classes=len(classes))
        return LocatingTraining(
            self.set_up(model, compute, batch_size, seed, classes), **RECIPE | LOCATING | changes
        )

    def set_up(
        self,
        model: AutoMedSAM,
        compute: Compute = CPU,
        batch_size: int = 2,
        seed: int = 0,
        classes: Sequence[ObjectClass] = OBJECT,
    ) -> Setup:
        inputs = CaseInputs(model, self.embeddings, self.images, CPU.device)
        return Setup(
            model, AutoMedSAMLoss(), compute, inputs, classes, self.pseudo_labels, batch_size, seed
        )


def run(training: Training, cases: list[Case], epochs: int) -> Any:
    """The same training, so many epochs on: three cases to learn from, the others to validate with."""
    for _ in range(epochs):
        training.run_epoch(cases[:3], cases[3:])
    return training


def module_state(training: Training) -> dict[str, Tensor]:
    return {key: value.clone() for key, value in training.model.prompt_module.state_dict().items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
