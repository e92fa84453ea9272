"""How a test case went, class by class: the model's mask, the yardsticks and the losses side by side."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from torch import Tensor

from automedsam.cases import Case
from automedsam.losses import AutoMedSAMLoss
from automedsam.object_classes import ObjectClass
from automedsam.scores import Overlap, Scores, mean_relative_box, score_losses, score_mask, score_yardsticks
from automedsam.segmenter import Segmenter


@dataclass(frozen=True)
class Examined:
    """Of one test case."""

    scores: list[Scores]  # of each class
    overlaps: list[Overlap]  # of each class with its true mask; none where nobody drew one


class Examiner:
    """Scores one case after another."""

    def __init__(
        self, segmenter: Segmenter, criterion: AutoMedSAMLoss, classes: Sequence[ObjectClass], train_cases: list[Case]
    ) -> None:
        self._segmenter = segmenter
        self._criterion = criterion
        self._classes = classes
        self._mean_boxes = [mean_relative_box([case.of_class(of.value) for case in train_cases]) for of in classes]

    def examine(
        self, case: Case, embedding: Tensor, logits: Tensor, labels: np.ndarray, true_labels: np.ndarray | None
    ) -> Examined:
        """Of one case all that can be said without its true mask, and with it, if there is one, the rest.

        Args:
          embedding: (1, C, grid, grid), for the yardsticks.
          logits: (1, K, H, W), as the model gives them.
          labels: (H, W) uint8, the classes' values, as `to_labels` makes them of the logits.
          true_labels: the same of the true mask; None if nobody drew one.
        """
        values = [of.value for of in self._classes]
        of_classes = [case.of_class(value) for value in values]
        masks = [labels == value for value in values]
        truths = [None if true_labels is None else true_labels == value for value in values]
        known = zip(masks, truths, of_classes, self._mean_boxes, logits.split(1, dim=1), strict=True)
        scores = [
            score_mask(mask, truth, one, mean_box) | score_losses(self._criterion, of_class, one)
            for mask, truth, one, mean_box, of_class in known
        ]
        true_masks = [truth for truth in truths if truth is not None]
        if not true_masks:
            return Examined(scores, [])
        yardsticks = score_yardsticks(self._segmenter, embedding, of_classes, true_masks, self._mean_boxes)
        overlaps = [Overlap.of(*pair) for pair in zip(masks, true_masks, strict=True)]
        return Examined([one | beside for one, beside in zip(scores, yardsticks, strict=True)], overlaps)
