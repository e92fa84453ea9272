"""What the model is given of a case: the cached embedding, and the thumbnail if it looks at images."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.cases.case import Case
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.image_files import read_image

CACHE_SIZE = 1000  # cases whose small tensors stay in memory: 0.2 GB of thumbnails


class CaseInputs:
    """Read from the folders of embeddings and images, by case; thumbnails are small, and kept."""

    def __init__(
        self, model: AutoMedSAM, embeddings: EmbeddingFolder, images: Path, device: torch.device
    ) -> None:
        self.model = model
        self.embeddings = embeddings
        self.images = images
        self.device = device
        self.thumbnail = lru_cache(CACHE_SIZE)(self._make_thumbnail)

    def load(self, cases: Sequence[Case]) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B, C, grid, grid), fp32, and thumbnails (B, 3, side, side), or None if they are not looked at."""
        embeddings = self.embeddings.load(list(cases), self.device)
        if not self.model.prompt_module.needs_thumbnails:
            return embeddings, None
        return embeddings, torch.stack([self.thumbnail(case) for case in cases]).to(self.device)

    def _make_thumbnail(self, case: Case) -> Tensor:
        """(3, side, side), fp32, 0 to 1, on the CPU."""
        return self.model.thumbnail(read_image(self.images / f"{case.name}.png"))
