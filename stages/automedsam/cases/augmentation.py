"""Random but reproducible augmentation of images and label maps.

The geometric part of an augmented view is expressed in relative coordinates, so that the same view
applies to an image, to its label map, and to smaller copies of both.
"""

import math
from collections.abc import Collection
from dataclasses import dataclass, fields
from typing import get_args

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.runtime.options import Augmentation

AUGMENTATIONS: tuple[Augmentation, ...] = get_args(Augmentation)

MAX_ROTATION = math.radians(30)  # in either direction
MAX_LOG_SCALE = math.log(1.35)  # of the object's size, in either direction
MAX_LOG_STRETCH = 0.1  # of the width relative to the height
MAX_SHIFT = 0.15  # in halves of the image's width and height
MAX_LOG_GAMMA = 0.5
MAX_CONTRAST_CHANGE = 0.3
MAX_BRIGHTNESS_CHANGE = 0.15
MAX_NOISE_STD = 0.08
MAX_BIAS_STD = 0.1
BIAS_CELLS = 4  # per side of the grid from which the bias field is interpolated


@dataclass(frozen=True)
class View:
    """An augmented view of an image: a geometric transform, followed by changes of intensity."""

    matrix: Tensor  # (2, 2), from offsets in the view to offsets in the image, both in px, x first
    shift: Tensor  # (2,) of the view's centre, in halves of the image's width and height
    gamma: float
    contrast: float
    brightness: float
    noise_std: float
    bias_grid: Tensor  # (1, 1, BIAS_CELLS, BIAS_CELLS), added to the brightness
    noise_seed: int

    def describe(self) -> str:
        """Return all values as text; views with equal descriptions are the same."""
        values = [getattr(self, field.name) for field in fields(self)]
        return " ".join(
            str(value.tolist() if isinstance(value, Tensor) else value) for value in values
        )

    def apply_to_image(self, pixels: Tensor) -> Tensor:
        """Apply geometry and intensity to pixels (C, H, W), 0 to 1.

        Pixels that come from outside of the image are black before the changes of intensity.
        """
        pixels = self.apply_to_map(pixels).clamp(0, 1) ** self.gamma
        size = pixels.shape[-2:]
        bias = F.interpolate(self.bias_grid, size, mode="bicubic")[0]
        noise = torch.randn(size, generator=torch.Generator().manual_seed(self.noise_seed))
        brightened = (pixels - 0.5) * self.contrast + 0.5 + self.brightness
        return (brightened + bias + self.noise_std * noise).clamp(0, 1)

    def apply_to_map(self, values: Tensor) -> Tensor:
        """Apply only the geometry to a map (C, H, W); the value outside of the image is 0."""
        height, width = values.shape[-2:]
        size = torch.tensor([width, height], dtype=torch.float32)
        # affine_grid expects coordinates from -1 to 1 along each axis, whatever the aspect ratio.
        relative_matrix = self.matrix * size / size[:, None]
        affine = torch.cat([relative_matrix, self.shift[:, None]], dim=1)  # (2, 3)
        grid = F.affine_grid(affine[None], [1, 1, height, width], align_corners=False)
        return F.grid_sample(values[None], grid, align_corners=False)[0]

    def apply_to_uint8(self, image: np.ndarray) -> np.ndarray:
        """Apply geometry and intensity to an image (H, W) or (H, W, 3), uint8."""
        channels = torch.tensor(image).reshape(*image.shape[:2], -1)
        pixels = channels.permute(2, 0, 1) / 255  # (C, H, W)
        augmented = (255 * self.apply_to_image(pixels)).round().byte()
        return augmented.permute(1, 2, 0).numpy().reshape(image.shape)


def sample_view(rng: np.random.Generator, augmentations: Collection[Augmentation]) -> View:
    """Sample a view.

    Args:
      rng: the source of randomness; the number of draws does not depend on `augmentations`.
      augmentations: kinds of change to apply; without any, the view equals the image.
    """

    def uniform(kind: Augmentation, low: float, high: float, default: float = 0.0) -> float:
        # Draw in any case, so that enabling one kind does not change the others.
        value = rng.uniform(low, high)
        return value if kind in augmentations else default

    angle = uniform("rotate", -MAX_ROTATION, MAX_ROTATION)
    angle += math.pi / 2 * math.floor(uniform("turn", 0, 4))
    scale = math.exp(uniform("scale", -MAX_LOG_SCALE, MAX_LOG_SCALE))
    stretch = math.exp(uniform("scale", -MAX_LOG_STRETCH, MAX_LOG_STRETCH))
    mirror = -1.0 if uniform("flip", 0, 1, default=1.0) < 0.5 else 1.0
    rotation = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    return View(
        matrix=rotation @ torch.diag(torch.tensor([mirror * stretch, 1 / stretch])) / scale,
        shift=torch.tensor([uniform("shift", -MAX_SHIFT, MAX_SHIFT) for _ in range(2)]),
        gamma=math.exp(uniform("intensity", -MAX_LOG_GAMMA, MAX_LOG_GAMMA)),
        contrast=uniform(
            "intensity", 1 - MAX_CONTRAST_CHANGE, 1 + MAX_CONTRAST_CHANGE, default=1.0
        ),
        brightness=uniform("intensity", -MAX_BRIGHTNESS_CHANGE, MAX_BRIGHTNESS_CHANGE),
        noise_std=uniform("intensity", 0, MAX_NOISE_STD),
        bias_grid=torch.tensor(
            uniform("intensity", 0, MAX_BIAS_STD)
            * rng.standard_normal((1, 1, BIAS_CELLS, BIAS_CELLS))
        ).float(),
        noise_seed=int(rng.integers(2**31)),
    )


def embedded_view_count(views: int, augmentations: Collection[Augmentation]) -> int:
    """Number of augmented views to embed per image: `views`, or 0 without any augmentation."""
    return views if augmentations else 0


def embedded_view(case: str, number: int, augmentations: Collection[Augmentation]) -> View:
    """The augmented view of a case with this number, from 1; equal arguments give equal views."""
    return sample_view(np.random.default_rng([number, *case.encode()]), augmentations)
