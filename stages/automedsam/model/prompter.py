"""The role of the trained part: it prompts the frozen decoder."""

from abc import ABC, abstractmethod

from torch import Tensor, nn

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.model.prompts import Prompts


class Prompter(nn.Module, ABC):
    """Predicts masks by prompting a frozen decoder; the only trained part of the model."""

    needs_thumbnails: bool  # whether `predict_masks` requires small copies of the images

    @abstractmethod
    def predict_masks(
        self, decoder: PromptableDecoder, image_embeddings: Tensor, thumbnails: Tensor | None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, K, 4 grid, 4 grid) of K classes, and the prompts that led to them.

        Args:
          decoder: the frozen prompt encoder and mask decoder.
          image_embeddings: (B, C, grid, grid).
          thumbnails: (B, 3, side, side), 0 to 1; `None` unless `needs_thumbnails`.
        """
