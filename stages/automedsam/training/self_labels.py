"""Self-labels: what the model itself finds in images that nobody boxed.

A model that was trained on few boxes finds the object in most other images, and its decoder
outlines it well. Trained again on the surest of these answers, it finds the object in more of them
(self-training; Xie et al., arXiv 1911.04252). An answer is sure if the presence of the object is
high and its size is like that of the boxed objects. No box and no mask is known of these images, so
nothing else can be checked.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.backbone.preprocessing import Preprocessing
from automedsam.cases.boxes import Box, box_area, fill_boxes, largest_parts, tight_box
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.cases.masks import to_mask
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.runtime.script import progress_bar
from automedsam.supervision.targets import Targets, stack_targets
from automedsam.training.context import TrainingContext
from automedsam.training.self_label_file import BoxEdges, StoredLabel

KEPT_SHARE = 0.6  # of the images in which a class is found, those with the highest presence
MAX_STORED_MASKS = 20  # of used labels of a class, and of rejected ones
MAX_STORED_SIDE = 512  # px
MAX_SIZE_RATIO = 1.3  # of an object to the largest, or of the smallest boxed object to it


@dataclass(frozen=True)
class SelfLabel:
    """The model's answer for one class in an unlabelled image."""

    case: Case
    object_class: ObjectClass
    mask: Tensor  # (side, side), uint8, probability in 255ths, in the input frame
    boxes_xyxy: tuple[Box, ...]  # of the parts of the mask, px; (): nothing was found
    presence: float  # 0 to 1
    rejection: str | None = None  # the reason why it is not used; None: it is used

    @property
    def size(self) -> float:
        """Side of a square as large as the boxes, relative to one as large as the image."""
        return _relative_size(self.case, self.boxes_xyxy)

    def state_dict(self) -> dict[str, Any]:
        """Its values, without objects of this package."""
        named = {"case": self.case.name, "object_class": self.object_class.value}
        return {**vars(self), **named}

    @classmethod
    def from_state(
        cls,
        state: Mapping[str, Any],
        cases: Mapping[str, Case],
        classes: Mapping[int, ObjectClass],
    ) -> "SelfLabel":
        """The label that `state_dict` described.

        Args:
          state: its values.
          cases: the unlabelled cases by name.
          classes: the classes by value.
        """
        named = {"case": cases[state["case"]], "object_class": classes[state["object_class"]]}
        return cls(**{**state, **named})


@torch.inference_mode()
def predict_self_labels(
    context: TrainingContext, cases: Sequence[Case], max_parts: Sequence[int]
) -> list[SelfLabel]:
    """The answers of the model for each class in each of the unlabelled cases.

    Args:
      context: the model and its inputs.
      cases: the unlabelled cases.
      max_parts: of each class, the largest number of parts that an object has.
    """
    labels, to_input = [], context.model.preprocessing.map_to_input
    for case in progress_bar(cases, "self-label", "case"):
        (masks,), prompts = context.predict([case])  # (1, K, H, W)
        assert prompts.presence is not None  # every locating prompter predicts it
        presences = prompts.presence[0].tolist()
        for cls, logits, count, presence in zip(
            context.classes, masks.split(1, dim=1), max_parts, presences, strict=True
        ):
            boxes_xyxy = tuple(tight_box(part) for part in largest_parts(to_mask(logits), count))
            inside = torch.from_numpy(fill_boxes(boxes_xyxy, case.image_size))
            probability = logits[0].cpu().sigmoid() * inside  # (1, H, W)
            mask = (255 * to_input(probability, THUMBNAIL_SIDE)[0]).round().byte()
            labels.append(SelfLabel(case, cls, mask, boxes_xyxy, presence))
    return labels


def choose_self_labels(labels: Sequence[SelfLabel], boxed_cases: Sequence[Case]) -> list[SelfLabel]:
    """The same labels, class by class; those that are not sure are rejected.

    Args:
      labels: of all classes.
      boxed_cases: the cases whose drawn boxes show the usual sizes.
    """
    return [
        checked
        for cls in dict.fromkeys(label.object_class for label in labels)
        for checked in _check(
            [label for label in labels if label.object_class == cls],
            [_relative_size(case, case.boxes[cls.value]) for case in boxed_cases],
        )
    ]


def self_label_targets(
    labels: Sequence[SelfLabel], classes: Sequence[ObjectClass]
) -> dict[str, Targets]:
    """Case name -> targets (K, side, side) of the thumbnail, of cases with a label to use.

    A pixel weighs as much as the label is certain. Nothing is known of a class whose label is
    rejected.
    """
    used: dict[str, dict[ObjectClass, Tensor]] = {}
    for label in labels:
        if label.rejection is None:
            used.setdefault(label.case.name, {})[label.object_class] = label.mask
    return {
        name: stack_targets([_targets(masks.get(cls)) for cls in classes])
        for name, masks in used.items()
    }


def to_stored(
    labels: Sequence[SelfLabel], preprocessing: Preprocessing
) -> Iterator[tuple[StoredLabel, Tensor | None]]:
    """The labels for the disk, and masks (h, w), uint8, of the first ones of each class and kind.

    Masks of large images are smaller than the image: one pixel for `scale` x `scale` px.
    """
    counts = Counter[tuple[ObjectClass, bool]]()
    for label in labels:
        height, width = label.case.image_size
        scale = -(-max(height, width) // MAX_STORED_SIDE)
        stored = StoredLabel(
            case=label.case.name,
            class_value=label.object_class.value,
            boxes_xyxy=tuple(_divide(box, scale) for box in label.boxes_xyxy),
            presence=label.presence,
            rejection=label.rejection,
            scale=scale,
        )
        kind = label.object_class, label.rejection is None
        counts[kind] += bool(label.boxes_xyxy)
        if not label.boxes_xyxy or counts[kind] > MAX_STORED_MASKS:
            yield stored, None
            continue
        size = -(-height // scale), -(-width // scale)
        mask = preprocessing.mask_to_image(label.mask[None, None], label.case.image_size)
        yield stored, F.interpolate(mask, size)[0, 0].round().byte()


def _check(labels: Sequence[SelfLabel], boxed_sizes: Sequence[float]) -> list[SelfLabel]:
    """The labels of one class, those that do not meet a condition rejected."""
    presences = [label.presence for label in labels if label.boxes_xyxy]
    min_presence = float(np.quantile(presences, 1 - KEPT_SHARE)) if presences else 0.0
    sizes = [size for size in boxed_sizes if size]
    smallest, largest = (
        min(sizes, default=0) / MAX_SIZE_RATIO,
        max(sizes, default=0) * MAX_SIZE_RATIO,
    )

    def reason(label: SelfLabel) -> str | None:
        if not label.boxes_xyxy:
            return "was not found"
        if not sizes:
            return "belongs to a class without boxes"
        if label.presence < min_presence:
            return f"has a presence below {min_presence:.2f}"
        if not smallest <= label.size <= largest:
            return f"is {'smaller' if label.size < smallest else 'larger'} than the boxed objects"
        return None

    return [replace(label, rejection=reason(label)) for label in labels]


def _targets(mask: Tensor | None) -> Targets:
    """Targets (side, side) of one class."""
    if mask is None:
        unknown = torch.zeros(THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        return Targets(unknown, unknown)
    probability = mask / 255
    return Targets(probability, (2 * probability - 1).abs())


def _divide(box_xyxy: Box, scale: int) -> BoxEdges:
    x0, y0, x1, y1 = box_xyxy
    return x0 / scale, y0 / scale, x1 / scale, y1 / scale


def _relative_size(case: Case, boxes_xyxy: Sequence[Box]) -> float:
    area = sum(map(box_area, boxes_xyxy))
    return float(np.sqrt(area / (case.height * case.width)))
