"""Locating objects in a thumbnail of the image: a small U-Net.

Ronneberger et al., arXiv 1505.04597, with strided convolutions, few channels, and group norm
because batches are small. It is cheap enough to see a new augmented view of each image at every
step.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 48, 64, 96)  # channels at each scale, the finest first
THUMBNAIL_SIDE = 128  # px, side of the input


class ImageLocator(nn.Module):
    """Thumbnails (B, 3, side, side), 0 to 1, to one map per class, logits (B, K, side, side)."""

    def __init__(self, classes: int = 1) -> None:
        super().__init__()
        inputs = (3, *WIDTHS)
        self.down = nn.ModuleList(
            nn.Sequential(
                _convolution(inputs[scale], width, stride=1 if scale == 0 else 2),
                _convolution(width, width),
            )
            for scale, width in enumerate(WIDTHS)
        )
        self.up = nn.ModuleList(
            nn.Sequential(_convolution(coarse + fine, fine), _convolution(fine, fine))
            for fine, coarse in reversed(list(pairwise(WIDTHS)))
        )
        self.out = nn.Conv2d(WIDTHS[0], classes, 1)

    def forward(self, images: Tensor) -> Tensor:
        features, passed = images, []
        for down in self.down:
            features = down(features)
            passed.append(features)
        for up, finer in zip(self.up, reversed(passed[:-1]), strict=True):
            coarse = F.interpolate(features, scale_factor=2)
            features = up(torch.cat([coarse, finer], dim=1))
        return self.out(features)


def _convolution(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride, padding=1, bias=False),
        nn.GroupNorm(min(8, outputs // 4), outputs),
        nn.LeakyReLU(0.1, inplace=True),
    )
