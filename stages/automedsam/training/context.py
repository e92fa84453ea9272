"""The objects that a training works with, and the predictions of the model in training."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from automedsam.cases.boxes import Box
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.prompts import Prompts
from automedsam.runtime.compute import Compute
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.training.inputs import CaseInputs


@dataclass(frozen=True)
class TrainingContext:
    """The model, its inputs, and the settings that all recipes share."""

    model: AutoMedSAM
    criterion: AutoMedSAMLoss
    compute: Compute
    inputs: CaseInputs
    classes: Classes
    pseudo_labels: Path  # folder
    batch_size: int
    seed: int
    unlabelled: Sequence[Case] = ()  # cases of which nothing is known; not all recipes use them

    def batches(self, cases: Sequence[Case]) -> list[list[Case]]:
        """The cases in batches, the last of which may be smaller."""
        starts = range(0, len(cases), self.batch_size)
        return [list(cases[start : start + self.batch_size]) for start in starts]

    def predict(self, cases: Sequence[Case]) -> tuple[list[Tensor], Prompts]:
        """Mask logits (1, K, H, W) of each case in its image's own size, and the prompts."""
        with self.compute.autocast():
            logits, prompts = self.model(*self.inputs.load(cases))  # (B, K, 4 grid, 4 grid)
        return self.to_images(logits, cases), prompts

    def to_images(self, logits: Tensor, cases: Sequence[Case]) -> list[Tensor]:
        """Logits (B, K, h, w) of the input frame in the images' own sizes, (1, K, H, W) each."""
        to_image = self.model.preprocessing.mask_to_image
        return [
            to_image(one[None], case.image_size) for one, case in zip(logits, cases, strict=True)
        ]

    def per_class(
        self, masks: Sequence[Tensor], cases: Sequence[Case]
    ) -> list[tuple[Tensor, tuple[Box, ...]]]:
        """Each class's mask (1, 1, H, W) and boxes, of masks (1, K, H, W), case by case."""
        return [
            (mask, case.boxes[cls.value])
            for case_masks, case in zip(masks, cases, strict=True)
            for mask, cls in zip(case_masks.split(1, dim=1), self.classes, strict=True)
        ]
