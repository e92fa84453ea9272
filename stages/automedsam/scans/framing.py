"""Resample, crop and pad slices to a common frame, and bring masks back to the original pixels."""

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from automedsam.cases.boxes import Box, Size
from automedsam.runtime.errors import InputError

if TYPE_CHECKING:  # `prepare` starts seconds earlier without torch, which only predictions need
    from torch import Tensor

NO_OBJECT = -20.0  # logit of pixels that were cropped away


@dataclass(frozen=True)
class Framing:
    """Resampling to square pixels, then cropping or padding around the centre.

    Attributes:
      pixel_mm: Size of the resampled pixels in mm; None: no resampling.
      canvas_px: Height and width of the frame in px; None: no cropping or padding.
    """

    pixel_mm: float | None = None
    canvas_px: int | None = None

    def resampled_size(self, size: Size, pixel_spacing_mm: tuple[float, float] | None) -> Size:
        """Size (height, width) after resampling, at least 1 px.

        Args:
          size: Height and width of the original slice, in px.
          pixel_spacing_mm: Distance between its rows and between its columns; None if unknown.

        Raises:
          InputError: If resampling is requested and the spacing is unknown.
        """
        if self.pixel_mm is None:
            return size
        if pixel_spacing_mm is None:
            raise InputError(
                f"cannot resample to {self.pixel_mm} mm, because the pixel spacing is unknown"
            )
        height, width = (
            max(round(length * mm / self.pixel_mm), 1)
            for length, mm in zip(size, pixel_spacing_mm, strict=True)
        )
        return height, width

    def frame_image(
        self, image: np.ndarray, pixel_spacing_mm: tuple[float, float] | None
    ) -> np.ndarray:
        """Frame an image (H, W) or (H, W, 3), uint8: bilinear resampling, black padding."""
        return self._frame(image, pixel_spacing_mm, Image.Resampling.BILINEAR)

    def frame_mask(
        self, mask: np.ndarray, pixel_spacing_mm: tuple[float, float] | None
    ) -> np.ndarray:
        """Frame a mask (H, W), bool, or labels, uint8: nearest neighbour, zero padding."""
        framed = self._frame(mask.astype(np.uint8), pixel_spacing_mm, Image.Resampling.NEAREST)
        return framed.astype(mask.dtype)

    def frame_box(
        self, box_xyxy: Box, size: Size, pixel_spacing_mm: tuple[float, float] | None
    ) -> Box | None:
        """Frame a box (px, half open) of a slice of the given size.

        Returns:
          The smallest box in the frame that contains all of it that is inside; None if nothing is.
        """
        resampled = self.resampled_size(size, pixel_spacing_mm)
        top, left = self._offsets(resampled) if self.canvas_px is not None else (0, 0)
        height, width = (self.canvas_px, self.canvas_px) if self.canvas_px else resampled
        scale_y, scale_x = resampled[0] / size[0], resampled[1] / size[1]
        x0, y0, x1, y1 = box_xyxy
        framed = (
            max(math.floor(x0 * scale_x) + left, 0),
            max(math.floor(y0 * scale_y) + top, 0),
            min(math.ceil(x1 * scale_x) + left, width),
            min(math.ceil(y1 * scale_y) + top, height),
        )
        return framed if framed[0] < framed[2] and framed[1] < framed[3] else None

    def unframe(
        self, logits: "Tensor", size: Size, pixel_spacing_mm: tuple[float, float] | None
    ) -> "Tensor":
        """Map mask logits from the frame back to the original slice.

        Args:
          logits: (1, K, h, w), in the frame.
          size: Height and width of the original slice, in px.
          pixel_spacing_mm: Distance between its rows and between its columns; None if unknown.

        Returns:
          (1, K, height, width). Pixels that were cropped away are NO_OBJECT before the resampling.
        """
        from torch import float32
        from torch.nn import functional as F

        resampled = self.resampled_size(size, pixel_spacing_mm)
        if self.canvas_px is not None:
            top, left = self._offsets(resampled)
            framed = logits[0].permute(1, 2, 0).float().cpu().numpy()  # (h, w, K)
            placed = _place(framed, resampled, (-top, -left), NO_OBJECT).transpose(2, 0, 1)
            logits = logits.new_tensor(placed[None], dtype=float32)
        if resampled != size:
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
            canvas_size = self.canvas_px, self.canvas_px
            pixels = _place(pixels, canvas_size, self._offsets((height, width)), 0)
        return pixels

    def _offsets(self, size: Size) -> Size:
        """Row and column of the canvas at which a slice begins; negative if it is cropped."""
        canvas = self.canvas_px or 0
        return (canvas - size[0]) // 2, (canvas - size[1]) // 2


def _place(pixels: np.ndarray, size: Size, offsets: Size, fill: float) -> np.ndarray:
    """Copy pixels onto a canvas of `size`, starting at `offsets`; pixels outside are dropped."""
    canvas = np.full((*size, *pixels.shape[2:]), fill, pixels.dtype)
    on_canvas, in_pixels = [], []
    for extent, length, offset in zip(size, pixels.shape, offsets, strict=False):
        start = max(offset, 0)
        stop = max(min(offset + length, extent), start)
        on_canvas.append(slice(start, stop))
        in_pixels.append(slice(start - offset, stop - offset))
    canvas[tuple(on_canvas)] = pixels[tuple(in_pixels)]
    return canvas
