"""Masks in their images' own sizes: from the model, which asks for no prompt, and from the bare backbone, for a box."""

import numpy as np
import torch
from torch import Tensor

from automedsam.boxes import EDGES
from automedsam.device import Compute
from automedsam.model import AutoMedSAM


class Segmenter:
    """Segments one image at a time from its embedding (1, C, grid, grid)."""

    def __init__(self, model: AutoMedSAM, compute: Compute) -> None:
        self.model = model
        self.compute = compute

    @torch.inference_mode()
    def segment(self, embedding: Tensor, image: np.ndarray) -> tuple[Tensor, dict[str, float]]:
        """With no prompt: mask logits (1, 1, H, W), and where the model's own prompt lies, in px of the image.

        The prompt is `x_min`, `y_min`, `x_max`, `y_max`; a point is a box of no extent, tokens are nowhere, and so is
        what was not found: empty. `presence`, 0 to 1, tells how surely the object is there, if the model does.

        Args:
          image: (H, W) or (H, W, 3), uint8.
        """
        image_size = image.shape[0], image.shape[1]
        thumbnail = None
        if self.model.prompt_module.needs_thumbnails:
            thumbnail = self.model.thumbnail(image)[None].to(self.compute.device)
        with self.compute.autocast():
            logits, prompts = self.model(embedding, thumbnail)
        place = prompts.boxes_xyxy
        if prompts.points_xy is not None:
            place = prompts.points_xy[:, 0].repeat(1, 2)
        preprocessing = self.model.preprocessing
        found = [] if place is None or not place.any() else preprocessing.box_to_image(place, image_size)[0].tolist()
        prompt = dict(zip(EDGES, found, strict=False))
        if prompts.presence is not None:
            prompt["presence"] = prompts.presence.item()
        return preprocessing.mask_to_image(logits, image_size), prompt

    @torch.inference_mode()
    def segment_box(self, embedding: Tensor, image_size: tuple[int, int], box_xyxy: Tensor) -> Tensor:
        """The bare backbone, prompted with a box (4,) in px of the image: mask logits (1, 1, H, W)."""
        preprocessing = self.model.preprocessing
        box = preprocessing.box_to_input(box_xyxy.to(self.compute.device), image_size)[None]
        with self.compute.autocast():
            logits = self.model.decoder(embedding, boxes_xyxy=box)
        return preprocessing.mask_to_image(logits, image_size)


def to_mask(logits: Tensor) -> np.ndarray:
    """Logits (1, 1, H, W) to a bool mask (H, W): where the probability is over 0.5."""
    return (logits[0, 0] > 0).cpu().numpy()


def to_soft_mask(logits: Tensor) -> np.ndarray:
    """Logits (1, 1, H, W) to probabilities (H, W), uint8, 0 to 255; over 127 where `to_mask` is true."""
    return (255 * logits[0, 0].sigmoid() - 0.5).ceil().byte().cpu().numpy()  # a half goes down: 0.5 is no object
