"""Pseudo-labels: the masks that the frozen backbone predicts for the drawn boxes.

A box-prompted mask is nearly as good a teacher as a true mask (Haekkinen et al., arXiv 2409.20253).
Each box is decoded as an ensemble of slightly larger boxes, and the mean probability is clipped to
the box.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import fmean

import numpy as np
from scipy.ndimage import label as connected_parts
from torch import Tensor

from automedsam.backbone.box_ensemble import segment_drawn_box
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import (
    Box,
    BoxesByClass,
    Size,
    box_area,
    box_iou,
    fill_boxes,
    tight_box,
)
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.cases.masks import resolve_overlaps
from automedsam.runtime.compute import Compute

MAX_SIDE_GAP = 0.25  # of the box's height or width, between the label and each side of its box
MIN_SIDE_GAP_PX = 1.5  # smaller gaps are never a reason to reject
MIN_FILL = 0.2  # of the box's area; a thin crescent fills more
MIN_VISIBLE_SHARE = 0.1  # of a label, after smaller objects took their pixels; a ring keeps more


@dataclass(frozen=True)
class PseudoLabel:
    """The pseudo-label of one class in one training case."""

    object_class: ObjectClass
    probability: np.ndarray  # (H, W), fp32, 0 to 1; 0 outside of the boxes
    rejection: str | None  # the reason why it is not used; None: it is used
    box_agreement: float  # 0 to 1; mean of `box_agreement` over its boxes


class PseudoLabeler:
    """Predicts the pseudo-labels of one training case after another."""

    def __init__(self, weights: Weights, compute: Compute) -> None:
        decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
        self._decoder = decoder.to(compute.device).eval()
        self._preprocessing = weights.backbone.preprocessing
        self._compute = compute

    def label(self, embedding: Tensor, case: Case, classes: Classes) -> list[PseudoLabel]:
        """The pseudo-label of each class that has boxes in the case.

        Args:
          embedding: (1, C, grid, grid).
          case: the case, with its boxes.
          classes: the classes.
        """
        labels, agreements = {}, {}
        for value, boxes_xyxy in case.boxes.items():
            if boxes_xyxy:
                labels[value], agreements[value] = self.label_boxes(
                    embedding, boxes_xyxy, case.image_size
                )
        filtered = filter_labels(labels, case.boxes)
        return [
            PseudoLabel(cls, *filtered[cls.value], agreements[cls.value])
            for cls in classes
            if cls.value in filtered
        ]

    def label_boxes(
        self, embedding: Tensor, boxes_xyxy: Sequence[Box], image_size: Size
    ) -> tuple[np.ndarray, float]:
        """Label the boxes of one class in one image.

        Args:
          embedding: (1, C, grid, grid).
          boxes_xyxy: at least one box, px.
          image_size: of the image.

        Returns:
          The probability (H, W), fp32, of the object in the boxes, and 0 outside of them; where
          boxes overlap, the larger one counts. And the mean of `box_agreement` over the boxes.
        """
        label = np.zeros(image_size, np.float32)
        agreements = []
        for box in boxes_xyxy:
            probability = segment_drawn_box(
                self._decoder, self._preprocessing, self._compute, embedding, box, image_size
            )
            agreements.append(box_agreement(probability, box))
            label = np.maximum(label, probability * fill_boxes([box], image_size))
        return label, fmean(agreements)


def box_agreement(probability: np.ndarray, box_xyxy: Box) -> float:
    """IoU, 0 to 1, of a box with the tight box of the mask that the backbone predicts for it.

    An object touches all four sides of its tight box. A mask that falls short of a side, or leaves
    the box, is therefore wrong. A mask that agrees may be wrong, too: it may fill the whole box.

    Args:
      probability: (H, W), 0 to 1, not clipped to the box. The mask consists of the connected parts
        above 0.5 that have a pixel in the box; clipping removes all other parts, such as specks far
        from the box.
      box_xyxy: px.

    Returns:
      The IoU; 0 without such a part.
    """
    x0, y0, x1, y1 = box_xyxy
    parts, _ = connected_parts(probability > 0.5)  # (H, W), 0 is background
    in_box = np.unique(parts[y0:y1, x0:x1])
    mask = np.isin(parts, in_box[in_box > 0])
    return box_iou(tight_box(mask), box_xyxy)


def rejection_reason(label: np.ndarray, boxes_xyxy: Sequence[Box]) -> str | None:
    """The first reason why a label does not fit a box that it was made from, or `None`.

    Args:
      label: probability (H, W), 0 to 1.
      boxes_xyxy: the boxes, px.
    """
    for x0, y0, x1, y1 in boxes_xyxy:
        inside = label[y0:y1, x0:x1] > 0.5
        fill = inside.sum() / box_area((x0, y0, x1, y1))
        if fill < MIN_FILL:
            return f"fills {fill:.0%} of its box"
        left, top, right, bottom = tight_box(inside)
        width, height = x1 - x0, y1 - y0
        gaps = ((left, width), (top, height), (width - right, width), (height - bottom, height))
        for gap, length in gaps:
            if gap > max(MAX_SIDE_GAP * length, MIN_SIDE_GAP_PX):
                return f"ends {gap / length:.0%} short of a side of its box"
    return None


def filter_labels(
    labels: Mapping[int, np.ndarray], boxes: BoxesByClass
) -> dict[int, tuple[np.ndarray, str | None]]:
    """Check the labels of one image, and give each pixel that several claim to the smallest object.

    Args:
      labels: class value -> probability (H, W).
      boxes: class value -> the boxes that the label was made from.

    Returns:
      Class value -> label, and the reason for rejecting it or `None`. Rejected labels claim no
      pixels.
    """
    filtered = {
        value: (label, rejection_reason(label, boxes[value])) for value, label in labels.items()
    }
    accepted = [value for value, (_, rejection) in filtered.items() if rejection is None]
    if not accepted:
        return filtered
    areas = [sum(map(box_area, boxes[value])) for value in accepted]
    resolved = resolve_overlaps(np.stack([labels[value] for value in accepted]), areas)
    for value, label in zip(accepted, resolved, strict=True):
        if label.sum() < MIN_VISIBLE_SHARE * labels[value].sum():
            filtered[value] = labels[value], "is covered by a smaller object"
        else:
            filtered[value] = label, None
    return filtered
