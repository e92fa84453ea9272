"""What a user would do instead: a U-Net, monai's or our own, learned from the true masks of the same training cases.

It is trained as our image locator is, with the same views, steps, optimiser and running mean, but on masks that our own
stages never see.

    python benchmarks/peer.py monai        in a folder that is prepared, as accuracy.py makes it
"""

import sys
from pathlib import Path
from statistics import mean

import torch
from monai.networks.nets import UNet

sys.path.insert(0, str(Path(__file__).parent.parent / "stages"))

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.classes import ObjectClass, label_mask, parse_classes
from automedsam.cases.index import read_index
from automedsam.cases.masks import to_labels
from automedsam.datasets.catalogue import open_dataset
from automedsam.evaluation.metrics import dice
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locators import WIDTHS
from automedsam.runtime.compute import be_deterministic, choose_compute
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.params import load_params
from automedsam.runtime.paths import EMBEDDINGS, IMAGES, INDEX, TEST_MASKS
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.supervision.targets import label_folders
from automedsam.training.inputs import CaseInputs
from automedsam.training.locating import LocatingTraining
from automedsam.training.trainer import Setup

MASKS = Path("true_masks")


def main() -> None:
    """Print the mean Dice, over the test cases that show the object, of the last epoch's network; mean over classes."""
    params = load_params("train")
    compute = choose_compute(params.device, params.use_amp)
    be_deterministic(params.seed)
    train_cases, test_cases = read_index(INDEX, "train"), read_index(INDEX, "test")
    classes = write_masks({case.name for case in train_cases}, MASKS)

    weights = Weights(params.backbone, params.medsam_checkpoint)
    model = AutoMedSAM(weights, "locate", "image", classes=len(classes)).to(compute.device)
    if sys.argv[1] == "monai":
        model.prompt_module.locators["image"] = monai_unet(len(classes)).to(compute.device)
    inputs = CaseInputs(
        model, EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype), IMAGES, compute.device
    )
    setup = Setup(
        model, AutoMedSAMLoss(), compute, inputs, classes, MASKS, params.batch_size, params.seed
    )
    recipe = params.pick(
        "epochs", "learning_rate", "weight_decay", "steps_per_epoch", "views", "augmentations"
    )
    training = LocatingTraining(setup, **recipe)
    for epoch in range(1, params.epochs + 1):
        for _ in training.take_steps(train_cases, epoch):
            pass
    scores: list[list[float]] = [[] for _ in classes]
    for case in test_cases:
        truth = read_image(TEST_MASKS / f"{case.name}.png")
        with torch.inference_mode():
            logits = model.prompt_module.locators["image"](
                inputs.thumbnail(case)[None].to(compute.device)
            )
        labels = to_labels(model.preprocessing.mask_to_image(logits, case.image_size), classes)
        for of, of_class in zip(classes, scores, strict=True):
            if (truth == of.value).any():
                of_class.append(dice(labels == of.value, truth == of.value))
    print(mean(map(mean, scores)))


def monai_unet(classes: int) -> UNet:
    """Of the same widths as ours."""
    return UNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=classes,
        channels=WIDTHS,
        strides=(2,) * (len(WIDTHS) - 1),
        num_res_units=2,
        norm="instance",
    )


def write_masks(names: set[str], folder: Path) -> list[ObjectClass]:
    """The true masks of images of a data set, 0 and 255, where labels of their classes would lie; and the classes."""
    params = load_params("prepare")
    classes = parse_classes(
        **params.pick("class_ids", "mask_ids"), is_annotated=params.annotations is not None
    )
    keys = (
        "dataset",
        "data_dir",
        "annotations",
        "group_by",
        "slice_axis",
        "window_low",
        "window_high",
    )
    for scan in open_dataset(classes=classes, **params.pick(*keys)).scans:
        if scan.name in names and scan.read_labels:
            labels = label_mask(scan.read_labels(), classes)[0]
            for of, place in zip(classes, label_folders(folder, classes), strict=True):
                write_image(place / f"{scan.name}.png", labels == of.value)
    return classes


if __name__ == "__main__":
    main()
