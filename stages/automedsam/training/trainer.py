"""The training loop of the prompter, one epoch at a time, with validation on boxes."""

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from automedsam.cases.case import Case
from automedsam.runtime.errors import InputError
from automedsam.supervision.box_losses import boxes_tensor
from automedsam.training.context import TrainingContext
from automedsam.training.recipe import Recipe


@dataclass
class Validation:
    """Box losses and overlaps of validation cases, each class of a case by itself."""

    losses: list[float] = field(default_factory=list)
    present: list[float] = field(default_factory=list)  # overlaps of objects with a box
    absent: list[float] = field(default_factory=list)  # of those without: 1 if the mask is empty

    def add(self, other: "Validation") -> None:
        """Add the values of further cases."""
        self.losses += other.losses
        self.present += other.present
        self.absent += other.absent

    def scores(self) -> dict[str, float]:
        """The means, as columns of the history."""
        scores = {
            "val_loss": float(np.mean(self.losses)),
            "val_box_iou": float(np.mean(self.present)),
        }
        if self.absent:
            scores["val_left_empty"] = float(np.mean(self.absent))
        return scores


class Trainer:
    """Trains a model with a recipe, and keeps the best epoch.

    The best epoch is the one whose masks overlap the boxes of the validation cases most, and leave
    most of the absent objects empty. No mask is used.
    """

    def __init__(self, context: TrainingContext, recipe: Recipe) -> None:
        self.context = context
        self.recipe = recipe
        self.scaler = context.compute.scaler()
        self.history: list[dict[str, float]] = []  # one row per epoch
        self.best: dict[str, Tensor] = {}  # the state of the prompter after the best epoch

    @property
    def best_row(self) -> dict[str, float]:
        """The history of the best epoch; of equal ones, the one with the lowest validation loss.

        Present and absent objects count equally, however many there are of each. An epoch that
        finds none of the present objects is the best only if all epochs do.
        """
        return max(self.history, key=_rank)

    def run_epoch(self, train_cases: list[Case], val_cases: list[Case]) -> None:
        """Train for one epoch, validate, and add a row to the history.

        Raises:
          InputError: the loss is not finite.
        """
        epoch = len(self.history) + 1
        self.recipe.begin_epoch(train_cases, epoch)
        learning_rate = float(self.recipe.schedule.get_last_lr()[0])
        losses = self.train_epoch(train_cases, epoch)
        validation = self.validate(val_cases).scores()
        row = {"epoch": epoch, **losses, **validation, "learning_rate": learning_rate}
        self.history.append(row)
        if self.best_row is self.history[-1]:
            self.keep_as_best()

    def finish(self, val_cases: list[Case]) -> None:
        """Restore the best epoch, and calibrate it on the validation boxes.

        If every case shows every class, no mask is to be left empty, and nothing is calibrated.
        """
        self.restore_best()
        classes = self.context.classes
        if not all(case.boxes[cls.value] for case in val_cases for cls in classes):
            self.calibrate(val_cases)
        self.keep_as_best()

    def calibrate(self, val_cases: list[Case]) -> None:
        """Set what only validation boxes of the best model can determine."""
        self.recipe.calibrate(self.recipe.score_presence(val_cases))

    @torch.inference_mode()
    def segment(self, cases: list[Case]) -> list[Tensor]:
        """Mask logits (1, K, H, W) of each case, in its image's own size."""
        batches = self.context.batches(cases)
        return [logits for batch in batches for logits in self.context.predict(batch)[0]]

    def figures(self) -> dict[str, float]:
        """Figures of the report beside the history."""
        labels = self.recipe.self_labels
        if not labels:
            return {}
        return {"self_labels": sum(label.rejection is None for label in labels)}

    def describe_best(self) -> str:
        """The best epoch in words."""
        best = self.best_row
        return f"best epoch {best['epoch']}: validation box IoU {best['val_box_iou']:.3f}"

    def state_dict(self) -> dict[str, Any]:
        """Everything that another process needs to continue with the same result."""
        return {
            "prompter": self.context.model.prompter.state_dict(),
            "recipe": self.recipe.state_dict(),
            "optimizer": self.recipe.optimizer.state_dict(),
            "schedule": self.recipe.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Continue from the state that `state_dict` returned."""
        self.context.model.prompter.load_state_dict(state["prompter"])
        self.recipe.load_state_dict(state["recipe"])
        self.recipe.optimizer.load_state_dict(state["optimizer"])
        self.recipe.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.history, self.best = state["history"], state["best"]

    def train_epoch(self, train_cases: list[Case], epoch: int) -> dict[str, float]:
        """Take the steps of one epoch; return the mean of each loss term."""
        steps = []
        for batch, terms in self.recipe.losses(train_cases, epoch):
            self._optimizer_step(terms["loss"], batch, epoch)
            steps.append({name: term.item() for name, term in terms.items()})
        return {name: float(np.mean([step[name] for step in steps])) for name in steps[0]}

    @torch.inference_mode()
    def validate(self, cases: list[Case]) -> Validation:
        """Box losses and overlaps of the cases; in batches, because volumes are long."""
        validation = Validation()
        for batch in self.context.batches(cases):
            masks, overlaps = self.recipe.validate_batch(batch)
            pairs = self.context.per_class(masks, batch)
            for (mask, boxes_xyxy), overlap in zip(pairs, overlaps, strict=True):
                loss = self.context.criterion(mask, boxes_tensor(boxes_xyxy, mask.device))
                validation.losses.append(loss.total.item())
                (validation.present if boxes_xyxy else validation.absent).append(overlap)
        return validation

    def keep_as_best(self) -> None:
        """Keep a copy of the present state of the prompter."""
        state = self.context.model.prompter.state_dict()
        self.best = {key: value.detach().cpu().clone() for key, value in state.items()}

    def restore_best(self) -> None:
        """Set the prompter to the state that was kept."""
        self.context.model.prompter.load_state_dict(self.best)

    def _optimizer_step(self, loss: Tensor, batch: list[Case], epoch: int) -> None:
        if not math.isfinite(loss.item()):
            names = ", ".join(case.name for case in batch)
            raise InputError(
                f"epoch {epoch}: the loss is {loss.item()} on {names}; "
                "try a lower learning_rate, or use_amp: false"
            )
        optimizer = self.recipe.optimizer
        optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.recipe.max_gradient_norm is not None:
            self.scaler.unscale_(optimizer)
            parameters = [p for group in optimizer.param_groups for p in group["params"]]
            nn.utils.clip_grad_norm_(parameters, self.recipe.max_gradient_norm)
        self.scaler.step(optimizer)
        self.scaler.update()


def _rank(row: dict[str, float]) -> tuple[bool, float, float]:
    """What orders the epochs, the best last."""
    overlap = row["val_box_iou"]
    score = (overlap + row.get("val_left_empty", overlap)) / 2
    return overlap > 0, score, -row["val_loss"]
