"""Train the packaged backbone `sam_tiny` on phantoms, and measure its Dice with true boxes.

python stages/pretrain_sam_tiny.py train       about an hour on two cores
python stages/pretrain_sam_tiny.py measure
"""

import logging

import numpy as np
import torch

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.pretraining import pretrain
from automedsam.backbone.weights import SAM_TINY_WEIGHTS, Weights
from automedsam.cases.boxes import tight_box
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.runtime.script import argument_parser, parse, progress_bar, run

TRAINING_PHANTOMS, MEASURED_PHANTOMS = 3000, 200
TRAINING_SEED, MEASURING_SEED = 7001, 7002  # the synthetic data set has another seed

logger = logging.getLogger("automedsam.pretrain_sam_tiny")


def main() -> None:
    parser = argument_parser(__doc__)
    parser.add_argument("command", choices=("train", "measure"))
    if parse(parser).command == "train":
        train()
    mean_dice = measure_true_box_dice()
    logger.info("true-box Dice on %d other phantoms: %.4f", MEASURED_PHANTOMS, mean_dice)


def train() -> None:
    """Replace the weights of the package."""
    phantoms = [
        draw_phantom(np.random.default_rng([TRAINING_SEED, number]))
        for number in progress_bar(range(TRAINING_PHANTOMS), "phantoms", "image")
    ]
    pool = [(phantom.image, phantom.labels) for phantom in phantoms]
    torch.save(pretrain(pool, TRAINING_SEED), SAM_TINY_WEIGHTS)


@torch.inference_mode()
def measure_true_box_dice() -> float:
    """Mean Dice of the target in other phantoms, with its tight box as the prompt."""
    weights = Weights("sam_tiny")
    preprocessing = weights.backbone.preprocessing
    encoder = weights.load_encoder()
    decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
    scores = []
    for number in range(MEASURED_PHANTOMS):
        phantom = draw_phantom(np.random.default_rng([MEASURING_SEED, number]))
        box_xyxy = torch.tensor([tight_box(phantom.mask)], dtype=torch.float32)
        logits = decoder(encoder(preprocessing(phantom.image)[None]), boxes_xyxy=box_xyxy)
        predicted = preprocessing.mask_to_image(logits, phantom.mask.shape)[0, 0] > 0
        scores.append(dice(predicted.numpy(), phantom.mask))
    return float(np.mean(scores))


if __name__ == "__main__":
    run(main)
