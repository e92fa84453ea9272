"""Direct prompting, as published: a small network predicts prompts from the embedding.

The architecture is that of Gaillochet et al., arXiv 2409.20293: one shared 1x1 convolution,
followed by a dense and a sparse branch.
"""

import torch
from torch import Tensor, nn

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.model.prompter import Prompter
from automedsam.model.prompts import Prompts
from automedsam.runtime.options import SparsePrompt

POOLED_SIDE = 8  # side of the max-pooled grid of the sparse branch, cells


class PromptModule(Prompter):
    """Predicts the prompts of one class from embeddings (B, C, grid, grid) of any backbone."""

    needs_thumbnails = False

    def __init__(self, channels: int, input_size: int, sparse_prompt: SparsePrompt = "box") -> None:
        """Create the module with random weights.

        Args:
          channels: C of the embedding.
          input_size: side of the backbone's input in px, the frame of boxes and points.
          sparse_prompt: `box` or `point` predicts coordinates for SAM's own prompt encoder;
            `tokens` predicts two free tokens in place of its output, as in the paper.
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
        """Predict a dense prompt and one sparse prompt per image."""
        shared = self.trunk(embeddings)  # (B, C/2, grid, grid)
        dense = self.dense(shared)  # (B, C, grid, grid)
        pooled = self.sparse(shared).float()  # (B, C/4 * 8 * 8)
        # bf16 has eight significant bits, too few for coordinates.
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
        """Mask logits (B, 1, 4 grid, 4 grid), and the prompts; `thumbnails` is ignored."""
        prompts = self(image_embeddings)
        logits = decoder(
            image_embeddings,
            boxes_xyxy=None if prompts.boxes_xyxy is None else prompts.boxes_xyxy[:, 0],
            points_xy=prompts.points_xy,
            tokens=prompts.tokens,
            dense=prompts.dense,
        )
        return logits, prompts
