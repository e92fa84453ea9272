"""A fixed reduction of large embeddings, so that training costs the same behind every backbone."""

from collections.abc import Iterable

import torch
from torch import Tensor, nn
from torch.nn import functional as F

MAX_CHANNELS = 64
MAX_GRID = 32  # cells per side


class EmbeddingReduction(nn.Module):
    """Embeddings (B, C, grid, grid) to fewer channels and cells, (B, R, side, side).

    Channels are projected on the principal components of the training embeddings, and cells are
    averaged. Embeddings that are already small remain unchanged.
    """

    centre: Tensor
    components: Tensor

    def __init__(self, channels: int) -> None:
        """Create the reduction; `fit` determines the projection.

        Args:
          channels: C of the embedding.
        """
        super().__init__()
        self.channels = min(channels, MAX_CHANNELS)  # R
        self.register_buffer("centre", torch.zeros(channels))
        self.register_buffer("components", torch.eye(self.channels, channels))

    def fit(self, embeddings: Iterable[Tensor]) -> None:
        """Determine the principal components.

        Args:
          embeddings: (B, C, grid, grid) each.
        """
        if self.channels == len(self.centre):
            return
        centre, covariance = _moments(embeddings, len(self.centre))
        variances, vectors = torch.linalg.eigh(covariance)  # ascending
        largest = slice(-self.channels, None)
        # One scale for all components, so that their mean variance is 1, as of a small backbone.
        scale = variances[largest].mean().clamp(min=1e-12).sqrt()
        self.centre.copy_(centre)
        self.components.copy_(vectors[:, largest].T / scale)

    def forward(self, embeddings: Tensor) -> Tensor:
        """Reduce embeddings (B, C, grid, grid), fp32."""
        if self.channels == len(self.centre):
            return _pool(embeddings)
        centred = _pool(embeddings) - self.centre[:, None, None]
        return torch.einsum("bchw,rc->brhw", centred, self.components)


def _moments(embeddings: Iterable[Tensor], channels: int) -> tuple[Tensor, Tensor]:
    """Mean (C,) and covariance (C, C), float64, of the cells of all embeddings."""
    count = 0
    total = torch.zeros(channels, dtype=torch.float64)
    products = torch.zeros(channels, channels, dtype=torch.float64)
    for batch in embeddings:
        cells = _pool(batch).transpose(0, 1).flatten(1).double().cpu()  # (C, cells)
        count += cells.shape[1]
        total += cells.sum(1)
        products += cells @ cells.T
    centre = total / count
    return centre, products / count - torch.outer(centre, centre)


def _pool(embeddings: Tensor) -> Tensor:
    """Average cells such that at most `MAX_GRID` per side remain."""
    factor = -(-embeddings.shape[-1] // MAX_GRID)
    return F.avg_pool2d(embeddings, factor) if factor > 1 else embeddings
