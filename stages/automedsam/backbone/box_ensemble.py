"""A box prompt asked several times over, each time a little looser, and the answers averaged.

MedSAM learned from boxes up to 20 of 1024 px too wide a side (Ma et al., 2024): a tight one is the edge of what it
knows, and which way the answer errs there is chance.
"""

import torch
from torch import Tensor

from automedsam.backbone.decoder import PromptableDecoder

MAX_LOOSENESS = 20 / 1024  # of the input frame's side
OUTWARD = torch.tensor([-1.0, -1.0, 1.0, 1.0])


def decode_with_box_ensemble(
    decoder: PromptableDecoder, embedding: Tensor, box_xyxy: Tensor, votes: int
) -> Tensor:
    """The mean probability (1, 1, 4 grid, 4 grid), fp32, of an image's answers to one box.

    Args:
      embedding: (1, C, grid, grid).
      box_xyxy: (4,) px of the input frame; the first vote is on the box as it is.
      votes: 1 or more, all decoded at once.
    """
    looser = (
        torch.rand(votes, 4, generator=torch.Generator().manual_seed(0)) * OUTWARD
    )  # the same in every call
    looser[0] = 0
    side = decoder.prompt_encoder.input_image_size[0]
    boxes = (box_xyxy + MAX_LOOSENESS * side * looser.to(box_xyxy)).clamp(0, side)  # (votes, 4)
    logits = decoder(embedding.expand(votes, -1, -1, -1), boxes_xyxy=boxes)
    return logits.float().sigmoid().mean(0, keepdim=True)
