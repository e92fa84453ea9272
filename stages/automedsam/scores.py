"""What is said of one test case: its scores, those of the yardsticks, and what the training would have made of it."""

import numpy as np
import torch
from torch import Tensor

from automedsam.boxes import box_iou, fill_box, tight_box
from automedsam.cases import Case
from automedsam.losses import AutoMedSAMLoss
from automedsam.metrics import dice, hd95_px, iou
from automedsam.segmenter import Segmenter, to_mask

Scores = dict[str, float | None]


def score_mask(mask: np.ndarray, truth: np.ndarray) -> Scores:
    """Of a predicted mask against the true one, both (H, W) bool; `box_iou` compares their boxes."""
    return {
        "dice": dice(mask, truth),
        "iou": iou(mask, truth),
        "hd95_px": hd95_px(mask, truth),
        "box_iou": box_iou(tight_box(mask), tight_box(truth)),
    }


def score_yardsticks(
    segmenter: Segmenter, embedding: Tensor, case: Case, truth: np.ndarray, mean_box: Tensor
) -> Scores:
    """Dice of the frozen backbone prompted with the true box and with the mean box, and of the true box filled.

    Without an object there is no true box to prompt with, and so no mask: Dice 1.
    """
    true_box = torch.tensor(case.box_xyxy, dtype=torch.float32)
    scaled_mean_box = mean_box * torch.tensor([case.width, case.height, case.width, case.height])
    from_true_box, from_mean_box = (
        to_mask(segmenter.segment_box(embedding, case.image_size, box)) for box in (true_box, scaled_mean_box)
    )
    return {
        "true_box_dice": dice(from_true_box & case.has_object, truth),
        "mean_box_dice": dice(from_mean_box, truth),
        "box_fill_dice": dice(fill_box(case.box_xyxy, case.image_size), truth),
    }


def score_losses(criterion: AutoMedSAMLoss, logits: Tensor, case: Case) -> Scores:
    """The training loss of mask logits (1, 1, H, W) and its unweighted parts."""
    loss = criterion(logits, torch.tensor([case.box_xyxy], device=logits.device))
    return {
        "loss": loss.total.item(),
        "loss_empty": loss.empty.item(),
        "loss_tightbox": loss.tightbox.item(),
        "loss_size": loss.size.item(),
    }


def mean_relative_box(cases: list[Case]) -> Tensor:
    """The mean box_xyxy (4,) of the cases with an object, in fractions of the image's width and height."""
    boxes = [np.divide(case.box_xyxy, (case.width, case.height) * 2) for case in cases if case.has_object]
    return torch.tensor(np.mean(boxes, axis=0), dtype=torch.float32)


def mean_scores(rows: list[Scores]) -> dict[str, float]:
    """The mean of each score over the rows that have it."""
    present = {key: [value for row in rows if (value := row[key]) is not None] for key in rows[0]}
    return {key: float(np.mean(values)) for key, values in present.items() if values}
