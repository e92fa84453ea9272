"""One training of the PromptModule, from cached embeddings and boxes; it can be stopped and taken up again."""

import math
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.prompts import Prompts
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.supervision.box_losses import AutoMedSAMLoss, given_boxes
from automedsam.training.inputs import CaseInputs

Terms = dict[str, Tensor]  # the loss, which is minimised, and its parts, each a scalar


@dataclass(frozen=True)
class Setup:
    """What a training of either kind works on, and with."""

    model: AutoMedSAM
    criterion: AutoMedSAMLoss
    compute: Compute
    inputs: CaseInputs
    classes: Sequence[ObjectClass]
    pseudo_labels: Path
    batch_size: int
    seed: int


class Training(ABC):
    """Model and history, moved on epoch by epoch; what a step is, is told by those who inherit.

    The best epoch is the one whose masks' boxes overlap the given boxes of the validation cases most, on average over
    cases and classes; there is no mask to ask.
    """

    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler

    max_gradient: float | None = None  # norm; a greater one is cut to it

    def __init__(self, setup: Setup) -> None:
        self.model = setup.model
        self.criterion = setup.criterion
        self.compute = setup.compute
        self.inputs = setup.inputs
        self.classes = setup.classes
        self.pseudo_labels = setup.pseudo_labels
        self.batch_size = setup.batch_size
        self.seed = setup.seed
        self.scaler = setup.compute.scaler()
        self.history: list[dict[str, float]] = []  # one row an epoch
        self.best: dict[str, Tensor] = {}  # the PromptModule's state after the best epoch

    @abstractmethod
    def take_steps(self, train_cases: list[Case], epoch: int) -> Iterator[Terms]:
        """Take the steps of one epoch, telling the losses of each."""

    @abstractmethod
    def judge(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """Mask logits (1, K, H, W) of a batch, sized as the images, and each class's overlap with its given boxes."""

    @abstractmethod
    def calibrate(self, val_cases: list[Case]) -> None:
        """Settle, once the training is over, what of the best module only validation boxes can tell."""

    def finish(self, val_cases: list[Case]) -> None:
        """Let the model be that of the best epoch, calibrated."""
        self.model.prompt_module.load_state_dict(self.best)
        self.calibrate(val_cases)
        self._keep_as_best()

    @property
    def best_row(self) -> dict[str, float]:
        """The row of the best epoch; of equals that of the least loss, which tells even where nothing is found."""
        return max(self.history, key=lambda row: (row["val_box_iou"], -row["val_loss"]))

    def run_epoch(self, train_cases: list[Case], val_cases: list[Case]) -> None:
        """Train, validate, and add a row to the history.

        Raises:
          InputError: the loss is no number any more.
        """
        epoch = len(self.history) + 1
        learning_rate = float(self.schedule.get_last_lr()[0])
        steps = [
            {name: term.item() for name, term in terms.items()}
            for terms in self.take_steps(train_cases, epoch)
        ]
        losses = {name: float(np.mean([step[name] for step in steps])) for name in steps[0]}
        val_loss, val_box_iou = self._validate(val_cases)
        validation = {
            "val_loss": val_loss,
            "val_box_iou": val_box_iou,
            "learning_rate": learning_rate,
        }
        self.history.append({"epoch": epoch, **losses, **validation})
        if self.best_row is self.history[-1]:
            self._keep_as_best()

    @torch.inference_mode()
    def segment(self, cases: list[Case]) -> list[Tensor]:
        """Mask logits (1, K, H, W) of each case, in its image's own size."""
        return [logits for batch in self.batches(cases) for logits in self.ask(batch)[0]]

    def state_dict(self) -> dict[str, Any]:
        """All that a later process needs to go on as if nothing had happened."""
        return {
            "prompt_module": self.model.prompt_module.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "schedule": self.schedule.state_dict(),
            "scaler": self.scaler.state_dict(),
            "history": self.history,
            "best": self.best,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from where another process was."""
        self.model.prompt_module.load_state_dict(state["prompt_module"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.schedule.load_state_dict(state["schedule"])
        self.scaler.load_state_dict(state["scaler"])
        self.history, self.best = state["history"], state["best"]

    def batches(self, cases: list[Case]) -> list[list[Case]]:
        return [cases[at : at + self.batch_size] for at in range(0, len(cases), self.batch_size)]

    def ask(self, cases: list[Case]) -> tuple[list[Tensor], Prompts]:
        """Mask logits (1, K, H, W) of a batch, in the images' own sizes, and the prompts that led to them."""
        with self.compute.autocast():
            logits, prompts = self.model(*self.inputs.load(cases))  # (B, K, 4 grid, 4 grid)
        return self.to_images(logits, cases), prompts

    def to_images(self, logits: Tensor, cases: list[Case]) -> list[Tensor]:
        """Of a batch in the input frame, (B, K, h, w), to the images' own sizes, (1, K, H, W) each."""
        to_image = self.model.preprocessing.mask_to_image
        return [
            to_image(one[None], case.image_size) for one, case in zip(logits, cases, strict=True)
        ]

    def per_class(self, masks: list[Tensor], cases: list[Case]) -> list[tuple[Tensor, Case]]:
        """Masks (1, K, H, W) as those of single classes, (1, 1, H, W), each with the case as it is to that class."""
        return [
            (one, case.of_class(of.value))
            for mask, case in zip(masks, cases, strict=True)
            for one, of in zip(mask.split(1, dim=1), self.classes, strict=True)
        ]

    def descend(self, loss: Tensor, cases: list[Case], epoch: int) -> None:
        """One step of the optimizer.

        Raises:
          InputError: the loss of these cases is no number.
        """
        if not math.isfinite(loss.item()):
            raise InputError(
                f"epoch {epoch}: expected a finite loss, found {loss.item()} on {', '.join(c.name for c in cases)}; "
                "a lower learning_rate, or use_amp: false, may help"
            )
        self.optimizer.zero_grad()
        self.scaler.scale(loss).backward()
        if self.max_gradient is not None:
            self.scaler.unscale_(self.optimizer)
            learned = [
                parameter for group in self.optimizer.param_groups for parameter in group["params"]
            ]
            nn.utils.clip_grad_norm_(learned, self.max_gradient)
        self.scaler.step(self.optimizer)
        self.scaler.update()

    def _keep_as_best(self) -> None:
        state = self.model.prompt_module.state_dict()
        self.best = {key: value.detach().cpu().clone() for key, value in state.items()}

    @torch.inference_mode()
    def _validate(self, cases: list[Case]) -> tuple[float, float]:
        """Mean box loss and mean overlap; by batches, as volumes are long."""
        losses, overlaps = [], []
        for batch in self.batches(cases):
            masks, of_batch = self.judge(batch)
            overlaps += of_batch
            for mask, case in self.per_class(masks, batch):
                losses.append(self.criterion(mask, given_boxes(case, mask.device)).total.item())
        return float(np.mean(losses)), float(np.mean(overlaps))
