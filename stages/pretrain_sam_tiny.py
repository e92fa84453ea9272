"""Not a stage: train the packaged backbone `sam_tiny` on phantoms, and measure its true-box Dice on fresh ones.

    python stages/pretrain_sam_tiny.py train     writes stages/automedsam/sam_tiny.pth (an hour or so on two cores)
    python stages/pretrain_sam_tiny.py measure   prints the Dice of the target with its true box as the prompt

One random object of each phantom (target or distractor, so that the prompt decides) is segmented from its box, widened
by 0 to 5 px a side, or from one point inside it.
"""

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F
from tqdm import tqdm

from automedsam.backbone.architectures import BACKBONES, SAM_TINY_WEIGHTS
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import tight_box
from automedsam.datasets.phantoms import draw_phantom

POOL = 3000  # phantoms to train on; the seeds of the synthetic data set are others
STEPS, BATCH_SIZE, LEARNING_RATE, WEIGHT_DECAY = 2000, 8, 1e-3, 0.05
MAX_JITTER = 5  # px a side
POINT_SHARE = 0.2  # of the batches are prompted with a point, the others with a box
TRAIN_SEED, MEASURE_SEED = 7001, 7002


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("command", choices=("train", "measure"))
    if parser.parse_args().command == "train":
        train(SAM_TINY_WEIGHTS)
    print(
        f"true-box Dice on 200 fresh phantoms: {measure_true_box_dice(SAM_TINY_WEIGHTS, 200):.4f}"
    )


def train(path: Path) -> None:
    """Train from scratch and write the weights to `path`, a `Sam` state dict in fp16."""
    torch.manual_seed(TRAIN_SEED)
    rng = np.random.default_rng(TRAIN_SEED)
    backbone = BACKBONES["sam_tiny"]
    encoder = backbone.build_encoder()
    decoder = PromptableDecoder(backbone.build_prompt_encoder(), backbone.build_mask_decoder())
    parameters = [*encoder.parameters(), *decoder.parameters()]
    optimizer = torch.optim.AdamW(parameters, LEARNING_RATE, weight_decay=WEIGHT_DECAY)
    schedule = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, LEARNING_RATE, total_steps=STEPS, pct_start=0.1
    )
    pool = [
        draw_phantom(np.random.default_rng([TRAIN_SEED, i])) for i in tqdm(range(POOL), "phantoms")
    ]
    progress = tqdm(range(STEPS), "training")
    average = 1.0
    for _ in progress:
        chosen = [pool[i] for i in rng.integers(0, POOL, BATCH_SIZE)]
        images, masks = draw_batch(
            rng, [(phantom.image, phantom.labels) for phantom in chosen], backbone.preprocessing
        )
        prompt = (
            random_points(rng, masks) if rng.random() < POINT_SHARE else random_boxes(rng, masks)
        )
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
        average = 0.98 * average + 0.02 * loss.item()
        progress.set_postfix(loss=f"{average:.4f}")
    state = (
        encoder.state_dict(prefix="image_encoder.") | decoder.state_dict()
    )  # the keys of segment_anything's Sam
    torch.save({key: value.half() for key, value in state.items()}, path)


def draw_batch(
    rng: np.random.Generator,
    phantoms: list[tuple[np.ndarray, np.ndarray]],
    preprocessing: Preprocessing,
) -> tuple[Tensor, Tensor]:
    """Flipped and turned inputs (B, 3, S, S), and the mask of one random object of each (B, 1, S, S), float."""
    images, masks = [], []
    for image, labels in phantoms:
        turns, flip = int(rng.integers(4)), bool(rng.integers(2))
        image, labels = (
            np.rot90(np.fliplr(a) if flip else a, turns).copy() for a in (image, labels)
        )
        images.append(preprocessing(image))
        masks.append(torch.tensor(labels == rng.integers(1, labels.max() + 1))[None].float())
    return torch.stack(images), torch.stack(masks)


def random_boxes(rng: np.random.Generator, masks: Tensor) -> dict[str, Tensor]:
    """Tight boxes, each side moved outwards by 0 to 5 px."""
    boxes = torch.tensor([tight_box(mask[0].bool().numpy()) for mask in masks], dtype=torch.float32)
    outwards = torch.tensor([-1.0, -1.0, 1.0, 1.0])
    jitter = torch.tensor(rng.uniform(0, MAX_JITTER, boxes.shape), dtype=torch.float32)
    return {"boxes_xyxy": boxes + outwards * jitter}


def random_points(rng: np.random.Generator, masks: Tensor) -> dict[str, Tensor]:
    """One point inside each object."""
    inside = [np.argwhere(mask[0].numpy() > 0) for mask in masks]
    yx = np.stack([pixels[rng.integers(len(pixels))] for pixels in inside])
    return {"points_xy": torch.tensor(yx[:, None, ::-1].copy(), dtype=torch.float32)}


def soft_dice_loss(logits: Tensor, masks: Tensor) -> Tensor:
    """1 - soft Dice, mean over the batch."""
    probability = logits.sigmoid()
    overlap = (probability * masks).sum((1, 2, 3))
    return (1 - (2 * overlap + 1) / (probability.sum((1, 2, 3)) + masks.sum((1, 2, 3)) + 1)).mean()


@torch.inference_mode()
def measure_true_box_dice(path: Path, count: int) -> float:
    """Mean Dice of the target over fresh phantoms, its exact tight box as the prompt."""
    weights = Weights("sam_tiny", path)
    encoder = weights.load_encoder()
    decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
    scores = []
    for i in range(count):
        phantom = draw_phantom(np.random.default_rng([MEASURE_SEED, i]))
        box = torch.tensor([tight_box(phantom.mask)], dtype=torch.float32)
        image = weights.backbone.preprocessing(phantom.image)[None]
        logits = decoder(encoder(image), boxes_xyxy=box)
        predicted = (
            weights.backbone.preprocessing.mask_to_image(logits, phantom.mask.shape)[0, 0].numpy()
            > 0
        )
        scores.append(2 * (predicted & phantom.mask).sum() / (predicted.sum() + phantom.mask.sum()))
    return float(np.mean(scores))


if __name__ == "__main__":
    main()
