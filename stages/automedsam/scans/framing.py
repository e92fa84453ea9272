"""From a slice's own pixels to the frame that a data set is prepared in, and back."""

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from automedsam.cases.boxes import Size
from automedsam.runtime.errors import InputError

NO_OBJECT = -20.0  # logit of what was cropped away


@dataclass(frozen=True)
class Framing:
    """Resample to square pixels of `pixel_mm`, then crop or pad about the centre to `canvas_px`; None leaves it out."""

    pixel_mm: float | None = None
    canvas_px: int | None = None

    def resampled_size(self, size: Size, pixel_spacing_mm: tuple[float, float] | None) -> Size:
        """Size after the resampling.

        Raises:
          InputError: to be resampled, but of unknown spacing.
        """
        if self.pixel_mm is None:
            return size
        if pixel_spacing_mm is None:
            raise InputError(
                f"expected a known spacing, to resample to {self.pixel_mm} mm, found none"
            )
        height, width = (
            max(round(n * mm / self.pixel_mm), 1)
            for n, mm in zip(size, pixel_spacing_mm, strict=True)
        )
        return height, width

    def frame_image(
        self, image: np.ndarray, pixel_spacing_mm: tuple[float, float] | None
    ) -> np.ndarray:
        """Image (H, W) or (H, W, 3), uint8, to its frame; what is padded is black."""
        return self._frame(image, pixel_spacing_mm, Image.Resampling.BILINEAR)

    def frame_mask(
        self, mask: np.ndarray, pixel_spacing_mm: tuple[float, float] | None
    ) -> np.ndarray:
        """Mask (H, W), bool, or labels, uint8, to the image's frame, by nearest neighbour."""
        return self._frame(
            mask.astype(np.uint8), pixel_spacing_mm, Image.Resampling.NEAREST
        ).astype(mask.dtype)

    def unframe(
        self, logits: Tensor, size: Size, pixel_spacing_mm: tuple[float, float] | None
    ) -> Tensor:
        """Mask logits (1, K, h, w) of the frame back to (1, K, height, width); what had been cropped is no object."""
        between = self.resampled_size(size, pixel_spacing_mm)
        if self.canvas_px is not None:
            top, left = self._offsets(between)
            framed = logits[0].permute(1, 2, 0).float().cpu().numpy()  # (h, w, K)
            placed = torch.from_numpy(_place(framed, between, (-top, -left), NO_OBJECT))
            logits = placed.permute(2, 0, 1)[None].to(logits.device)
        if between != size:
            logits = F.interpolate(logits, size, mode="bilinear", align_corners=False)
        return logits

    def _frame(
        self,
        pixels: np.ndarray,
        pixel_spacing_mm: tuple[float, float] | None,
        resampling: Image.Resampling,
    ) -> np.ndarray:
        height, width = self.resampled_size(pixels.shape[:2], pixel_spacing_mm)
        if (height, width) != pixels.shape[:2]:
            pixels = np.asarray(Image.fromarray(pixels).resize((width, height), resampling))
        if self.canvas_px is not None:
            pixels = _place(
                pixels, (self.canvas_px, self.canvas_px), self._offsets((height, width)), 0
            )
        return pixels

    def _offsets(self, size: Size) -> Size:
        """Where the first row and column come to lie on the canvas; negative where they are cropped."""
        canvas = self.canvas_px or 0
        return (canvas - size[0]) // 2, (canvas - size[1]) // 2


def _place(pixels: np.ndarray, size: Size, offsets: Size, fill: float) -> np.ndarray:
    """A canvas of `size` with the pixels on it, their first one at `offsets`; what lies beyond the canvas is lost."""
    canvas = np.full((*size, *pixels.shape[2:]), fill, pixels.dtype)
    to, source = [], []
    for extent, length, offset in zip(size, pixels.shape, offsets, strict=False):
        start, stop = max(offset, 0), min(offset + length, extent)
        to.append(slice(start, max(stop, start)))
        source.append(slice(start - offset, max(stop, start) - offset))
    canvas[tuple(to)] = pixels[tuple(source)]
    return canvas
