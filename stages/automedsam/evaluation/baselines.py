"""Baselines without learning: the frozen backbone with a true or a mean box, and a filled box."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import Box, Size, fill_boxes
from automedsam.cases.masks import resolve_mask_overlaps, to_mask
from automedsam.cases.mean_box import box_in_px
from automedsam.evaluation.metrics import dice
from automedsam.evaluation.scores import Scores
from automedsam.model.segmenter import Segmenter


def score_baselines(
    segmenter: Segmenter,
    embedding: Tensor,
    boxes: Sequence[Sequence[Box]],
    truths: Sequence[np.ndarray],
    mean_boxes: Sequence[Tensor],
) -> list[Scores]:
    """Dice of the baselines for each class of one case.

    Masks of several boxes of a class are joined. Overlaps of classes are resolved as in
    predictions.

    Args:
      segmenter: gives access to the bare backbone.
      embedding: (1, C, grid, grid).
      boxes: box_xyxy in px, for each class.
      truths: true mask (H, W), bool, of each class.
      mean_boxes: mean box (4,) of each class, in fractions of width and height.

    Returns:
      No score for a class that is absent.
    """
    if not any(truth.any() for truth in truths):
        return [Scores() for _ in truths]
    image_size = (truths[0].shape[0], truths[0].shape[1])
    mean_boxes_px = [[box_in_px(mean_box, image_size)] for mean_box in mean_boxes]
    true_box_masks = [_segment_boxes(segmenter, embedding, image_size, one) for one in boxes]
    mean_box_masks = [
        _segment_boxes(segmenter, embedding, image_size, one) for one in mean_boxes_px
    ]
    filled_boxes = [fill_boxes(one, image_size) for one in boxes]
    true_box, mean_box, box_fill = (
        _class_dice(masks, truths) for masks in (true_box_masks, mean_box_masks, filled_boxes)
    )
    return [
        Scores(true_box_dice=true, mean_box_dice=mean, box_fill_dice=fill)
        for true, mean, fill in zip(true_box, mean_box, box_fill, strict=True)
    ]


def _segment_boxes(
    segmenter: Segmenter, embedding: Tensor, image_size: Size, boxes_xyxy: Sequence[Box]
) -> np.ndarray:
    """The backbone's masks of all boxes, joined: (H, W), bool."""
    joined = np.zeros(image_size, bool)
    for box in boxes_xyxy:
        box_xyxy = torch.tensor(box, dtype=torch.float32)
        joined |= to_mask(segmenter.segment_box(embedding, image_size, box_xyxy))
    return joined


def _class_dice(masks: Sequence[np.ndarray], truths: Sequence[np.ndarray]) -> list[float | None]:
    """Dice of each class; `None` for an absent one."""
    resolved = resolve_mask_overlaps(np.stack(masks))
    return [
        dice(mask, truth) if truth.any() else None
        for mask, truth in zip(resolved, truths, strict=True)
    ]
