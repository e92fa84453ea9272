"""A trainer from the parameters of the train stage."""

import json
import logging
from collections.abc import Sequence
from functools import partial
from pathlib import Path

from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import embedded_view_count
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes
from automedsam.cases.folds import describe_folds, outside_groups
from automedsam.model.trained import ModelHeader
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.parameters.losses import BoxLossParams
from automedsam.runtime.parameters.stages import TrainParams
from automedsam.runtime.paths import LABEL_REPORT
from automedsam.supervision.box_losses import AutoMedSAMLoss
from automedsam.training.context import TrainingContext
from automedsam.training.cross_validation import CrossValidation
from automedsam.training.direct import DirectRecipe
from automedsam.training.inputs import CaseInputs
from automedsam.training.locating import LocatingRecipe
from automedsam.training.recipe import Recipe
from automedsam.training.trainer import Trainer

logger = logging.getLogger(__name__)


def create_trainer(
    params: TrainParams,
    inputs: CaseInputs,
    classes: Classes,
    pseudo_labels: Path,
    compute: Compute,
    folds: Sequence[Sequence[Case]] = (),
    unlabelled: Sequence[Case] = (),
) -> Trainer:
    """Create the trainer that `prompting` selects; with folds, it cross-validates.

    Unlabelled cases are used by `locate` only.

    Raises:
      InputError: a class has no pseudo-label, but `prompting: locate` requires some.
    """
    if params.prompting == "locate":
        check_pseudo_labels(pseudo_labels, classes)
    context = TrainingContext(
        model=inputs.model,
        criterion=AutoMedSAMLoss(**params.only(BoxLossParams)),
        compute=compute,
        inputs=inputs,
        classes=classes,
        pseudo_labels=pseudo_labels,
        batch_size=params.batch_size,
        seed=params.seed,
        unlabelled=unlabelled,
    )
    if folds:
        logger.info("no validation images: cross-validation in %s", describe_folds(folds))
        return CrossValidation(context, partial(create_recipe, params), folds)
    return Trainer(context, create_recipe(params, context))


def usable_unlabelled(
    unlabelled: Sequence[Case], folds: Sequence[Sequence[Case]]
) -> Sequence[Case]:
    """The unlabelled cases, or none if a model of the cross-validation could not use any.

    Otherwise the models of the folds would be trained differently from the one that they measure.
    """
    if all(outside_groups(fold, unlabelled) for fold in folds):
        return unlabelled
    if unlabelled:
        logger.warning(
            "no self-training: all unlabelled images are in the groups of a fold of the "
            "cross-validation (see group_by)"
        )
    return []


def create_recipe(params: TrainParams, context: TrainingContext) -> Recipe:
    """Create the recipe that `prompting` selects."""
    if params.prompting == "direct":
        return DirectRecipe(
            context,
            epochs=params.epochs,
            learning_rate=params.learning_rate,
            weight_decay=params.weight_decay,
            lambda_pseudo=params.lambda_pseudo,
            lambda_box=params.lambda_box,
        )
    return LocatingRecipe(
        context,
        epochs=params.epochs,
        steps_per_epoch=params.steps_per_epoch,
        learning_rate=params.learning_rate,
        weight_decay=params.weight_decay,
        views=embedded_view_count(params.views, params.augmentations),
        augmentations=params.augmentations,
    )


def describe_training(
    params: TrainParams, weights: Weights, compute: Compute, classes: Classes, preparation: Path
) -> ModelHeader:
    """The header of the trained model.

    Args:
      params: the parameters of the stage.
      weights: the backbone's weights.
      compute: device and precision.
      classes: the classes.
      preparation: the file that describes how images were prepared.
    """
    checkpoint = params.medsam_checkpoint
    return ModelHeader(
        backbone=params.backbone_name,
        medsam_checkpoint=None if checkpoint is None else checkpoint.as_posix(),
        weights_sha256=weights.sha256(),
        weights_licence=weights.backbone.licence,
        weights_training_data=weights.backbone.training_data,
        use_amp=params.use_amp,
        precision=compute.precision,
        embedding_dtype=params.embedding_dtype,
        prompting=params.prompting,
        prompt_source=params.prompt_source,
        sparse_prompt=params.sparse_prompt,
        class_values=[(cls.name, cls.value) for cls in classes],
        preparation=json.loads(preparation.read_text(encoding="utf-8")),
        params=params.model_dump(mode="json"),
    )


def check_pseudo_labels(root: Path, classes: Classes) -> None:
    """Raise InputError if a class has no pseudo-label to learn from."""
    for cls in classes:
        folder = classes.folder_of(root, cls)
        if not any(folder.glob("*.png")):
            remedy = "leave it out of class_ids"
            if classes.is_single:
                remedy = "set prompting: direct with lambda_pseudo: 0"
            raise InputError(
                f"{folder}: no pseudo-label of class {cls.name} fits its box, see {LABEL_REPORT}; "
                f"try another backbone, or {remedy}"
            )
