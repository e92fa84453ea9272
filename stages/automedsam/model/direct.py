"""Direct prompting, as published: prompts are predicted from the embedding.

Gaillochet et al., arXiv 2409.20293: one shared 1x1 convolution, then a dense and a sparse branch.
"""

import torch
from torch import Tensor, nn

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.model.prompter import Prompter
from automedsam.model.prompts import Prompts
from automedsam.runtime.options import SparsePrompt

POOLED_SIDE = 8  # cells, after the max-pooling of the sparse branch


class PromptModule(Prompter):
    """Embedding (B, C, grid, grid) to Prompts of one class; every size comes from the backbone."""

    needs_thumbnails = False

    def __init__(self, channels: int, input_size: int, sparse_prompt: SparsePrompt = "box") -> None:
        """
        Args:
          channels: C of the embedding.
          input_size: px, side of the backbone's input, the frame of boxes and points.
          sparse_prompt: `box` or `point` coordinates for SAM's own prompt encoder, or two free `tokens` in its place,
            as in the paper.
        """
        super().__init__()
        self.channels = channels
        self.input_size = input_size
        self.sparse_prompt = sparse_prompt
        outputs = {"box": 4, "point": 2, "tokens": 2 * channels}[sparse_prompt]
        self.trunk = nn.Sequential(nn.Conv2d(channels, channels // 2, 1), nn.ReLU())
        self.dense = nn.Conv2d(channels // 2, channels, 3, padding=1)
        self.sparse = nn.Sequential(
            nn.Conv2d(channels // 2, channels // 4, 1),
            nn.ReLU(),
            nn.AdaptiveMaxPool2d(POOLED_SIDE),
            nn.Flatten(),
        )
        self.head = nn.Linear(channels // 4 * POOLED_SIDE**2, outputs)

    def forward(self, embeddings: Tensor) -> Prompts:
        shared = self.trunk(embeddings)  # (B, C/2, grid, grid)
        dense = self.dense(shared)  # (B, C, grid, grid)
        pooled = self.sparse(shared).float()  # (B, C/4 * 8 * 8)
        # Coordinates need more than the eight bits of bf16.
        with torch.autocast(embeddings.device.type, enabled=False):
            sparse = self.head(pooled)  # (B, outputs)
        if self.sparse_prompt == "tokens":
            return Prompts(dense, tokens=sparse.unflatten(1, (2, self.channels)))
        coordinates = self.input_size * sparse.sigmoid()
        if self.sparse_prompt == "point":
            return Prompts(dense, points_xy=coordinates[:, None])
        centre, extent = coordinates.split(2, dim=1)  # (B, 2) each
        boxes_xyxy = torch.cat([centre - extent / 2, centre + extent / 2], dim=1)
        return Prompts(dense, boxes_xyxy=boxes_xyxy[:, None])

    def predict_masks(
        self, decoder: PromptableDecoder, image_embeddings: Tensor, thumbnails: Tensor | None = None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, 1, 4 grid, 4 grid), and the prompts; thumbnails are not used."""
        prompts = self(image_embeddings)
        logits = decoder(
            image_embeddings,
            boxes_xyxy=None if prompts.boxes_xyxy is None else prompts.boxes_xyxy[:, 0],
            points_xy=prompts.points_xy,
            tokens=prompts.tokens,
            dense=prompts.dense,
        )
        return logits, prompts
