"""Other views of an image: turned, scaled, shifted, brighter or darker; drawn by chance, the same chance each time.

A view says where its pixels come from in coordinates that have no size, so that one view fits an image, its label, and
smaller copies of both.
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

ROTATION = math.radians(30)  # the most, either way
SCALE = math.log(1.35)  # the object is at most so much larger or smaller
STRETCH = 0.1  # and so much wider than high, or the reverse
SHIFT = 0.15  # in halves of the image's width and height
GAMMA, CONTRAST, BRIGHTNESS, NOISE, BIAS = 0.5, 0.3, 0.15, 0.08, 0.1
BIAS_CELLS = 4  # a side, of the slow change of brightness across an image


@dataclass(frozen=True)
class View:
    """Geometry first, then intensity."""

    turning: Tensor  # (2, 2) from offsets in the view to offsets in the image, x before y, both in lengths
    shift: Tensor  # (2,) of the view's centre, in halves of width and height
    gamma: float
    contrast: float
    brightness: float
    noise: float
    bias: Tensor  # (1, 1, BIAS_CELLS, BIAS_CELLS)
    seed: int  # of the noise

    def describe(self) -> str:
        """All its numbers, as text: two views of one description show the same."""
        values = (getattr(self, field.name) for field in fields(self))
        return " ".join(
            str(value.tolist() if isinstance(value, Tensor) else value) for value in values
        )

    def apply_to_image(self, pixels: Tensor) -> Tensor:
        """Pixels (C, H, W), 0 to 1, as this view shows them; black where it looks past the edge."""
        seen = self.apply_to_map(pixels).clamp(0, 1) ** self.gamma
        bias = F.interpolate(self.bias, pixels.shape[-2:], mode="bicubic")[0]
        noise = torch.randn(pixels.shape[-2:], generator=torch.Generator().manual_seed(self.seed))
        return (
            (seen - 0.5) * self.contrast + 0.5 + self.brightness + bias + self.noise * noise
        ).clamp(0, 1)

    def apply_to_map(self, values: Tensor) -> Tensor:
        """Values (C, H, W) of an image's pixels, moved to where this view shows them; 0 past the edge."""
        height, width = values.shape[-2:]
        size = torch.tensor([width, height], dtype=torch.float32)
        matrix = torch.cat(
            [self.turning * size / size[:, None], self.shift[:, None]], dim=1
        )  # (2, 3)
        grid = F.affine_grid(matrix[None], [1, 1, height, width], align_corners=False)
        return F.grid_sample(values[None], grid, align_corners=False)[0]

    def apply_to_uint8(self, image: np.ndarray) -> np.ndarray:
        """The same of an image (H, W) or (H, W, 3), uint8."""
        pixels = (
            torch.tensor(image).reshape(*image.shape[:2], -1).permute(2, 0, 1) / 255
        )  # (C, H, W)
        seen = (255 * self.apply_to_image(pixels)).round().byte().permute(1, 2, 0)
        return seen.numpy().reshape(image.shape)


def sample_view(rng: np.random.Generator, kinds: Collection[Augmentation]) -> View:
    """A view by chance, of which only the named kinds differ from the image as it is."""

    def between(kind: Augmentation, low: float, high: float, otherwise: float = 0.0) -> float:
        drawn = rng.uniform(low, high)  # always, so that one kind more does not change the others
        return drawn if kind in kinds else otherwise

    angle = between("rotate", -ROTATION, ROTATION) + math.pi / 2 * math.floor(between("turn", 0, 4))
    zoom, stretch = (
        math.exp(between("scale", -SCALE, SCALE)),
        math.exp(between("scale", -STRETCH, STRETCH)),
    )
    mirrored = -1.0 if between("flip", 0, 1) < 0.5 and "flip" in kinds else 1.0
    rotation = torch.tensor(
        [[math.cos(angle), -math.sin(angle)], [math.sin(angle), math.cos(angle)]]
    )
    return View(
        turning=rotation @ torch.diag(torch.tensor([mirrored * stretch, 1 / stretch])) / zoom,
        shift=torch.tensor([between("shift", -SHIFT, SHIFT), between("shift", -SHIFT, SHIFT)]),
        gamma=math.exp(between("intensity", -GAMMA, GAMMA)),
        contrast=between("intensity", 1 - CONTRAST, 1 + CONTRAST, otherwise=1.0),
        brightness=between("intensity", -BRIGHTNESS, BRIGHTNESS),
        noise=between("intensity", 0, NOISE),
        bias=torch.tensor(
            between("intensity", 0, BIAS) * rng.standard_normal((1, 1, BIAS_CELLS, BIAS_CELLS))
        ).float(),
        seed=int(rng.integers(2**31)),
    )


def embedded_view_count(views: int, kinds: Collection[Augmentation]) -> int:
    """How many views there are beside the image as it is: none, if nothing may differ in them."""
    return views if kinds else 0


def embedded_view(case: str, number: int, kinds: Collection[Augmentation]) -> View:
    """View `number`, from 1, of a case that is embedded: the same whenever it is asked for."""
    return sample_view(np.random.default_rng([number, *case.encode()]), kinds)
