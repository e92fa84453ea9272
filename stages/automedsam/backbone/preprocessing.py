"""Conversion of images, boxes and masks to the backbone's input frame and back."""

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

Kind = Literal["medsam", "sam", "lite_medsam"]


@dataclass(frozen=True)
class Preprocessing:
    """The preprocessing that a backbone was trained with; all stages share it.

    Attributes:
      kind: "medsam" stretches the image to a square and scales its values to [0, 1] by their
        minimum and maximum (MedSAM). "sam" scales the longest side to the side of the square,
        divides the values by 255, and pads on the right and below (SAM). "lite_medsam" scales the
        longest side by area averaging, scales the values of the result to [0, 1] by their minimum
        and maximum over all channels, and pads with zeros on the right and below (LiteMedSAM).
      size: Side of the square input, in px.
      mean: Subtracted from the values in [0, 1], one number per channel.
      std: Divides the result, one number per channel.
    """

    kind: Kind
    size: int
    mean: tuple[float, float, float]
    std: tuple[float, float, float]

    def header(self) -> dict[str, Any]:
        """Return the values that identify this preprocessing, for file headers and fingerprints."""
        return asdict(self)

    def __call__(self, image: np.ndarray) -> Tensor:
        """Convert an image (H, W) or (H, W, 3), uint8, to an input (3, size, size), float32."""
        pixels = torch.tensor(image, dtype=torch.float32) / 255
        is_grey = image.ndim == 2
        pixels = pixels.expand(3, -1, -1) if is_grey else pixels.permute(2, 0, 1)  # (3, H, W)
        size = self.content_size(image.shape[:2])
        if self.kind == "lite_medsam":
            pixels = average_areas(pixels, size)
        else:
            pixels = F.interpolate(pixels[None], size, mode="bicubic", antialias=True)[0]
            pixels = pixels.clamp(0, 1)  # bicubic interpolation overshoots at edges
        if self.kind != "sam":
            low, high = pixels.min(), pixels.max()
            pixels = (pixels - low) / (high - low).clamp(min=1e-8)
        mean, std = (torch.tensor(values)[:, None, None] for values in (self.mean, self.std))
        return _pad((pixels - mean) / std, self.size)  # (3, size, size)

    def thumbnail(self, image: np.ndarray, side: int) -> Tensor:
        """Return an image in a smaller copy of the input frame, without normalisation.

        Args:
          image: (H, W) or (H, W, 3), uint8.
          side: Side of the smaller frame, in px.

        Returns:
          (3, side, side), float32, in [0, 1].
        """
        return replace(self, size=side, mean=(0.0, 0.0, 0.0), std=(1.0, 1.0, 1.0))(image)

    def map_to_input(self, values: Tensor, side: int) -> Tensor:
        """Resize a map of an image's pixels to a smaller copy of the input frame.

        Args:
          values: (C, H, W).
          side: Side of the smaller frame, in px.

        Returns:
          (C, side, side), with 0 past the image.
        """
        size = replace(self, size=side).content_size(values.shape[-2:])
        fitted = F.interpolate(values[None], size, mode="bilinear", antialias=True)[0]
        return _pad(fitted, side)

    def content_size(self, image_size: tuple[int, ...]) -> tuple[int, int]:
        """Return the (height, width) that an image of (height, width) covers in the input frame."""
        if self.kind == "medsam":
            return self.size, self.size
        scale = self.size / max(image_size)
        height, width = (max(int(side * scale + 0.5), 1) for side in image_size)
        return height, width

    def box_to_input(self, box_xyxy: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Convert boxes (..., 4) from pixels of the image to pixels of the input frame.

        Args:
          box_xyxy: Boxes in pixels of the image.
          image_size: (height, width) of the image.
        """
        return box_xyxy * self._scale_xyxy(image_size, box_xyxy)

    def box_to_image(self, box_xyxy: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Convert boxes (..., 4) from pixels of the input frame to pixels of the image.

        Args:
          box_xyxy: Boxes in pixels of the input frame.
          image_size: (height, width) of the image.
        """
        return box_xyxy / self._scale_xyxy(image_size, box_xyxy)

    def mask_to_image(self, logits: Tensor, image_size: tuple[int, int]) -> Tensor:
        """Resize decoder logits from the input frame to the image, bilinearly.

        Args:
          logits: (B, K, h, w), covering the input frame.
          image_size: (height, width) of the image.

        Returns:
          (B, K, height, width), fp32.
        """
        logits = logits.float()
        if self.kind != "medsam":
            height, width = self.content_size(image_size)
            frame = (self.size, self.size)
            logits = F.interpolate(logits, frame, mode="bilinear", align_corners=False)
            logits = logits[..., :height, :width]
        return F.interpolate(logits, tuple(image_size), mode="bilinear", align_corners=False)

    def _scale_xyxy(self, image_size: tuple[int, int], like: Tensor) -> Tensor:
        """Return the pixels of the input frame per pixel of the image, (4,) for x0 y0 x1 y1."""
        if self.kind == "lite_medsam":  # its authors do not round the scale to whole pixels
            scale_x = scale_y = self.size / max(image_size)
        else:
            height, width = self.content_size(image_size)
            scale_x, scale_y = width / image_size[1], height / image_size[0]
        scales = [scale_x, scale_y, scale_x, scale_y]
        return torch.tensor(scales, dtype=like.dtype, device=like.device)


def average_areas(values: Tensor, size: tuple[int, int]) -> Tensor:
    """Resize by averaging the area of the source that each pixel of the result covers.

    A source pixel that is covered in part counts in part. OpenCV calls this `INTER_AREA`.

    Args:
      values: (C, H, W).
      size: (height, width) of the result, smaller or larger than the source.

    Returns:
      (C, height, width).
    """
    rows, columns = (_coverage(*sides) for sides in zip(size, values.shape[-2:], strict=True))
    return rows.to(values) @ values @ columns.to(values).T


def _coverage(side: int, source_side: int) -> Tensor:
    """Return the share of each source pixel in each pixel of the result, (side, source_side)."""
    edges = torch.arange(side + 1, dtype=torch.float64) * source_side / side
    pixels = torch.arange(source_side, dtype=torch.float64)
    overlap = torch.minimum(edges[1:, None], pixels + 1) - torch.maximum(edges[:-1, None], pixels)
    return overlap.clamp(min=0) * side / source_side


def _pad(values: Tensor, side: int) -> Tensor:
    """Pad (C, height, width) with zeros on the right and below to (C, side, side)."""
    height, width = values.shape[-2:]
    return F.pad(values, (0, side - width, 0, side - height))
