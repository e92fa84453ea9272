"""Masks in their images' own sizes: from the model, which asks for no prompt, and from the bare backbone, for a box."""

import numpy as np
import torch
from torch import Tensor

from automedsam.cases.boxes import EDGES
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.prompts import Prompts
from automedsam.runtime.compute import Compute


class Segmenter:
    """Segments one image at a time from its embedding (1, C, grid, grid)."""

    def __init__(self, model: AutoMedSAM, compute: Compute) -> None:
        self.model = model
        self.compute = compute

    @torch.inference_mode()
    def segment(
        self, embedding: Tensor, image: np.ndarray
    ) -> tuple[Tensor, list[dict[str, float]]]:
        """With no prompt: mask logits (1, K, H, W), and where the model's own prompt of each class lies, in px.

        A prompt is `x_min`, `y_min`, `x_max`, `y_max`; a point is a box of no extent, tokens are nowhere, and so is
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
        return self.model.preprocessing.mask_to_image(logits, image_size), self._format(
            prompts, image_size
        )

    @torch.inference_mode()
    def segment_box(
        self, embedding: Tensor, image_size: tuple[int, int], box_xyxy: Tensor
    ) -> Tensor:
        """The bare backbone, prompted with a box (4,) in px of the image: mask logits (1, 1, H, W)."""
        preprocessing = self.model.preprocessing
        box = preprocessing.box_to_input(box_xyxy.to(self.compute.device), image_size)[None]
        with self.compute.autocast():
            logits = self.model.decoder(embedding, boxes_xyxy=box)
        return preprocessing.mask_to_image(logits, image_size)

    def _format(self, prompts: Prompts, image_size: tuple[int, int]) -> list[dict[str, float]]:
        """Where each class's prompt lies in an image, and how surely there is something."""
        places = prompts.boxes_xyxy  # (1, K, 4)
        if prompts.points_xy is not None:
            places = prompts.points_xy.repeat(1, 1, 2)
        if places is None:
            return [{}]
        in_image = self.model.preprocessing.box_to_image(places, image_size)[0]
        told = [
            dict(zip(EDGES, place.tolist(), strict=True)) if place.any() else {}
            for place in in_image
        ]
        if prompts.presence is not None:
            for prompt, presence in zip(told, prompts.presence[0].tolist(), strict=True):
                prompt["presence"] = presence
        return told
