"""How a test case went, class by class: the model's mask, the yardsticks and the losses side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.evaluation.scores import (
    Overlap,
    Scores,
    mean_relative_box,
    score_losses,
    score_mask,
    score_yardsticks,
)
from automedsam.model.segmenter import Segmenter
from automedsam.supervision.box_losses import AutoMedSAMLoss


@dataclass(frozen=True)
class CaseEvaluation:
    """Of one test case."""

    scores: list[Scores]  # of each class
    overlaps: list[Overlap]  # of each class with its true mask; none where nobody drew one


class CaseEvaluator:
    """Scores one case after another."""

    def __init__(
        self,
        segmenter: Segmenter,
        criterion: AutoMedSAMLoss,
        classes: Sequence[ObjectClass],
        train_cases: list[Case],
    ) -> None:
        self._segmenter = segmenter
        self._criterion = criterion
        self._classes = classes
        self._mean_boxes = [
            mean_relative_box([case.of_class(of.value) for case in train_cases]) for of in classes
        ]

    def evaluate(
        self,
        case: Case,
        embedding: Tensor,
        logits: Tensor,
        labels: np.ndarray,
        true_labels: np.ndarray | None,
    ) -> CaseEvaluation:
        """Score each class of one case; without a true mask, by its boxes and losses alone.

        Args:
          embedding: (1, C, grid, grid), for the yardsticks.
          logits: (1, K, H, W), as the model gives them.
          labels: (H, W) uint8, the classes' values, as `to_labels` makes them of the logits.
          true_labels: the same of the true mask; None if nobody drew one.
        """
        of_classes = [case.of_class(of.value) for of in self._classes]
        masks = [labels == of.value for of in self._classes]
        losses = [
            score_losses(self._criterion, *pair)
            for pair in zip(logits.split(1, dim=1), of_classes, strict=True)
        ]
        if true_labels is None:
            known = zip(masks, of_classes, self._mean_boxes, strict=True)
            found = [score_mask(mask, None, one, mean_box) for mask, one, mean_box in known]
            return CaseEvaluation([one | loss for one, loss in zip(found, losses, strict=True)], [])
        truths = [true_labels == of.value for of in self._classes]
        found = [
            score_mask(*on) for on in zip(masks, truths, of_classes, self._mean_boxes, strict=True)
        ]
        yardsticks = score_yardsticks(
            self._segmenter, embedding, of_classes, truths, self._mean_boxes
        )
        return CaseEvaluation(
            [
                one | loss | beside
                for one, loss, beside in zip(found, losses, yardsticks, strict=True)
            ],
            [Overlap.of(*pair) for pair in zip(masks, truths, strict=True)],
        )
