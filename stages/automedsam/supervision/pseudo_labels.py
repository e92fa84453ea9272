"""Pseudo-labels: what the frozen backbone makes of the boxes that somebody drew.

A box-prompted mask is nearly as good a teacher as a true one (Haekkinen et al., arXiv 2409.20253). Each box is asked
several times, each time a little looser; the mean is clipped to the box, and weighs as much as it is sure.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from automedsam.backbone.box_ensemble import decode_with_box_ensemble
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import Box, BoxesByClass, box_area, fill_boxes, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.cases.masks import resolve_overlaps
from automedsam.runtime.compute import Compute

VOTES = 8
MAX_SIDE_GAP = 0.25  # of the box's height or width: how far from each side a sound label may end
MIN_VISIBLE_SHARE = 0.1  # of a label, when smaller objects have taken their part; a ring keeps more
MIN_FILL = 0.2  # of the box's area; a thin crescent fills more


class PseudoLabeler:
    """Asks the frozen backbone, one training case after another."""

    def __init__(self, weights: Weights, compute: Compute) -> None:
        decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
        self._decoder = decoder.to(compute.device).eval()
        self._preprocessing = weights.backbone.preprocessing
        self._compute = compute

    def label(
        self, embedding: Tensor, case: Case, classes: Sequence[ObjectClass]
    ) -> list[tuple[ObjectClass, np.ndarray, str | None]]:
        """Each class that the case has boxes of, its label (H, W), and why that is dropped, or None.

        Args:
          embedding: (1, C, grid, grid).
        """
        boxed = {of.value: given for of in classes if (given := case.of_class(of.value)).has_object}
        labels = {value: self.label_boxes(embedding, given) for value, given in boxed.items()}
        sorted_out = filter_labels(
            labels, {value: given.boxes_xyxy for value, given in boxed.items()}
        )
        return [(of, *sorted_out[of.value]) for of in classes if of.value in boxed]

    @torch.inference_mode()
    def label_boxes(self, embedding: Tensor, case: Case) -> np.ndarray:
        """Probabilities (H, W), fp32, 0 outside of the case's boxes; where boxes overlap, the greater one."""
        label = np.zeros(case.image_size, np.float32)
        for box in case.boxes_xyxy:
            drawn = torch.tensor(box, dtype=torch.float32, device=self._compute.device)
            asked = self._preprocessing.box_to_input(drawn, case.image_size)
            with self._compute.autocast():
                answer = decode_with_box_ensemble(self._decoder, embedding, asked, VOTES)
            whole = (
                self._preprocessing.mask_to_image(answer, case.image_size)[0, 0].cpu().numpy()
            )  # (H, W)
            label = np.maximum(label, whole * fill_boxes([box], case.image_size))
        return label


def rejection_reason(label: np.ndarray, boxes_xyxy: Sequence[Box]) -> str | None:
    """Why a label (H, W), 0 to 1, does not fit a box that it was made from: the first fault, or None."""
    for box in boxes_xyxy:
        x0, y0, x1, y1 = box
        inside = label[y0:y1, x0:x1] > 0.5
        left, top, right, bottom = tight_box(inside)
        if inside.sum() < MIN_FILL * box_area(box):
            return f"fills {inside.sum() / box_area(box):.0%} of its box"
        width, height = x1 - x0, y1 - y0
        for gap, side in (
            (left, width),
            (top, height),
            (width - right, width),
            (height - bottom, height),
        ):
            if gap > max(MAX_SIDE_GAP * side, 1.5):
                return f"ends {gap / side:.0%} short of a side"
    return None


def filter_labels(
    labels: Mapping[int, np.ndarray], boxes: BoxesByClass
) -> dict[int, tuple[np.ndarray, str | None]]:
    """Labels (H, W) of an image's classes, by value, the sound ones set apart; and why each is dropped, or None."""
    sorted_out = {
        value: (label, rejection_reason(label, boxes[value])) for value, label in labels.items()
    }
    sound = {value: label for value, (label, fault) in sorted_out.items() if fault is None}
    if sound:
        sizes = [sum(map(box_area, boxes[value])) for value in sound]
        for (value, label), apart in zip(
            sound.items(), resolve_overlaps(np.stack([*sound.values()]), sizes), strict=True
        ):
            is_lost = apart.sum() < MIN_VISIBLE_SHARE * label.sum()
            sorted_out[value] = (
                (label, "is lost to a smaller object's") if is_lost else (apart, None)
            )
    return sorted_out
