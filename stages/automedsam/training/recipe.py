"""The part of a training that depends on how the model prompts."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from typing import Any

import torch
from torch import Tensor

from automedsam.cases.case import Case
from automedsam.training.context import TrainingContext
from automedsam.training.presence import PresenceScore
from automedsam.training.self_labels import SelfLabel

LossTerms = dict[str, Tensor]  # `loss`, which is minimized, and its parts; each a scalar


class Recipe(ABC):
    """Losses, optimizer, schedule and validation of one kind of prompter."""

    context: TrainingContext
    optimizer: torch.optim.Optimizer
    schedule: torch.optim.lr_scheduler.LRScheduler
    max_gradient_norm: float | None = None
    self_labels: Sequence[SelfLabel] = ()  # labels of unlabelled cases that it learns from

    def begin_epoch(self, train_cases: list[Case], epoch: int) -> None:
        """Prepare for an epoch, before its schedule is read; does nothing by default.

        Args:
          train_cases: the boxed cases.
          epoch: number of the epoch, from 1.
        """

    @abstractmethod
    def losses(self, train_cases: list[Case], epoch: int) -> Iterator[tuple[list[Case], LossTerms]]:
        """The batches of one epoch and their losses.

        The optimizer takes its step before the next batch is requested. The order of the batches
        depends on the seed and the epoch only, so a resumed training sees the same batches.
        """

    @abstractmethod
    def validate_batch(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """Mask logits (1, K, H, W) of each case, and the overlap of each class with its boxes.

        The overlap of an absent class is 1 if its mask is empty, and 0 otherwise.
        """

    def score_presence(self, val_cases: list[Case]) -> list[list[PresenceScore]]:
        """The presence of each class in some of the cases; nothing by default."""
        return []

    def calibrate(self, scores: list[list[PresenceScore]]) -> None:
        """Set what only the scores of validation cases can determine; nothing by default."""

    def state_dict(self) -> dict[str, Any]:
        """State beyond the prompter, the optimizer and the schedule; none by default."""
        return {}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore the state that `state_dict` returned."""
