"""One training of the PromptModule, from cached embeddings and boxes; it can be stopped and taken up again."""

import math
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.boxes import mask_box_iou
from automedsam.cases import Case
from automedsam.device import Compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.errors import InputError
from automedsam.losses import AutoMedSAMLoss, BoxLoss, given_boxes, mean_loss
from automedsam.model import AutoMedSAM
from automedsam.segmenter import to_mask


class Training:
    """Model, optimiser and history, moved on epoch by epoch.

    Adam, learning rate x 0.1 after half of the epochs, as in arXiv 2409.20293. The best epoch is the one whose masks'
    boxes overlap the given boxes of the validation cases most; there is no mask to ask.
    """

    def __init__(
        self,
        model: AutoMedSAM,
        criterion: AutoMedSAMLoss,
        compute: Compute,
        embeddings: EmbeddingFolder,
        *,
        epochs: int,
        batch_size: int,
        learning_rate: float,
        weight_decay: float,
        seed: int,
    ) -> None:
        self.model = model
        self.criterion = criterion
        self.compute = compute
        self.embeddings = embeddings
        self.batch_size = batch_size
        self.seed = seed
        self.optimizer = torch.optim.Adam(model.prompt_module.parameters(), learning_rate, weight_decay=weight_decay)
        self.schedule = torch.optim.lr_scheduler.MultiStepLR(self.optimizer, [max(epochs // 2, 1)], gamma=0.1)
        self.scaler = compute.scaler()
        self.history: list[dict[str, float]] = []  # one row an epoch
        self.best: dict[str, Tensor] = {}  # the PromptModule's state after the best epoch

    @property
    def best_row(self) -> dict[str, float]:
        """The history's row of the best epoch; the first of equals."""
        return max(self.history, key=lambda row: row["val_box_iou"])

    def run_epoch(self, train_cases: list[Case], val_cases: list[Case]) -> None:
        """Train on every case once, validate, and add a row to the history.

        Raises:
          InputError: the loss is no number any more.
        """
        epoch = len(self.history) + 1
        learning_rate = float(self.schedule.get_last_lr()[0])
        order = np.random.default_rng([self.seed, epoch]).permutation(len(train_cases))  # the same in a resumed run
        steps = [self._step(batch, epoch) for batch in self._batches([train_cases[i] for i in order])]
        self.schedule.step()
        val_loss, val_box_iou = self._validate(val_cases)
        self.history.append(
            {
                "epoch": epoch,
                "loss": float(np.mean([loss.total.item() for loss in steps])),
                "loss_empty": float(np.mean([loss.empty.item() for loss in steps])),
                "loss_tightbox": float(np.mean([loss.tightbox.item() for loss in steps])),
                "loss_size": float(np.mean([loss.size.item() for loss in steps])),
                "val_loss": val_loss,
                "val_box_iou": val_box_iou,
                "learning_rate": learning_rate,
            }
        )
        if self.best_row is self.history[-1]:
            state = self.model.prompt_module.state_dict()
            self.best = {key: value.detach().cpu().clone() for key, value in state.items()}

    @torch.inference_mode()
    def segment(self, cases: list[Case]) -> list[Tensor]:
        """Mask logits (1, 1, H, W) of each case, in its image's own size."""
        return [logits for batch in self._batches(cases) for logits in self._segment_batch(batch)]

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

    def _batches(self, cases: list[Case]) -> list[list[Case]]:
        return [cases[at : at + self.batch_size] for at in range(0, len(cases), self.batch_size)]

    def _segment_batch(self, cases: list[Case]) -> list[Tensor]:
        embeddings = self.embeddings.load(cases, self.compute.device)  # (B, C, grid, grid)
        with self.compute.autocast():
            logits, _ = self.model(embeddings)  # (B, 1, 4 grid, 4 grid)
        to_image = self.model.preprocessing.mask_to_image
        return [to_image(one[None], case.image_size) for one, case in zip(logits, cases, strict=True)]

    def _box_loss(self, masks: list[Tensor], cases: list[Case]) -> BoxLoss:
        """Mean over the cases; one by one, as images differ in size."""
        pairs = zip(masks, cases, strict=True)
        return mean_loss([self.criterion(mask, given_boxes(case, mask.device)) for mask, case in pairs])

    def _step(self, cases: list[Case], epoch: int) -> BoxLoss:
        loss = self._box_loss(self._segment_batch(cases), cases)
        if not math.isfinite(loss.total.item()):
            names = ", ".join(case.name for case in cases)
            raise InputError(
                f"epoch {epoch}: expected a finite loss, found {loss.total.item()} on {names}; "
                "a lower learning_rate, or use_amp: false, may help"
            )
        self.optimizer.zero_grad()
        self.scaler.scale(loss.total).backward()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        return loss

    @torch.inference_mode()
    def _validate(self, cases: list[Case]) -> tuple[float, float]:
        """Mean loss, and mean overlap of the masks' boxes with the given ones; by batches, as volumes are long."""
        losses, overlaps = [], []
        for batch in self._batches(cases):
            masks = self._segment_batch(batch)
            losses.append(len(batch) * self._box_loss(masks, batch).total.item())
            overlaps += [mask_box_iou(to_mask(mask), case.boxes_xyxy) for mask, case in zip(masks, batch, strict=True)]
        return sum(losses) / len(cases), float(np.mean(overlaps))
