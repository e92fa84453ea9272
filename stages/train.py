"""Boxes, pseudo-labels and embeddings -> data/model: train the prompter, with mixed precision.

python stages/train.py

No mask is read, and no image encoder is loaded. Without validation cases, the epoch is chosen by
cross-validation over the training cases. A stopped training resumes after its last complete epoch,
if nothing that it depends on has changed.
"""

import logging

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import embedded_view_count
from automedsam.cases.classes import read_classes
from automedsam.cases.folds import assign_folds
from automedsam.cases.index import read_index
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.compute import be_deterministic, choose_compute
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import TrainParams
from automedsam.runtime.paths import (
    CLASSES,
    EMBEDDINGS,
    IMAGES,
    INDEX,
    PREPARATION,
    PSEUDO_LABELS,
    cache_folder,
)
from automedsam.runtime.script import argument_parser, parse, run
from automedsam.training.fit import fit, keep_best
from automedsam.training.inputs import CaseInputs
from automedsam.training.resume import TrainingFolder, fingerprint, input_files
from automedsam.training.setup import create_trainer, describe_training, usable_unlabelled

logger = logging.getLogger("automedsam.train")


def main() -> None:
    parse(argument_parser(__doc__))
    params = load_params(TrainParams)
    compute = choose_compute(params.device, params.use_amp)
    be_deterministic(params.seed)

    # Cases and their embeddings.
    classes = read_classes(CLASSES)
    train_cases = read_index(INDEX, classes, "train")
    val_cases = read_index(INDEX, classes, "val")
    folds = [] if val_cases else assign_folds(train_cases)
    pool = read_index(INDEX, classes, "unlabelled") if params.trains_itself else []
    unlabelled = usable_unlabelled(pool, folds)
    weights = Weights(params.backbone_name, params.medsam_checkpoint)
    embeddings = EmbeddingFolder(EMBEDDINGS, weights, params.embedding_dtype)
    views = embedded_view_count(params.views, params.augmentations)
    embeddings.check([*val_cases, *unlabelled])
    embeddings.check(train_cases, views)

    # The model, and how it is trained.
    kind = (params.prompting, params.prompt_source, params.sparse_prompt)
    model = AutoMedSAM(weights, *kind, classes=len(classes)).to(compute.device)
    inputs = CaseInputs(model, embeddings, IMAGES, compute.device)
    trainer = create_trainer(params, inputs, classes, PSEUDO_LABELS, compute, folds, unlabelled)
    trainable = f"{sum(parameter.numel() for parameter in model.prompter.parameters()):,}"
    logger.info("%s on %s: %s trainable parameters", params.backbone_name, compute, trainable)

    # Train, or continue a training that was stopped.
    header = describe_training(params, weights, compute, classes, PREPARATION).model_dump()
    files = input_files([*train_cases, *val_cases, *unlabelled], classes, embeddings, views)
    identity = fingerprint(header, embeddings.encoder, files)
    folder = TrainingFolder(cache_folder() / "train", identity)
    held_out = train_cases if folds else val_cases
    epochs = params.epochs * (1 + params.self_training_rounds if unlabelled else 1)
    fit(trainer, train_cases, held_out, folder, header, epochs, params.save_every)
    keep_best(trainer, held_out, folder, header)


if __name__ == "__main__":
    run(main)
