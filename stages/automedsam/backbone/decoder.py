"""SAM's prompt encoder and mask decoder as one network for batches with one prompt per image."""

import torch
from torch import Tensor, nn

from automedsam.backbone.mask_decoding import decode_mask
from automedsam.backbone.sam_networks import MaskDecoder, PromptEncoder


class PromptableDecoder(nn.Module):
    """Maps image embeddings and prompts to mask logits."""

    def __init__(self, prompt_encoder: PromptEncoder, mask_decoder: MaskDecoder) -> None:
        """Combine a prompt encoder and a mask decoder.

        Args:
          prompt_encoder: SAM's own, with its weights.
          mask_decoder: SAM's own, with its weights.
        """
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
        """Decode one mask per image.

        Args:
          image_embeddings: (B, C, grid, grid).
          boxes_xyxy: (B, 4), in px of the input frame.
          points_xy: (B, N, 2), in px of the input frame, all on the object.
          tokens: (B, N, C), in place of encoded boxes or points.
          dense: (B, C, grid, grid), in place of SAM's own "no mask" embedding.

        Returns:
          Logits (B, 1, 4 grid, 4 grid).
        """
        # Without autocast: 16 bits are too few for coordinates.
        with torch.autocast(image_embeddings.device.type, enabled=False):
            points = None
            if points_xy is not None:
                points = (points_xy, points_xy.new_ones(points_xy.shape[:2]))
            sparse, no_mask = self.prompt_encoder(points=points, boxes=boxes_xyxy, masks=None)
            image_pe = self.prompt_encoder.get_dense_pe()
        return decode_mask(
            self.mask_decoder,
            image_embeddings + (no_mask if dense is None else dense),
            image_pe,
            sparse if tokens is None else tokens,
        )
