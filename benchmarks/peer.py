"""What a user would do instead: a U-Net, monai's or our own, learned from the true masks of the same training cases.

It is trained as our image locator is, with the same views, steps, optimiser and running mean, but on masks that our own
stages never see.

    python benchmarks/peer.py monai        in a folder that is prepared, as accuracy.py makes it
"""

import sys
from pathlib import Path

import torch
from monai.networks.nets import UNet

sys.path.insert(0, str(Path(__file__).parent.parent / "stages"))

from automedsam.case_inputs import CaseInputs
from automedsam.cases import read_index
from automedsam.datasets import open_dataset
from automedsam.device import be_deterministic, choose_compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.image_locator import WIDTHS
from automedsam.images import read_pixels, write_image
from automedsam.locating_training import LocatingTraining
from automedsam.losses import AutoMedSAMLoss
from automedsam.metrics import dice
from automedsam.model import AutoMedSAM
from automedsam.params import load_params
from automedsam.paths import EMBEDDINGS, IMAGES, INDEX, TEST_MASKS
from automedsam.sam import Weights
from automedsam.training import Setup
from automedsam.values import object_mask

MASKS = Path("true_masks")


def main() -> None:
    """Print the mean Dice, over the test cases that show the object, of the last epoch's network."""
    params = load_params("train")
    compute = choose_compute(params.device, params.use_amp)
    be_deterministic(params.seed)
    train_cases, test_cases = read_index(INDEX, "train"), read_index(INDEX, "test")
    write_masks({case.name for case in train_cases}, MASKS)

    weights = Weights(params.backbone, params.medsam_checkpoint)
    model = AutoMedSAM(weights, "locate", "image").to(compute.device)
    if sys.argv[1] == "monai":
        model.prompt_module.locators["image"] = monai_unet().to(compute.device)
    inputs = CaseInputs(model, EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype), IMAGES, compute.device)
    setup = Setup(model, AutoMedSAMLoss(), compute, inputs, MASKS, params.batch_size, params.seed)
    recipe = params.pick("epochs", "learning_rate", "weight_decay", "steps_per_epoch", "views", "augmentations")
    training = LocatingTraining(setup, **recipe)
    for epoch in range(1, params.epochs + 1):
        for _ in training.take_steps(train_cases, epoch):
            pass
    scores = []
    for case in test_cases:
        truth = read_pixels(TEST_MASKS / f"{case.name}.png") > 0
        if truth.any():
            with torch.inference_mode():
                logits = model.prompt_module.locators["image"](inputs.thumbnail(case)[None].to(compute.device))
            mask = model.preprocessing.mask_to_image(logits, case.image_size)[0, 0] > 0
            scores.append(dice(mask.cpu().numpy(), truth))
    print(sum(scores) / len(scores))


def monai_unet() -> UNet:
    """Of the same widths as ours."""
    return UNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=1,
        channels=WIDTHS,
        strides=(2,) * (len(WIDTHS) - 1),
        num_res_units=2,
        norm="instance",
    )


def write_masks(names: set[str], folder: Path) -> None:
    """The true masks of images of a data set, 0 and 255, under the images' names."""
    params = load_params("prepare")
    keys = ("dataset", "data_dir", "annotations", "class_ids", "group_by", "slice_axis", "window_low", "window_high")
    for scan in open_dataset(**params.pick(*keys)).scans:
        if scan.name in names and scan.read_labels:
            write_image(folder / f"{scan.name}.png", object_mask(scan.read_labels(), params.class_ids)[0])


if __name__ == "__main__":
    main()
