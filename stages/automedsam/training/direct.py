"""Training of direct prompting, as published: box losses on the masks of the frozen decoder."""

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import enclosing_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.supervision.box_losses import (
    BoxLoss,
    boxes_tensor,
    mean_loss,
)
from automedsam.supervision.generalized_iou import generalized_iou_loss
from automedsam.supervision.targets import pseudo_label_loss, read_targets
from automedsam.training.context import TrainingContext
from automedsam.training.recipe import LossTerms, Recipe


class DirectRecipe(Recipe):
    """Adam, with a learning rate that drops to a tenth after half of the epochs (arXiv 2409.20293).

    Pseudo-labels and the loss of the predicted box are additions; their weights are 0 by default.
    """

    def __init__(
        self,
        context: TrainingContext,
        *,
        epochs: int,
        learning_rate: float,
        weight_decay: float,
        lambda_pseudo: float = 0.0,
        lambda_box: float = 0.0,
    ) -> None:
        self.context = context
        self.lambda_pseudo = lambda_pseudo
        self.lambda_box = lambda_box
        parameters = context.model.prompter.parameters()
        self.optimizer = torch.optim.Adam(parameters, learning_rate, weight_decay=weight_decay)
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(
            self.optimizer, [max(epochs // 2, 1)], gamma=0.1
        )

    def losses(self, train_cases: list[Case], epoch: int) -> Iterator[tuple[list[Case], LossTerms]]:
        """Every training case once, in random order."""
        order = np.random.default_rng([self.context.seed, epoch]).permutation(len(train_cases))
        for batch in self.context.batches([train_cases[i] for i in order]):
            yield batch, self._loss_terms(batch)
        self.schedule.step()

    def validate_batch(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        """Masks, and the overlap of the mask's box with the given box."""
        masks, _ = self.context.predict(cases)
        pairs = self.context.per_class(masks, cases)
        return masks, [mask_box_iou(to_mask(mask), boxes_xyxy) for mask, boxes_xyxy in pairs]

    def _loss_terms(self, cases: list[Case]) -> LossTerms:
        masks, prompts = self.context.predict(cases)
        terms = self._box_loss(masks, cases).terms()
        if self.lambda_pseudo:
            terms["loss_pseudo"] = self._pseudo_label_loss(masks, cases)
            terms["loss"] = terms["loss"] + self.lambda_pseudo * terms["loss_pseudo"]
        if self.lambda_box and prompts.boxes_xyxy is not None:
            terms["loss_box"] = self._prompt_loss(prompts.boxes_xyxy[:, 0], cases)
            terms["loss"] = terms["loss"] + self.lambda_box * terms["loss_box"]
        return terms

    def _box_loss(self, masks: Sequence[Tensor], cases: Sequence[Case]) -> BoxLoss:
        """Mean over the cases, one by one because images differ in size."""
        return mean_loss(
            [
                self.context.criterion(mask, boxes_tensor(boxes_xyxy, mask.device))
                for mask, boxes_xyxy in self.context.per_class(masks, cases)
            ]
        )

    def _pseudo_label_loss(self, masks: Sequence[Tensor], cases: Sequence[Case]) -> Tensor:
        losses = []
        for mask, case in zip(masks, cases, strict=True):
            targets = read_targets(self.context.pseudo_labels, case, self.context.classes)
            losses.append(pseudo_label_loss(mask, targets.unsqueeze(0).to(mask.device)))
        return torch.stack(losses).mean()

    def _prompt_loss(self, boxes_xyxy: Tensor, cases: Sequence[Case]) -> Tensor:
        """1 - generalised IoU (arXiv 1902.09630) of predicted and given boxes (B, 4).

        The loss is the mean over the cases that have a box.
        """
        to_input = self.context.model.preprocessing.box_to_input
        given_xyxy = [
            to_input(boxes_xyxy.new_tensor(enclosing_box(case.all_boxes_xyxy)), case.image_size)
            for case in cases
        ]
        has_object = boxes_xyxy.new_tensor([case.has_object for case in cases])
        losses = generalized_iou_loss(boxes_xyxy, torch.stack(given_xyxy))  # (B,)
        return (losses * has_object).sum() / has_object.sum().clamp(min=1)
