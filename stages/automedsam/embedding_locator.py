"""Finding the object in what the frozen encoder saw: a small head on the image's embedding."""

import torch
from torch import Tensor, nn

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
        self.layers = nn.Sequential(*layers, nn.GroupNorm(8, HIDDEN), nn.GELU(), nn.Conv2d(HIDDEN, classes, 1))

    def forward(self, embeddings: Tensor) -> Tensor:
        return self.layers(torch.cat([self.drop(embeddings), _places(embeddings)], dim=1))


def _places(embeddings: Tensor) -> Tensor:
    """(B, 2, grid, grid): each cell's x and y, -1 to 1."""
    batch, _, height, width = embeddings.shape
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return torch.stack([x, y]).to(embeddings).expand(batch, -1, -1, -1)
