"""Training without validation cases: the epoch is chosen on training cases that are held out."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace
from itertools import chain
from typing import Any

import numpy as np
from torch import Tensor

from automedsam.cases.boxes import box_iou, enclosing_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.folds import describe_folds, outside_groups
from automedsam.cases.masks import to_labels
from automedsam.cases.mean_box import box_in_px, mean_relative_box
from automedsam.training.context import TrainingContext
from automedsam.training.presence import PresenceScore
from automedsam.training.recipe import Recipe
from automedsam.training.trainer import Trainer, Validation

SCORES = ("box_iou", "mean_box_iou", "missed", "left_empty")


class CrossValidation(Trainer):
    """Trains the model on all cases, and one further model per fold without the cases of the fold.

    All models start with the same weights and follow the same schedule. After each epoch, the model
    of each fold is validated on the cases that it has not seen, and the results of all folds are
    pooled. They choose the epoch whose weights of the model of all cases are kept. Validation cases
    are therefore the training cases themselves: each is held out once.
    """

    def __init__(
        self,
        context: TrainingContext,
        create_recipe: Callable[[TrainingContext], Recipe],
        folds: Sequence[Sequence[Case]],
    ) -> None:
        """Create a trainer for all cases, and one per fold with a copy of the model.

        Args:
          context: the model, its inputs and common settings; unlabelled cases in the groups of a
            fold are not used for the model of the fold.
          create_recipe: creates the recipe of each model.
          folds: the training cases, divided into folds.
        """
        super().__init__(context, create_recipe(context))
        contexts = [_without_groups_of(fold, context) for fold in folds]
        self.trainers = [Trainer(of_fold, create_recipe(of_fold)) for of_fold in contexts]
        self.folds = folds
        self._fold_of = {case.name: number for number, fold in enumerate(folds) for case in fold}
        self._measured: dict[str, float] = {}

    def run_epoch(self, train_cases: list[Case], val_cases: list[Case]) -> None:
        """Train the models of the folds for one epoch, too."""
        epoch = len(self.history) + 1
        for number, trainer in enumerate(self.trainers):
            _, others = self._divide(train_cases, number)
            trainer.recipe.begin_epoch(others, epoch)
            trainer.train_epoch(others, epoch)
        super().run_epoch(train_cases, val_cases)

    def validate(self, cases: list[Case]) -> Validation:
        """Validate the model of each fold on the cases of the fold."""
        pooled = Validation()
        for number, trainer in enumerate(self.trainers):
            held_out, _ = self._divide(cases, number)
            pooled.add(trainer.validate(held_out))
        return pooled

    def finish(self, val_cases: list[Case]) -> None:
        """Restore the best epoch, calibrate it, and measure the final masks of held-out cases."""
        super().finish(val_cases)
        self._measured = self._measure(val_cases)

    def calibrate(self, val_cases: list[Case]) -> None:
        """Calibrate the model of all cases on all held-out cases.

        The model of a fold is calibrated on the other folds, so that its own cases measure it.
        """
        of_folds = [
            trainer.recipe.score_presence(self._divide(val_cases, number)[0])
            for number, trainer in enumerate(self.trainers)
        ]
        self.recipe.calibrate(_pool(of_folds))
        for number, trainer in enumerate(self.trainers):
            trainer.recipe.calibrate(_pool(of_folds[:number] + of_folds[number + 1 :]))

    def segment(self, cases: list[Case]) -> list[Tensor]:
        """Mask logits (1, K, H, W) of each case, by the model that has not seen it."""
        return [self.trainers[self._fold_of[case.name]].segment([case])[0] for case in cases]

    def keep_as_best(self) -> None:
        """Keep a copy of the present state of all models."""
        for trainer in self.trainers:
            trainer.keep_as_best()
        super().keep_as_best()

    def restore_best(self) -> None:
        """Set all models to the states that were kept."""
        for trainer in self.trainers:
            trainer.restore_best()
        super().restore_best()

    def figures(self) -> dict[str, float]:
        """The number of folds and, after `finish`, the scores of the final masks."""
        return {"folds": len(self.folds), **super().figures(), **self._measured}

    def describe_best(self) -> str:
        """The best epoch, and the scores of the final masks."""
        best, figures = self.best_row, self.figures()
        text = (
            f"best epoch {best['epoch']} by cross-validation in {describe_folds(self.folds)}: "
            f"validation box IoU {best['val_box_iou']:.3f}, {figures['cv_box_iou']:.3f} of the "
            "final masks"
        )
        if "cv_left_empty" in figures:
            text += f"; {figures['cv_left_empty']:.3f} of the absent objects left empty"
        return text

    def state_dict(self) -> dict[str, Any]:
        """The states of all models."""
        folds = [trainer.state_dict() for trainer in self.trainers]
        return {**super().state_dict(), "folds": folds}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state that `state_dict` returned."""
        super().load_state_dict(state)
        for trainer, of_fold in zip(self.trainers, state["folds"], strict=True):
            trainer.load_state_dict(of_fold)

    def _divide(self, cases: Sequence[Case], number: int) -> tuple[list[Case], list[Case]]:
        """The cases of a fold, and those of the others."""
        held_out = [case for case in cases if self._fold_of[case.name] == number]
        return held_out, [case for case in cases if self._fold_of[case.name] != number]

    def _measure(self, cases: list[Case]) -> dict[str, float]:
        """Scores of the final masks of held-out cases, as docs/outputs.md defines them.

        Returns:
          Means over the cases of a class that define the score, and then over the classes, as
          `cv_SCORE`, and the means `cv_SCORE_of_NAME` of each of several classes.
        """
        classes = self.context.classes
        values: dict[str, dict[str, list[float]]] = {cls.name: {} for cls in classes}
        for case, logits in zip(cases, self.segment(cases), strict=True):
            labels = to_labels(logits, classes)
            for cls in classes:
                for name, value in self._score(case, labels == cls.value, cls.value).items():
                    values[cls.name].setdefault(name, []).append(value)
        means = {
            name: {score: float(np.mean(one)) for score, one in scores.items()}
            for name, scores in values.items()
        }
        of_classes = {
            f"cv_{score}_of_{name}": mean
            for name, scores in means.items()
            for score, mean in scores.items()
        }
        of_all = {}
        for score in SCORES:
            if any(score in scores for scores in means.values()):
                of_score = [scores[score] for scores in means.values() if score in scores]
                of_all[f"cv_{score}"] = float(np.mean(of_score))
        return of_all if classes.is_single else {**of_all, **of_classes}

    def _score(self, case: Case, mask: np.ndarray, value: int) -> dict[str, float]:
        """The scores of the mask (H, W) of one class in a held-out case."""
        boxes_xyxy = case.boxes[value]
        is_empty = float(not mask.any())
        if not boxes_xyxy:
            return {"left_empty": is_empty}
        scores = {"box_iou": mask_box_iou(mask, boxes_xyxy), "missed": is_empty}
        others = [
            other
            for fold in self.folds
            for other in fold
            if self._fold_of[other.name] != self._fold_of[case.name]
        ]
        if any(other.boxes[value] for other in others):
            mean_box_xyxy = box_in_px(mean_relative_box(others, value), case.image_size)
            scores["mean_box_iou"] = box_iou(mean_box_xyxy, enclosing_box(boxes_xyxy))
        return scores


def _pool(of_folds: Sequence[list[list[PresenceScore]]]) -> list[list[PresenceScore]]:
    """The scores of each class in all given folds."""
    return [list(chain.from_iterable(of_class)) for of_class in zip(*of_folds, strict=True)]


def _without_groups_of(fold: Sequence[Case], context: TrainingContext) -> TrainingContext:
    """The context of the model of a fold, with a copy of the model."""
    others = outside_groups(fold, context.unlabelled)
    return replace(context, model=copy.deepcopy(context.model), unlabelled=others)
