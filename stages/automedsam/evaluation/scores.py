"""What is said of a class in one test case: its scores, the yardsticks', and what the training would make of it."""

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import Box, box_iou, enclosing_box, fill_boxes, mask_box_iou
from automedsam.cases.case import Case
from automedsam.cases.masks import resolve_mask_overlaps, to_mask
from automedsam.evaluation.metrics import dice, hd95, iou
from automedsam.model.segmenter import Segmenter
from automedsam.supervision.box_losses import AutoMedSAMLoss, given_boxes

Scores = dict[str, float | None]
COLUMNS = ("dice", "iou", "hd95_px", "hd95_mm", "box_iou", "mean_box_iou", "left_empty", "true_box_dice",
           "mean_box_dice", "box_fill_dice", "loss", "loss_empty", "loss_tightbox", "loss_size")  # fmt: skip
VOLUME_COLUMNS = ("volume", "class", "slices", "volume_dice", "predicted_ml", "true_ml")


def score_mask(mask: np.ndarray, truth: np.ndarray | None, case: Case, mean_box: Tensor) -> Scores:
    """Of a predicted mask (H, W), bool, against the true one, if there is one, and against the case's boxes.

    `mean_box_iou` is what the mean box of the training cases reaches, without any learning.
    Distances are also in mm where the spacing is known. Where the object is absent there is one thing to say alone:
    whether the mask is empty.
    """
    if not (case.has_object if truth is None else truth.any()):
        return {"left_empty": float(not mask.any())}
    scores: Scores = {
        "box_iou": mask_box_iou(mask, case.boxes_xyxy),
        "mean_box_iou": box_iou(_to_pixels(mean_box, case), enclosing_box(case.boxes_xyxy)),
    }
    if truth is not None:
        scores |= {"dice": dice(mask, truth), "iou": iou(mask, truth), "hd95_px": hd95(mask, truth)}
        scores["hd95_mm"] = hd95(mask, truth, case.spacing_mm[1:]) if case.spacing_mm else None
    return scores


def score_yardsticks(
    segmenter: Segmenter,
    embedding: Tensor,
    cases: list[Case],
    truths: list[np.ndarray],
    mean_boxes: list[Tensor],
) -> list[Scores]:
    """Dice of the frozen backbone prompted with the true boxes and with the mean box, and of the true boxes filled.

    Masks of several boxes are joined, those of several classes set apart, as predicted ones are. Nothing is said of a
    class that is absent.

    Args:
      cases: the case as it is to each class: with that class's boxes alone.
      truths: (H, W), bool, of each class.
      mean_boxes: (4,) of each class, in fractions of width and height.
    """
    scores: list[Scores] = [{} for _ in cases]
    if not any(truth.any() for truth in truths):
        return scores
    mean_px = [
        [_to_pixels(mean_box, case)] for mean_box, case in zip(mean_boxes, cases, strict=True)
    ]
    ways = {
        "true_box_dice": [_prompt(segmenter, embedding, case, case.boxes_xyxy) for case in cases],
        "mean_box_dice": [
            _prompt(segmenter, embedding, *pair) for pair in zip(cases, mean_px, strict=True)
        ],
        "box_fill_dice": [fill_boxes(case.boxes_xyxy, case.image_size) for case in cases],
    }
    for way, masks in ways.items():
        for of_class, mask, truth in zip(
            scores, resolve_mask_overlaps(np.stack(masks)), truths, strict=True
        ):
            if truth.any():
                of_class[way] = dice(mask, truth)
    return scores


def score_losses(criterion: AutoMedSAMLoss, logits: Tensor, case: Case) -> Scores:
    """The training loss of mask logits (1, 1, H, W) and its unweighted parts."""
    loss = criterion(logits, given_boxes(case, logits.device))
    return {
        "loss": loss.total.item(),
        "loss_empty": loss.empty.item(),
        "loss_tightbox": loss.tightbox.item(),
        "loss_size": loss.size.item(),
    }


def mean_relative_box(cases: list[Case]) -> Tensor:
    """The mean box_xyxy (4,) round all of the object, of the cases that have it, in fractions of width and height."""
    boxes = [
        np.divide(enclosing_box(case.boxes_xyxy), (case.width, case.height) * 2)
        for case in cases
        if case.has_object
    ]
    return torch.tensor(np.mean(boxes, axis=0), dtype=torch.float32)


@dataclass(frozen=True)
class Overlap:
    """How many pixels a predicted and a true mask have, and have in common."""

    predicted: int
    true: int
    common: int

    @classmethod
    def of(cls, mask: np.ndarray, truth: np.ndarray) -> "Overlap":
        """Of two bool masks of one shape."""
        return cls(int(mask.sum()), int(truth.sum()), int((mask & truth).sum()))


def score_volumes(cases: list[Case], overlaps: dict[str, Overlap]) -> list[dict[str, Any]]:
    """3-D Dice, and predicted and true ml, of each volume that is there with every slice and its mask, by name.

    Dice of an empty mask with an empty one is 1.

    Args:
      overlaps: by the name of the case, of those that have a true mask.
    """
    slices_of = defaultdict(list)
    for case in cases:
        if case.volume is not None and case.name in overlaps:
            slices_of[case.volume].append(case)
    return [
        _score_volume(volume, slices, [overlaps[case.name] for case in slices])
        for volume, slices in sorted(slices_of.items())
        if len(slices) == slices[0].volume_slices
    ]


def _score_volume(volume: str, slices: list[Case], overlaps: list[Overlap]) -> dict[str, Any]:
    predicted, true, common = (
        sum(getattr(o, of) for o in overlaps) for of in ("predicted", "true", "common")
    )
    voxel_ml = math.prod(slices[0].spacing_mm) / 1000 if slices[0].spacing_mm else None
    return {
        "volume": volume,
        "slices": len(slices),
        "volume_dice": 2 * common / (predicted + true) if predicted + true else 1.0,
        "predicted_ml": voxel_ml and voxel_ml * predicted,
        "true_ml": voxel_ml and voxel_ml * true,
    }


def mean_scores(rows: Sequence[Mapping[str, float | None]]) -> dict[str, float]:
    """The mean of each score over the rows that have it."""
    keys = dict.fromkeys(key for row in rows for key in row)
    present = {key: [value for row in rows if (value := row.get(key)) is not None] for key in keys}
    return {key: float(np.mean(values)) for key, values in present.items() if values}


def _to_pixels(relative_box: Tensor, case: Case) -> Box:
    x0, y0, x1, y1 = (
        (relative_box * torch.tensor([case.width, case.height] * 2)).round().int().tolist()
    )
    return x0, y0, x1, y1


def _prompt(
    segmenter: Segmenter, embedding: Tensor, case: Case, boxes_xyxy: Sequence[Box]
) -> np.ndarray:
    """The backbone's masks of all boxes, joined: (H, W), bool."""
    joined = np.zeros(case.image_size, bool)
    for box in boxes_xyxy:
        joined |= to_mask(
            segmenter.segment_box(
                embedding, case.image_size, torch.tensor(box, dtype=torch.float32)
            )
        )
    return joined
