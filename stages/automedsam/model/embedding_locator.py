"""Locating objects in the embedding of the frozen encoder: a small convolutional head."""

import torch
from torch import Tensor, nn

HIDDEN = 64
DILATIONS = (2, 4)  # of the 3x3 convolutions; their receptive field is 13 x 13 cells


class EmbeddingLocator(nn.Module):
    """Embeddings (B, C, grid, grid) to one map per class, logits (B, K, grid, grid).

    The head is a 1x1 convolution and two dilated 3x3 convolutions. Two more input channels hold the
    position of each cell, because organs have a usual place in the image.
    """

    def __init__(self, channels: int, classes: int = 1) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(channels + 2, HIDDEN, 1)]
        for dilation in DILATIONS:
            layers += [nn.GroupNorm(8, HIDDEN), nn.GELU()]
            layers += [nn.Conv2d(HIDDEN, HIDDEN, 3, padding=dilation, dilation=dilation)]
        # Whole channels: with ten images, the head must not depend on a single one.
        self.drop = nn.Dropout2d(0.2)
        self.layers = nn.Sequential(
            *layers, nn.GroupNorm(8, HIDDEN), nn.GELU(), nn.Conv2d(HIDDEN, classes, 1)
        )

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.layers(torch.cat([self.drop(embeddings), _positions(embeddings)], dim=1))


def _positions(embeddings: Tensor) -> Tensor:
    """The x and y of each cell, (B, 2, grid, grid), -1 to 1."""
    batch, _, height, width = embeddings.shape
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij"
    )
    return torch.stack([x, y]).to(embeddings).expand(batch, -1, -1, -1)
