"""Finding the object in the image itself: a light U-Net, which can be shown the image in ever new views.

Ronneberger et al., arXiv 1505.04597, with strided convolutions, group norm (batches are small) and few channels.
"""

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

WIDTHS = (16, 32, 48, 64, 96)  # channels at each scale, from the finest
SIDE = 128  # px of the frame that it sees


class ImageLocator(nn.Module):
    """Images (B, 3, SIDE, SIDE), 0 to 1, to a map of each class, logits (B, classes, SIDE, SIDE)."""

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


"""Finding the object in what the frozen encoder saw: a small head on the image's embedding."""

HIDDEN = 64
DILATIONS = (2, 4)  # of the 3x3 convolutions; with them a cell sees 13 x 13 others


class EmbeddingLocator(nn.Module):
    """Embedding (B, C, grid, grid) to a map of each class, logits (B, classes, grid, grid).

    A 1x1 convolution, two dilated 3x3 ones, and the cell's own place in the image beside the embedding.
    """

    def __init__(self, channels: int, classes: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels + 2, HIDDEN, 1)]
        for dilation in DILATIONS:
            layers += [nn.GroupNorm(8, HIDDEN), nn.GELU()]
            layers += [nn.Conv2d(HIDDEN, HIDDEN, 3, padding=dilation, dilation=dilation)]
        self.drop = nn.Dropout2d(0.2)  # of whole channels: ten images must not hang on one of them
        self.layers = nn.Sequential(
            *layers, nn.GroupNorm(8, HIDDEN), nn.GELU(), nn.Conv2d(HIDDEN, classes, 1)
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.layers(torch.cat([self.drop(embeddings), _places(embeddings)], dim=1))


def _places(embeddings: Tensor) -> Tensor:
    """(B, 2, grid, grid): each cell's x and y, -1 to 1."""
    batch, _, height, width = embeddings.shape
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack([x, y]).to(embeddings).expand(batch, -1, -1, -1)
