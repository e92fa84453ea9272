"""From an image to the backbone's input frame and back: the one preprocessing that every stage shares."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F


@dataclass(frozen=True)
class Preprocessing:
    """How a backbone wants its input.

    kind "medsam": stretched to a square, values min-max scaled to [0, 1] (MedSAM).
    kind "sam": longest side scaled to the square's, padded right and below, values divided by 255 (SAM).
    Both then subtract `mean` and divide by `std`, given in units of [0, 1], one number a channel.
    """

    kind: Literal["medsam", "sam"]
    size: int  # px, side of the square input
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def header(self) -> dict[str, Any]:
        """What identifies this preprocessing, for file headers and fingerprints."""
        return asdict(self)

    def __call__(self, image: np.ndarray) -> Tensor:
        """Image (H, W) or (H, W, 3), uint8, to the network's input (3, size, size), float32."""
        pixels = torch.tensor(image, dtype=torch.float32) / 255
        pixels = (
            pixels.expand(3, -1, -1) if image.ndim == 2 else pixels.permute(2, 0, 1)
        )  # (3, H, W)
        height, width = self.content_size(image.shape[:2])
        pixels = F.interpolate(pixels[None], (height, width), mode="bicubic", antialias=True)[
            0
        ].clamp(0, 1)
        if self.kind == "medsam":
            low, high = pixels.min(), pixels.max()
            pixels = (pixels - low) / (high - low).clamp(min=1e-8)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        pixels = (pixels - mean) / std
        return F.pad(pixels, (0, self.size - width, 0, self.size - height))  # (3, size, size)

    def thumbnail(self, image: np.ndarray, side: int) -> Tensor:
        """Image (H, W) or (H, W, 3), uint8, in a smaller copy of the input frame: (3, side, side), 0 to 1."""
        return replace(self, size=side, mean=(0.0,) * 3, std=(1.0,) * 3)(image)

    def map_to_input(self, values: Tensor, side: int) -> Tensor:
        """Values (C, H, W) of an image's pixels to a copy of the input frame, (C, side, side); 0 past the image."""
        height, width = replace(self, size=side).content_size(values.shape[-2:])
        fitted = F.interpolate(values[None], (height, width), mode="bilinear", antialias=True)[0]
        return F.pad(fitted, (0, side - width, 0, side - height))

    def content_size(self, image_size: tuple[int, ...]) -> tuple[int, int]:
        """(height, width) that an image of (height, width) takes up in the input frame."""
        if self.kind == "medsam":
            return self.size, self.size
        scale = self.size / max(image_size)
        height, width = (max(int(side * scale + 0.5), 1) for side in image_size)
        return height, width

    def box_to_input(self, box_xyxy: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Boxes (..., 4) from pixels of an image of (height, width) to pixels of the input frame."""
        return box_xyxy * self._scale_xyxy(image_size, box_xyxy)

    def box_to_image(self, box_xyxy: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Boxes (..., 4) from pixels of the input frame to pixels of an image of (height, width)."""
        return box_xyxy / self._scale_xyxy(image_size, box_xyxy)

    def mask_to_image(self, logits: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Decoder logits (B, K, h, w) of the input frame to (B, K, height, width) of the image, fp32, bilinear."""
        logits = logits.float()
        if self.kind == "sam":
            height, width = self.content_size(image_size)
            logits = F.interpolate(
                logits, (self.size, self.size), mode="bilinear", align_corners=False
            )
            logits = logits[..., :height, :width]
        return F.interpolate(logits, tuple(image_size), mode="bilinear", align_corners=False)

    def _scale_xyxy(self, image_size: tuple[int, int], like: Tensor) -> Tensor:
        (height, width), (image_height, image_width) = self.content_size(image_size), image_size
        scale_x, scale_y = width / image_width, height / image_height
        return torch.tensor(
            [scale_x, scale_y, scale_x, scale_y], dtype=like.dtype, device=like.device
        )
