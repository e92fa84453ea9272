"""Training end to end through the frozen decoder, as published: box losses on the masks that the prompts lead to.

One class alone, as one prompt an image is predicted.
"""

from collections.abc import Iterator

import numpy as np
import torch
from torch import Tensor
from torchvision.ops import generalized_box_iou_loss

from automedsam.cases.boxes import enclosing_box, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.supervision.box_losses import BoxLoss, given_boxes, mean_loss
from automedsam.supervision.targets import pseudo_label_loss, read_targets
from automedsam.training.trainer import Setup, Terms, Training


class DirectTraining(Training):
    """Adam, learning rate x 0.1 after half of the epochs, as in arXiv 2409.20293; with weights of 0, nothing on top."""

    def __init__(
        self,
        setup: Setup,
        *,
        epochs: int,
        learning_rate: float,
        weight_decay: float,
        lambda_pseudo: float = 0.0,
        lambda_box: float = 0.0,
    ) -> None:
        super().__init__(setup)
        self.lambda_pseudo = lambda_pseudo
        self.lambda_box = lambda_box
        learned = self.model.prompt_module.parameters()
        self.optimizer = torch.optim.Adam(learned, learning_rate, weight_decay=weight_decay)
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(
            self.optimizer, [max(epochs // 2, 1)], gamma=0.1
        )

    def take_steps(self, train_cases: list[Case], epoch: int) -> Iterator[Terms]:
        """Every case once, in an order that is the same in a resumed run."""
        order = np.random.default_rng([self.seed, epoch]).permutation(len(train_cases))
        for batch in self.batches([train_cases[i] for i in order]):
            yield self._step(batch, epoch)
        self.schedule.step()

    def judge(self, cases: list[Case]) -> tuple[list[Tensor], list[float]]:
        masks, _ = self.ask(cases)
        pairs = zip(masks, cases, strict=True)
        return masks, [mask_box_iou(to_mask(mask), case.boxes_xyxy) for mask, case in pairs]

    def calibrate(self, val_cases: list[Case]) -> None:
        """Nothing is left to settle."""

    def _step(self, cases: list[Case], epoch: int) -> Terms:
        masks, prompts = self.ask(cases)
        loss = self._box_loss(masks, cases)
        terms = {
            "loss": loss.total,
            "loss_empty": loss.empty,
            "loss_tightbox": loss.tightbox,
            "loss_size": loss.size,
        }
        if self.lambda_pseudo:
            terms["loss_pseudo"] = self._pseudo_loss(masks, cases)
            terms["loss"] = terms["loss"] + self.lambda_pseudo * terms["loss_pseudo"]
        if self.lambda_box and prompts.boxes_xyxy is not None:
            terms["loss_box"] = self._prompt_loss(prompts.boxes_xyxy[:, 0], cases)
            terms["loss"] = terms["loss"] + self.lambda_box * terms["loss_box"]
        self.descend(terms["loss"], cases, epoch)
        return terms

    def _box_loss(self, masks: list[Tensor], cases: list[Case]) -> BoxLoss:
        """Mean over the cases; one by one, as images differ in size."""
        pairs = zip(masks, cases, strict=True)
        return mean_loss(
            [self.criterion(mask, given_boxes(case, mask.device)) for mask, case in pairs]
        )

    def _pseudo_loss(self, masks: list[Tensor], cases: list[Case]) -> Tensor:
        known = [
            read_targets(self.pseudo_labels, case)[None].to(self.compute.device) for case in cases
        ]
        return torch.stack(
            [pseudo_label_loss(mask, of) for mask, of in zip(masks, known, strict=True)]
        ).mean()

    def _prompt_loss(self, boxes_xyxy: Tensor, cases: list[Case]) -> Tensor:
        """1 - generalised IoU (arXiv 1902.09630) of predicted and given boxes (B, 4): mean over cases that have one."""
        to_input = self.model.preprocessing.box_to_input
        given = [
            to_input(boxes_xyxy.new_tensor(enclosing_box(c.boxes_xyxy)), c.image_size)
            for c in cases
        ]
        has_object = boxes_xyxy.new_tensor([case.has_object for case in cases])
        losses = generalized_box_iou_loss(boxes_xyxy, torch.stack(given), reduction="none")  # (B,)
        return (losses * has_object).sum() / has_object.sum().clamp(min=1)
