"""The training loop of the prompter, one epoch at a time, with validation on boxes."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from automedsam.cases.case import Case
from automedsam.runtime.errors import InputError
from automedsam.supervision.box_losses import boxes_tensor
from automedsam.training.context import TrainingContext
from automedsam.training.recipe import Recipe


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
        learning_rate = float(self.recipe.schedule.get_last_lr()[0])
        losses = self._train_epoch(train_cases, epoch)
        validation = self._validate(val_cases)
        row = {"epoch": epoch, **losses, **validation, "learning_rate": learning_rate}
        self.history.append(row)
        if self.best_row is self.history[-1]:
            self._keep_as_best()

    def finish(self, val_cases: list[Case]) -> None:
        """Restore the best epoch, and calibrate it on the validation boxes."""
        self.context.model.prompter.load_state_dict(self.best)
        self.recipe.calibrate(val_cases)
        self._keep_as_best()

    @torch.inference_mode()
    def segment(self, cases: list[Case]) -> list[Tensor]:
        """Mask logits (1, K, H, W) of each case, in its image's own size."""
        batches = self.context.batches(cases)
        return [logits for batch in batches for logits in self.context.predict(batch)[0]]

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

    def _train_epoch(self, train_cases: list[Case], epoch: int) -> dict[str, float]:
        """The mean of each loss term over the steps."""
        steps = []
        for batch, terms in self.recipe.losses(train_cases, epoch):
            self._optimizer_step(terms["loss"], batch, epoch)
            steps.append({name: term.item() for name, term in terms.items()})
        return {name: float(np.mean([step[name] for step in steps])) for name in steps[0]}

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

    @torch.inference_mode()
    def _validate(self, cases: list[Case]) -> dict[str, float]:
        """Mean box loss and mean overlaps; in batches, because volumes are long."""
        losses: list[float] = []
        present: list[float] = []
        absent: list[float] = []
        for batch in self.context.batches(cases):
            masks, overlaps = self.recipe.validate_batch(batch)
            pairs = self.context.per_class(masks, batch)
            for (mask, boxes_xyxy), overlap in zip(pairs, overlaps, strict=True):
                loss = self.context.criterion(mask, boxes_tensor(boxes_xyxy, mask.device))
                losses.append(loss.total.item())
                (present if boxes_xyxy else absent).append(overlap)
        scores = {"val_loss": float(np.mean(losses)), "val_box_iou": float(np.mean(present))}
        if absent:
            scores["val_left_empty"] = float(np.mean(absent))
        return scores

    def _keep_as_best(self) -> None:
        state = self.context.model.prompter.state_dict()
        self.best = {key: value.detach().cpu().clone() for key, value in state.items()}


def _rank(row: dict[str, float]) -> tuple[bool, float, float]:
    """What orders the epochs, the best last."""
    overlap = row["val_box_iou"]
    score = (overlap + row.get("val_left_empty", overlap)) / 2
    return overlap > 0, score, -row["val_loss"]
