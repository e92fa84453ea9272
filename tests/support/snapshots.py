"""Snapshots and progress strips of noise."""

from dataclasses import replace

import numpy as np

from automedsam.cases.boxes import fill_boxes
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.figures.progress_strip import draw_progress
from automedsam.figures.snapshot import Snapshot

# Changes of a snapshot that are drawn rarely, by name.
UNUSUAL = {
    "empty_prediction": {"soft_mask": np.zeros((256, 256), np.uint8)},
    "no_box": {"boxes_xyxy": (), "truth": np.zeros((256, 256), np.uint8)},
    "colour": {"image": np.random.default_rng(0).integers(0, 256, (256, 256, 3), np.uint8)},
    "wide": {"height": 100, "width": 320},
    "high": {"height": 320, "width": 100},
    "large": {"height": 1200, "width": 900},
    "tiny": {"height": 8, "width": 8},
    "formula_in_name": {"title": "worst: a$b_$c^{"},
    "no_truth": {"truth": None},
}


def make_snapshot(height=256, width=256, **changes):
    """Noise with a box in the middle, predicted a little to its right.

    The class is a single one, whose `boxes_xyxy` and `prompt` can be changed, like all fields.
    """
    box = (width // 4, height // 4, width // 2, height // 2)
    shifted = (box[0] + width // 8, box[1], box[2] + width // 8, box[3])
    boxes_xyxy = changes.pop("boxes_xyxy", (box,))
    prompt = changes.pop("prompt", (width / 8, height / 8, width * 0.6, height * 0.6))
    predicted = (200 * fill_boxes([shifted], (height, width))).astype(np.uint8)
    soft_mask = changes.get("soft_mask", predicted)
    snapshot = Snapshot(
        title="fixed 1: phantom_000",
        image=np.random.default_rng(0).integers(0, 256, (height, width), np.uint8),
        truth=255 * fill_boxes([box], (height, width)).astype(np.uint8),
        labels=255 * (soft_mask > 127).astype(np.uint8),
        soft_mask=soft_mask,
        classes=Classes([ObjectClass("object", SINGLE_CLASS_VALUE)]),
        boxes={SINGLE_CLASS_VALUE: boxes_xyxy},
        prompts={SINGLE_CLASS_VALUE: prompt},
        scores={"Dice": 0.91234, "loss": 1e-5},
    )
    return replace(snapshot, **changes)


def draw_strip(path, cases=3, epochs=(1, 3, 10), classes=None, boxes=None, **changes):
    """Draw the progress of some equal cases, each with the image and boxes of a snapshot."""
    snapshot = make_snapshot(**changes)
    masks = dict.fromkeys(epochs, snapshot.soft_mask)
    draw_progress(
        path,
        images=[snapshot.image] * cases,
        boxes=[snapshot.boxes if boxes is None else boxes] * cases,
        masks=[masks] * cases,
        classes=snapshot.classes if classes is None else classes,
    )
