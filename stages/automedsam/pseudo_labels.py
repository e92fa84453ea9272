"""Pseudo-labels: what the frozen backbone makes of the boxes that somebody drew.

A box-prompted mask is nearly as good a teacher as a true one (Haekkinen et al., arXiv 2409.20253). Each box is asked
several times, each time a little looser; the mean is clipped to the box, and weighs as much as it is sure.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.box_votes import decode_loosely
from automedsam.boxes import Box, BoxesOf, box_area, fill_boxes, tight_box
from automedsam.cases import Case
from automedsam.decoder import PromptableDecoder
from automedsam.device import Compute
from automedsam.images import read_pixels
from automedsam.object_classes import ObjectClass
from automedsam.preprocessing import Preprocessing

VOTES = 8
SLACK = 0.25  # of the box's height or width: how far from each side a sound label may end
LEAST_LEFT = 0.1  # of a label, when smaller objects have taken their part; a ring keeps more
LEAST_FILL = 0.2  # of the box's area; a thin crescent fills more


@torch.inference_mode()
def make_pseudo_label(
    decoder: PromptableDecoder, preprocessing: Preprocessing, compute: Compute, embedding: Tensor, case: Case
) -> np.ndarray:
    """Probabilities (H, W), fp32, 0 outside of the case's boxes; where boxes overlap, the greater one.

    Args:
      embedding: (1, C, grid, grid).
    """
    label = np.zeros(case.image_size, np.float32)
    for box in case.boxes_xyxy:
        drawn = torch.tensor(box, dtype=torch.float32, device=compute.device)
        with compute.autocast():
            answer = decode_loosely(decoder, embedding, preprocessing.box_to_input(drawn, case.image_size), VOTES)
        whole = preprocessing.mask_to_image(answer, case.image_size)[0, 0].cpu().numpy()  # (H, W)
        label = np.maximum(label, whole * fill_boxes([box], case.image_size))
    return label


def find_fault(label: np.ndarray, boxes_xyxy: Sequence[Box]) -> str | None:
    """Why a label (H, W), 0 to 1, does not fit a box that it was made from: the first fault, or None."""
    for box in boxes_xyxy:
        x0, y0, x1, y1 = box
        inside = label[y0:y1, x0:x1] > 0.5
        left, top, right, bottom = tight_box(inside)
        if inside.sum() < LEAST_FILL * box_area(box):
            return f"fills {inside.sum() / box_area(box):.0%} of its box"
        width, height = x1 - x0, y1 - y0
        for gap, side in ((left, width), (top, height), (width - right, width), (height - bottom, height)):
            if gap > max(SLACK * side, 1.5):
                return f"ends {gap / side:.0%} short of a side"
    return None


def sort_out(labels: Mapping[int, np.ndarray], boxes: BoxesOf) -> dict[int, tuple[np.ndarray, str | None]]:
    """Labels (H, W) of an image's classes, by value, the sound ones set apart; and why each is dropped, or None."""
    sorted_out = {value: (label, find_fault(label, boxes[value])) for value, label in labels.items()}
    sound = {value: label for value, (label, fault) in sorted_out.items() if fault is None}
    for value, apart in set_apart(sound, boxes).items():
        is_lost = apart.sum() < LEAST_LEFT * sound[value].sum()
        sorted_out[value] = (sound[value], "is lost to a smaller object's") if is_lost else (apart, None)
    return sorted_out


def set_apart(labels: Mapping[int, np.ndarray], boxes: BoxesOf) -> dict[int, np.ndarray]:
    """The labels (H, W) of several classes, by value, with each pixel left to one of them.

    It goes to the class of the smaller boxes: a box prompt fills a ring, and what lies within must not be lost to it.
    """
    apart: dict[int, np.ndarray] = {}
    for value in sorted(labels, key=lambda value: sum(map(box_area, boxes[value]))):
        others = np.maximum.reduce([np.zeros_like(labels[value]), *(labels[smaller] for smaller in apart)])
        apart[value] = labels[value] * (1 - others)
    return apart


def label_folders(folder: Path, classes: Sequence[ObjectClass]) -> list[Path]:
    """Where each class's labels lie: below `folder`, by its value, or if it is the only one in the folder itself."""
    return [folder] if len(classes) == 1 else [folder / str(of.value) for of in classes]


def read_supervision(folder: Path, case: Case) -> Tensor:
    """What is known of each pixel of a training case: (2, H, W), the probability of the object, and how sure it is.

    Outside of the boxes, nothing, surely. A case whose label was dropped says nothing of the inside.

    Args:
      folder: the class's: see `label_folders`.
      case: with the boxes of that class alone.
    """
    path = folder / f"{case.name}.png"
    outside = torch.from_numpy(~fill_boxes(case.boxes_xyxy, case.image_size)).float()
    if not path.is_file():
        return torch.stack([torch.zeros_like(outside), outside])
    probability = torch.from_numpy(read_pixels(path) / np.float32(255))
    return torch.stack([probability, torch.maximum((2 * probability - 1).abs(), outside)])


def pseudo_label_loss(logits: Tensor, known: Tensor) -> Tensor:
    """Cross-entropy plus 1 - Dice against soft labels, each pixel weighed by how sure it is; mean over the batch, fp32.

    Args:
      logits: (B, 1, H, W).
      known: (B, 2, H, W), as `read_supervision` has it: probability of the object, and sureness.
    """
    with torch.autocast(logits.device.type, enabled=False):
        logits, (probability, sureness) = logits.float(), known.split(1, dim=1)
        entropy = F.binary_cross_entropy_with_logits(logits, probability, weight=sureness, reduction="none")
        found = logits.sigmoid()
        common = (2 * found * probability * sureness).sum((1, 2, 3))
        both = ((found + probability) * sureness).sum((1, 2, 3))
        dice = (common + 1) / (both + 1)  # 1 px more of each, so that an empty label wants an empty map
        return (entropy.sum((1, 2, 3)) / sureness.sum((1, 2, 3)).clamp(min=1) + 1 - dice).mean()
