"""Segmentation of one image in its own size, with the trained model or the bare backbone."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from automedsam.backbone.box_ensemble import segment_drawn_box
from automedsam.cases.boxes import EDGES, Box, Size, fill_boxes
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.prompts import Prompts
from automedsam.runtime.compute import Compute

LOGIT_EPSILON = 1e-6  # distance of probabilities from 0 and 1, whose logits are infinite


@dataclass(frozen=True)
class ImagePrompt:
    """The predicted prompt of one class, in px of the image."""

    box_xyxy: tuple[float, float, float, float] | None  # a point has no extent; None: no place
    presence: float | None  # 0 to 1; None if the prompter does not predict it

    def row(self) -> dict[str, Any]:
        """The prompt as a row of a table; unknown values are left out."""
        edges = {} if self.box_xyxy is None else dict(zip(EDGES, self.box_xyxy, strict=True))
        return edges if self.presence is None else {**edges, "presence": self.presence}


@dataclass(frozen=True)
class Segmentation:
    """Masks of one image, and the prompts that led to them."""

    logits: Tensor  # (1, K, H, W), fp32
    prompts: list[ImagePrompt]  # one per class


class Segmenter:
    """Segments one image at a time from its embedding (1, C, grid, grid)."""

    def __init__(self, model: AutoMedSAM, compute: Compute) -> None:
        self.model = model
        self.compute = compute

    @torch.inference_mode()
    def segment(self, embedding: Tensor, image: np.ndarray) -> Segmentation:
        """Segment without any given prompt.

        Args:
          embedding: (1, C, grid, grid).
          image: (H, W) or (H, W, 3), uint8.
        """
        image_size = image.shape[0], image.shape[1]
        thumbnail = None
        if self.model.prompter.needs_thumbnails:
            thumbnail = self.model.thumbnail(image)[None].to(self.compute.device)
        with self.compute.autocast():
            logits, prompts = self.model(embedding, thumbnail)
        return Segmentation(
            self.model.preprocessing.mask_to_image(logits, image_size),
            self._image_prompts(prompts, image_size),
        )

    @torch.inference_mode()
    def segment_box(self, embedding: Tensor, image_size: Size, box_xyxy: Tensor) -> Tensor:
        """Mask logits (1, 1, H, W) of the bare backbone for a box (4,) in px of the image."""
        preprocessing = self.model.preprocessing
        prompt_xyxy = preprocessing.box_to_input(box_xyxy.to(self.compute.device), image_size)
        with self.compute.autocast():
            logits = self.model.decoder(embedding, boxes_xyxy=prompt_xyxy[None])
        return preprocessing.mask_to_image(logits, image_size)

    def segment_drawn_boxes(
        self, embedding: Tensor, image_size: Size, boxes_xyxy: Sequence[Box]
    ) -> Tensor:
        """Mask logits (1, 1, H, W), fp32, of the bare backbone for the drawn boxes of one class.

        As in pseudo-labels, each box is decoded as an ensemble, and the mask is clipped to the box.

        Args:
          embedding: (1, C, grid, grid).
          image_size: height and width of the image, in px.
          boxes_xyxy: at least one box, in px of the image.
        """
        probability = np.zeros(image_size, np.float32)
        for box in boxes_xyxy:
            inside = segment_drawn_box(
                self.model.decoder,
                self.model.preprocessing,
                self.compute,
                embedding,
                box,
                image_size,
            )
            probability = np.maximum(probability, inside * fill_boxes([box], image_size))
        return torch.from_numpy(probability)[None, None].logit(LOGIT_EPSILON)

    def _image_prompts(self, prompts: Prompts, image_size: Size) -> list[ImagePrompt]:
        boxes_xyxy = prompts.boxes_xyxy  # (1, K, 4)
        if prompts.points_xy is not None:
            boxes_xyxy = prompts.points_xy.repeat(1, 1, 2)
        if boxes_xyxy is None:  # free tokens have no place in the image
            return [ImagePrompt(None, None)]
        boxes = self.model.preprocessing.box_to_image(boxes_xyxy, image_size)[0]  # (K, 4)
        presences: list[float | None] = [None] * len(boxes)
        if prompts.presence is not None:
            presences = prompts.presence[0].tolist()
        return [
            ImagePrompt(tuple(box.tolist()) if box.any() else None, presence)
            for box, presence in zip(boxes, presences, strict=True)
        ]
