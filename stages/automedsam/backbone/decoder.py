"""SAM's prompt encoder and mask decoder as one network that takes whole batches, each image with its own prompt."""

import torch
from torch import Tensor, nn

from automedsam.backbone.architectures import MaskDecoder, PromptEncoder


class PromptableDecoder(nn.Module):
    """Embeddings and prompts to mask logits."""

    def __init__(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        """Takes segment_anything's own PromptEncoder and MaskDecoder."""
        super().__init__()
        self.prompt_encoder = prompt_encoder
        self.mask_decoder = mask_decoder

    def forward(
        self,
        image_embeddings: Tensor,
        *,
        boxes_xyxy: Tensor | None = None,
        points_xy: Tensor | None = None,
        tokens: Tensor | None = None,
        dense: Tensor | None = None,
    ) -> Tensor:
        """
        Args:
          image_embeddings: (B, C, grid, grid).
          boxes_xyxy: (B, 4) px of the input frame.
          points_xy: (B, N, 2) px of the input frame, all on the object.
          tokens: (B, N, C) in place of encoded boxes or points.
          dense: (B, C, grid, grid) in place of SAM's own "no mask" embedding.

        Returns:
          Logits (B, 1, 4 grid, 4 grid).
        """
        with torch.autocast(
            image_embeddings.device.type, enabled=False
        ):  # coordinates lose their place in 16 bits
            points = (
                None if points_xy is None else (points_xy, points_xy.new_ones(points_xy.shape[:2]))
            )
            sparse, no_mask = self.prompt_encoder(points=points, boxes=boxes_xyxy, masks=None)
            image_pe = self.prompt_encoder.get_dense_pe()
        # The stock decoder repeats the image embedding by the number of prompts, so that B images with B prompts give
        # B^2 masks. It only ever uses their sum with the dense prompts: to fold the images into those, and have it
        # repeat a zero instead, is exact.
        logits, _ = self.mask_decoder(
            image_embeddings=torch.zeros_like(image_embeddings[:1]),
            image_pe=image_pe,
            sparse_prompt_embeddings=sparse if tokens is None else tokens,
            dense_prompt_embeddings=image_embeddings + (no_mask if dense is None else dense),
            multimask_output=False,
        )
        return logits
