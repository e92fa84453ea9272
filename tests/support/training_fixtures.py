"""Trainings of both kinds on the shared fixtures, and helpers to compare them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import AUGMENTATIONS
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.training.context import TrainingContext
from automedsam.training.direct import DirectRecipe
from automedsam.training.inputs import CaseInputs
from automedsam.training.locating import LocatingRecipe
from automedsam.training.trainer import Trainer

OBJECT = Classes([ObjectClass("object", SINGLE_CLASS_VALUE)])
CPU = Compute(torch.device("cpu"), torch.float32)
RECIPE: dict[str, Any] = {"epochs": 4, "learning_rate": 0.01, "weight_decay": 1e-4}
LOCATING: dict[str, Any] = {
    "steps_per_epoch": 2,
    "views": 2,
    "augmentations": list(AUGMENTATIONS),
}


@dataclass(frozen=True)
class TrainingFixtures:
    """The inputs of a training that the shared fixtures provide."""

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
    ) -> Trainer:
        """A training with direct prompting; `start` seeds the initial weights."""
        torch.manual_seed(start)
        model = AutoMedSAM(self.weights, "direct")
        context = self.context(model, compute, batch_size, seed)
        return Trainer(context, DirectRecipe(context, **RECIPE | changes))

    def locating(
        self,
        compute: Compute = CPU,
        start: int = 0,
        batch_size: int = 2,
        seed: int = 0,
        source: Any = "both",
        classes: Classes = OBJECT,
        unlabelled: Sequence[Case] = (),
        **changes: Any,
    ) -> Trainer:
        """A training with locating prompting, of one class or several."""
        torch.manual_seed(start)
        model = AutoMedSAM(self.weights, "locate", source, classes=len(classes))
        context = self.context(model, compute, batch_size, seed, classes)
        context = replace(context, unlabelled=unlabelled)
        return Trainer(context, LocatingRecipe(context, **RECIPE | LOCATING | changes))

    def context(
        self,
        model: AutoMedSAM,
        compute: Compute = CPU,
        batch_size: int = 2,
        seed: int = 0,
        classes: Classes = OBJECT,
    ) -> TrainingContext:
        """The context of a training of `model`."""
        return TrainingContext(
            model=model,
            criterion=AutoMedSAMLoss(),
            compute=compute,
            inputs=CaseInputs(model, self.embeddings, self.images, CPU.device),
            classes=classes,
            pseudo_labels=self.pseudo_labels,
            batch_size=batch_size,
            seed=seed,
        )


def run(trainer: Trainer, cases: list[Case], epochs: int) -> Trainer:
    """Train for some epochs on the first three cases, and validate on the others."""
    for _ in range(epochs):
        trainer.run_epoch(cases[:3], cases[3:])
    return trainer


def prompter_state(trainer: Trainer) -> dict[str, Tensor]:
    """A copy of the prompter's state."""
    state = trainer.context.model.prompter.state_dict()
    return {key: value.clone() for key, value in state.items()}


def equal(one: dict[str, Tensor], other: dict[str, Tensor]) -> bool:
    """Whether two states are the same, to the bit."""
    return one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
