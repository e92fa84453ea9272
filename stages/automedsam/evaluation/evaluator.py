"""Evaluation of one test case after another, class by class."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from torch import Tensor

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.cases.mean_box import mean_relative_box
from automedsam.evaluation.baselines import score_baselines
from automedsam.evaluation.scores import Scores, score_losses, score_mask
from automedsam.evaluation.volumes import Overlap
from automedsam.model.segmenter import ImagePrompt, Segmenter
from automedsam.supervision.box_losses import AutoMedSAMLoss


@dataclass(frozen=True)
class ClassResult:
    """The result of one class in one test case."""

    scores: Scores
    overlap: Overlap | None  # with the true mask; None if there is none
    is_empty: bool  # whether the predicted mask is empty

    @property
    def is_present(self) -> bool:
        """Whether the case shows the object."""
        return self.scores.left_empty is None


@dataclass(frozen=True)
class CaseResult:
    """The result of one test case."""

    case: Case
    prompts: list[ImagePrompt]  # one per class
    classes: list[ClassResult]

    @property
    def has_mask(self) -> bool:
        """Whether the case was compared with a true mask."""
        return self.classes[0].overlap is not None


class CaseEvaluator:
    """Scores the model and the baselines on test cases."""

    def __init__(
        self,
        segmenter: Segmenter,
        criterion: AutoMedSAMLoss,
        classes: Classes,
        train_cases: Sequence[Case],
    ) -> None:
        self._segmenter = segmenter
        self._criterion = criterion
        self._classes = classes
        self._mean_boxes = [mean_relative_box(train_cases, cls.value) for cls in classes]

    def evaluate(
        self,
        case: Case,
        embedding: Tensor,
        logits: Tensor,
        labels: np.ndarray,
        true_labels: np.ndarray | None,
    ) -> list[ClassResult]:
        """Score each class of one case; without a true mask, only its boxes and losses.

        Args:
          case: the case.
          embedding: (1, C, grid, grid), for the baselines.
          logits: (1, K, H, W), as the model predicts them.
          labels: (H, W) uint8, the label mask of `to_labels`.
          true_labels: (H, W) uint8, the true label mask; `None` if there is none.
        """
        results = []
        for cls, class_logits, mean_box in zip(
            self._classes, logits.split(1, dim=1), self._mean_boxes, strict=True
        ):
            boxes_xyxy = case.boxes[cls.value]
            mask = labels == cls.value
            truth = None if true_labels is None else true_labels == cls.value
            scores = score_mask(mask, truth, boxes_xyxy, mean_box, case.spacing_mm)
            scores = scores.joined(score_losses(self._criterion, class_logits, boxes_xyxy))
            overlap = None if truth is None else Overlap.of_masks(mask, truth)
            results.append(ClassResult(scores, overlap, is_empty=not mask.any()))
        return (
            results
            if true_labels is None
            else self._add_baselines(results, case, embedding, true_labels)
        )

    def _add_baselines(
        self,
        results: Sequence[ClassResult],
        case: Case,
        embedding: Tensor,
        true_labels: np.ndarray,
    ) -> list[ClassResult]:
        baselines = score_baselines(
            self._segmenter,
            embedding,
            [case.boxes[cls.value] for cls in self._classes],
            [true_labels == cls.value for cls in self._classes],
            self._mean_boxes,
        )
        return [
            replace(result, scores=result.scores.joined(scores))
            for result, scores in zip(results, baselines, strict=True)
        ]
