"""Masks from an ensemble of slightly enlarged boxes.

MedSAM was trained with boxes up to 20 of 1024 px too large on each side (Ma et al., 2024), so its
answer to a tight box is noisy. The average over slightly larger boxes is more stable.
"""

import numpy as np
import torch
from torch import Tensor

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.cases.boxes import Box, Size
from automedsam.runtime.compute import Compute

DRAWN_BOX_VOTES = 8  # boxes around each drawn box
MAX_ENLARGEMENT = 20 / 1024  # on each side, as a fraction of the input frame's side
OUTWARD_XYXY = torch.tensor([-1.0, -1.0, 1.0, 1.0])


def decode_with_box_ensemble(
    decoder: PromptableDecoder, embedding: Tensor, box_xyxy: Tensor, votes: int
) -> Tensor:
    """Return the mean probability over an ensemble of box prompts.

    Args:
      decoder: The frozen decoder.
      embedding: (1, C, grid, grid).
      box_xyxy: (4,), in px of the input frame.
      votes: Number of boxes, at least 1, all decoded in one batch. The first is `box_xyxy` itself;
        the others are enlarged at random, by the same amounts in every call.

    Returns:
      Probabilities (1, 1, 4 grid, 4 grid), fp32.
    """
    generator = torch.Generator().manual_seed(0)
    offsets = torch.rand(votes, 4, generator=generator) * OUTWARD_XYXY
    offsets[0] = 0
    side = decoder.prompt_encoder.input_image_size[0]
    enlarged = box_xyxy + MAX_ENLARGEMENT * side * offsets.to(box_xyxy)
    boxes = enlarged.clamp(0, side)  # (votes, 4)
    logits = decoder(embedding.expand(votes, -1, -1, -1), boxes_xyxy=boxes)
    return logits.float().sigmoid().mean(0, keepdim=True)


@torch.inference_mode()
def segment_drawn_box(
    decoder: PromptableDecoder,
    preprocessing: Preprocessing,
    compute: Compute,
    embedding: Tensor,
    box_xyxy: Box,
    image_size: Size,
) -> np.ndarray:
    """Return the probability (H, W), fp32, of the object in a drawn box, not clipped to the box.

    Args:
      decoder: The frozen decoder.
      preprocessing: That of the backbone.
      compute: Device and precision.
      embedding: (1, C, grid, grid).
      box_xyxy: Box in px of the image.
      image_size: Height and width of the image, in px.
    """
    box = torch.tensor(box_xyxy, dtype=torch.float32, device=compute.device)
    prompt_xyxy = preprocessing.box_to_input(box, image_size)
    with compute.autocast():
        decoded = decode_with_box_ensemble(decoder, embedding, prompt_xyxy, DRAWN_BOX_VOTES)
    return preprocessing.mask_to_image(decoded, image_size)[0, 0].cpu().numpy()
