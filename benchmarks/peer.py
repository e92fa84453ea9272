"""A U-Net, monai's or our own, trained on true masks or pseudo-labels of the training cases.

    python benchmarks/peer.py monai masks
    python benchmarks/peer.py own pseudo-labels

Run it in a folder with prepared, embedded and labelled data, as accuracy.py creates it. The U-Net
is trained like our image locator: same augmentation, steps, optimizer, moving average. The stages
never read the true masks. The last printed line is the mean Dice over the classes, each a mean over
the test cases that show the object.
"""

import argparse
import sys
from pathlib import Path
from statistics import mean

import torch
from monai.networks.nets import UNet
from torch import nn

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "stages"))

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, label_mask, read_classes
from automedsam.cases.index import read_index
from automedsam.cases.masks import to_labels
from automedsam.datasets.catalogue import open_dataset
from automedsam.datasets.class_ids import parse_classes
from automedsam.evaluation.metrics import dice
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.image_locator import WIDTHS
from automedsam.model.locating import LocatingPrompter
from automedsam.runtime.compute import Compute, be_deterministic, choose_compute
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import PrepareParams, TrainParams
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    PSEUDO_LABELS,
    TEST_MASKS,
    image_path,
)
from automedsam.training.inputs import CaseInputs
from automedsam.training.setup import create_trainer

MASKS = Path("true_masks")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("network", choices=["monai", "own"], help="which U-Net to train")
    parser.add_argument("labels", choices=["masks", "pseudo-labels"], help="what to train it on")
    arguments = parser.parse_args()
    params = load_params(TrainParams)
    compute = choose_compute(params.device, params.use_amp)
    be_deterministic(params.seed)
    classes = read_classes(CLASSES)
    train_cases = read_index(INDEX, classes, "train")
    labels = PSEUDO_LABELS
    if arguments.labels == "masks":
        labels = MASKS
        write_masks({case.name for case in train_cases}, classes, labels)

    weights = Weights(params.backbone_name, params.medsam_checkpoint)
    model = AutoMedSAM(weights, "locate", "image", classes=len(classes)).to(compute.device)
    if arguments.network == "monai":
        prompter_of(model).locators["image"] = monai_unet(len(classes)).to(compute.device)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    inputs = CaseInputs(model, embeddings, IMAGES, compute.device)
    trainer = create_trainer(params, inputs, classes, labels, compute)
    for _ in range(params.epochs):
        # The last epoch counts, so one case to validate on is enough.
        trainer.run_epoch(train_cases, train_cases[:1])
    print(test_dice(inputs, read_index(INDEX, classes, "test"), classes, compute))


def test_dice(
    inputs: CaseInputs, test_cases: list[Case], classes: Classes, compute: Compute
) -> float:
    """The mean Dice over classes of the network after the last epoch."""
    model = inputs.model
    network = prompter_of(model).locators["image"]
    scores: list[list[float]] = [[] for _ in classes]
    for case in test_cases:
        truth = read_image(image_path(TEST_MASKS, case.name))
        with torch.inference_mode():
            logits = network(inputs.thumbnail(case)[None].to(compute.device))
        labels = to_labels(model.preprocessing.mask_to_image(logits, case.image_size), classes)
        for cls, class_scores in zip(classes, scores, strict=True):
            if (truth == cls.value).any():
                class_scores.append(dice(labels == cls.value, truth == cls.value))
    return mean(map(mean, scores))


def prompter_of(model: AutoMedSAM) -> LocatingPrompter:
    """The prompter of a model that locates."""
    assert isinstance(model.prompter, LocatingPrompter)
    return model.prompter


def monai_unet(classes: int) -> nn.Module:
    """monai's U-Net with the widths of our image locator."""
    return UNet(
        spatial_dims=2,
        in_channels=3,
        out_channels=classes,
        channels=WIDTHS,
        strides=(2,) * (len(WIDTHS) - 1),
        num_res_units=2,
        norm="instance",
    )


def write_masks(names: set[str], classes: Classes, folder: Path) -> None:
    """Write the true masks of some images, 0 and 255, in the layout of pseudo-labels."""
    params = load_params(PrepareParams)
    raw_classes = parse_classes(params.class_ids, params.mask_ids, params.annotations is not None)
    data = open_dataset(
        dataset=params.dataset,
        data_dir=params.data_dir,
        annotations=params.annotations,
        unboxed=params.unboxed,
        classes=raw_classes,
        group_by=params.group_by,
        slice_axis=params.slice_axis,
        window_low=params.window_low,
        window_high=params.window_high,
    )
    for scan in data.scans:
        if scan.name in names and scan.read_labels:
            labels = label_mask(scan.read_labels(), raw_classes)[0]
            for cls in classes:
                path = image_path(classes.folder_of(folder, cls), scan.name)
                write_image(path, labels == cls.value)


if __name__ == "__main__":
    main()
