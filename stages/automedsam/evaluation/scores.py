"""Scores of one class in one test case: the model's, the baselines', and the training loss."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np
from torch import Tensor

from automedsam.cases.boxes import Box, Spacing, box_iou, enclosing_box, mask_box_iou
from automedsam.cases.mean_box import box_in_px
from automedsam.evaluation.metrics import dice, hd95, iou
from automedsam.supervision.box_losses import AutoMedSAMLoss, boxes_tensor


@dataclass(frozen=True)
class Scores:
    """Scores by the names that they have in tables; `None` where a score is not defined.

    See docs/outputs.md for the definition of each.
    """

    box_iou: float | None = None
    mean_box_iou: float | None = None
    dice: float | None = None
    iou: float | None = None
    hd95_px: float | None = None
    hd95_mm: float | None = None
    left_empty: float | None = None
    loss: float | None = None
    loss_empty: float | None = None
    loss_tightbox: float | None = None
    loss_size: float | None = None
    true_box_dice: float | None = None
    mean_box_dice: float | None = None
    box_fill_dice: float | None = None

    def row(self) -> dict[str, float]:
        """The defined scores."""
        return {name: value for name, value in asdict(self).items() if value is not None}

    def joined(self, other: "Scores") -> "Scores":
        """These scores and the defined ones of `other`."""
        return Scores(**{**self.row(), **other.row()})


# In tables the most important scores come first.
COLUMNS = (
    "dice",
    "iou",
    "hd95_px",
    "hd95_mm",
    "box_iou",
    "mean_box_iou",
    "left_empty",
    "true_box_dice",
    "mean_box_dice",
    "box_fill_dice",
    "loss",
    "loss_empty",
    "loss_tightbox",
    "loss_size",
)


def score_mask(
    mask: np.ndarray,
    truth: np.ndarray | None,
    boxes_xyxy: Sequence[Box],
    mean_box: Tensor,
    spacing_mm: Spacing | None,
) -> Scores:
    """Compare a predicted mask with the true mask and with the given boxes.

    Args:
      mask: predicted (H, W), bool.
      truth: true mask (H, W), bool; `None` if there is none.
      boxes_xyxy: the boxes of the class, px; () if it is absent.
      mean_box: the mean box of the training cases (4,), in fractions of width and height.
      spacing_mm: of the image; `None` leaves `hd95_mm` undefined.

    Returns:
      `left_empty` only, if the object is absent: 1 if the mask is empty, else 0.
    """
    is_present = bool(boxes_xyxy) if truth is None else truth.any()
    if not is_present:
        return Scores(left_empty=float(not mask.any()))
    mean_box_xyxy = box_in_px(mean_box, (mask.shape[0], mask.shape[1]))
    scores = Scores(
        box_iou=mask_box_iou(mask, boxes_xyxy),
        mean_box_iou=box_iou(mean_box_xyxy, enclosing_box(boxes_xyxy)),
    )
    if truth is None:
        return scores
    return scores.joined(
        Scores(
            dice=dice(mask, truth),
            iou=iou(mask, truth),
            hd95_px=hd95(mask, truth),
            hd95_mm=hd95(mask, truth, spacing_mm[1:]) if spacing_mm else None,
        )
    )


def score_losses(criterion: AutoMedSAMLoss, logits: Tensor, boxes_xyxy: Sequence[Box]) -> Scores:
    """The training loss of mask logits (1, 1, H, W), and its unweighted terms."""
    loss = criterion(logits, boxes_tensor(boxes_xyxy, logits.device))
    return Scores(**{name: term.item() for name, term in loss.terms().items()})


def mean_scores(rows: Iterable[Mapping[str, float]]) -> dict[str, float]:
    """The mean of each score over the rows that define it."""
    values: dict[str, list[float]] = {}
    for row in rows:
        for name, value in row.items():
            values.setdefault(name, []).append(value)
    return {name: float(np.mean(of_name)) for name, of_name in values.items()}
