"""Pre-training of `sam_tiny` on images of objects, from box and point prompts."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.cases.boxes import tight_box
from automedsam.runtime.script import progress_bar

STEPS = 2000
BATCH_SIZE = 8
LEARNING_RATE = 1e-3
WEIGHT_DECAY = 0.05
MAX_JITTER = 5  # px per side
POINT_SHARE = 0.2  # of the batches are prompted with a point, the others with a box

LabelledImage = tuple[np.ndarray, np.ndarray]  # image (H, W), labels (H, W) from 1; uint8


def pretrain(pool: Sequence[LabelledImage], seed: int) -> dict[str, Tensor]:
    """Train `sam_tiny` from scratch.

    One random object of each image, target or distractor, is segmented from its box, widened by 0
    to `MAX_JITTER` px per side, or from one point inside it: the prompt decides which object is
    meant.

    Args:
      pool: the training images.
      seed: of the weights and of all random choices.

    Returns:
      The state dict of a `Sam`, fp16.
    """
    torch.manual_seed(seed)
    rng = np.random.default_rng(seed)
    backbone = BACKBONES["sam_tiny"]
    encoder = backbone.build_encoder()
    decoder = PromptableDecoder(backbone.build_prompt_encoder(), backbone.build_mask_decoder())
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1
    )
    steps = progress_bar(range(STEPS), "training", "step")
    for _ in steps:
        chosen = [pool[i] for i in rng.integers(0, len(pool), BATCH_SIZE)]
        images, masks = draw_batch(rng, chosen, backbone.preprocessing)
        is_point = rng.random() < POINT_SHARE
        prompt = random_points(rng, masks) if is_point else random_boxes(rng, masks)
        with torch.autocast("cpu", torch.bfloat16):
            logits = decoder(encoder(images), **prompt)
        logits = F.interpolate(
            logits.float(), masks.shape[-2:], mode="bilinear", align_corners=False
        )
        loss = F.binary_cross_entropy_with_logits(logits, masks) + soft_dice_loss(logits, masks)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        schedule.step()
        steps.set_postfix(loss=f"{loss.item():.4f}")
    state = encoder.state_dict(prefix="image_encoder.") | decoder.state_dict()
    return {key: value.half() for key, value in state.items()}


def draw_batch(
    rng: np.random.Generator, images: Sequence[LabelledImage], preprocessing: Preprocessing
) -> tuple[Tensor, Tensor]:
    """Flipped and rotated inputs (B, 3, S, S), and masks (B, 1, S, S), float, of one object."""
    inputs, masks = [], []
    for pair in images:
        turns, is_flipped = int(rng.integers(4)), bool(rng.integers(2))
        image, labels = (
            np.rot90(np.fliplr(pixels) if is_flipped else pixels, turns).copy() for pixels in pair
        )
        inputs.append(preprocessing(image))
        masks.append(torch.tensor(labels == rng.integers(1, labels.max() + 1))[None].float())
    return torch.stack(inputs), torch.stack(masks)


def random_boxes(rng: np.random.Generator, masks: Tensor) -> dict[str, Tensor]:
    """Boxes (B, 4) of masks (B, 1, S, S), each side moved outwards by 0 to `MAX_JITTER` px."""
    boxes = [tight_box(mask[0].bool().numpy()) for mask in masks]
    outwards = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    jitter = torch.tensor(rng.uniform(0, MAX_JITTER, (len(boxes), 4)), dtype=torch.float32)
    return {"boxes_xyxy": torch.tensor(boxes, dtype=torch.float32) + outwards * jitter}


def random_points(rng: np.random.Generator, masks: Tensor) -> dict[str, Tensor]:
    """One point (B, 1, 2) inside each of the masks (B, 1, S, S)."""
    inside = [np.argwhere(mask[0].numpy() > 0) for mask in masks]
    yx = np.stack([pixels[rng.integers(len(pixels))] for pixels in inside])
    return {"points_xy": torch.tensor(yx[:, None, ::-1].copy(), dtype=torch.float32)}


def soft_dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - soft Dice of logits and masks (B, 1, S, S), the mean over the batch."""
    probability = logits.sigmoid()
    overlap = (probability * masks).sum((1, 2, 3))
    total = probability.sum((1, 2, 3)) + masks.sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (total + 1)).mean()
