"""Inputs of the model for a case: the stored embedding, and the thumbnail of its image."""

from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.cases.case import Case
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.image_files import read_image
from automedsam.runtime.paths import image_path

CACHE_SIZE = 1000  # cases whose small tensors stay in memory: 0.2 GB of thumbnails


class CaseInputs:
    """Reads embeddings and images from their folders; thumbnails are cached in memory."""

    def __init__(
        self, model: AutoMedSAM, embeddings: EmbeddingFolder, images: Path, device: torch.device
    ) -> None:
        self.model = model
        self.embeddings = embeddings
        self.images = images
        self.device = device
        self.thumbnail = lru_cache(CACHE_SIZE)(self._make_thumbnail)

    def load(self, cases: Sequence[Case]) -> tuple[Tensor, Tensor | None]:
        """Embeddings (B, C, grid, grid), fp32, and thumbnails (B, 3, side, side).

        The thumbnails are `None` if the prompter does not use them.
        """
        embeddings = self.embeddings.load(list(cases), self.device)
        if not self.model.prompter.needs_thumbnails:
            return embeddings, None
        return embeddings, torch.stack([self.thumbnail(case) for case in cases]).to(self.device)

    def _make_thumbnail(self, case: Case) -> Tensor:
        """(3, side, side), fp32, 0 to 1, on the CPU."""
        return self.model.thumbnail(read_image(image_path(self.images, case.name)))
