"""A trainer from the parameters, and the header of the trained model."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.trained import ModelHeader
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import write_image
from automedsam.runtime.options import Prompting
from automedsam.runtime.parameters.loading import load_params
from automedsam.runtime.parameters.stages import TrainParams
from automedsam.training.direct import DirectRecipe
from automedsam.training.locating import LocatingRecipe
from automedsam.training.setup import (
    check_pseudo_labels,
    create_trainer,
    describe_training,
    usable_unlabelled,
)
from automedsam.training.trainer import Trainer
from repository import ROOT
from training_fixtures import OBJECT, TrainingFixtures

TWO_CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])


def create(
    material: TrainingFixtures, pseudo_labels: Path, prompting: Prompting, **changes: Any
) -> Trainer:
    params = load_params(TrainParams, {"prompting": prompting, **changes}, ROOT)
    inputs = material.context(AutoMedSAM(material.weights, prompting)).inputs
    return create_trainer(params, inputs, OBJECT, pseudo_labels, choose_compute("cpu", False))


def test_direct_prompting_creates_a_direct_recipe(material: TrainingFixtures) -> None:
    changes = {"lambda_pseudo": 0.5, "lambda_box": 0.3, "batch_size": 3, "seed": 4}
    trainer = create(material, material.pseudo_labels, "direct", **changes)
    assert type(trainer.recipe) is DirectRecipe
    assert (trainer.recipe.lambda_pseudo, trainer.recipe.lambda_box) == (0.5, 0.3)
    assert (trainer.context.batch_size, trainer.context.seed) == (3, 4)
    assert trainer.context.pseudo_labels == material.pseudo_labels
    assert trainer.context.classes == OBJECT


def test_locate_creates_a_locating_recipe(material: TrainingFixtures) -> None:
    changes = {"steps_per_epoch": 7, "views": 2, "augmentations": ["flip"], "batch_size": 3}
    trainer = create(material, material.pseudo_labels, "locate", **changes)
    assert type(trainer.recipe) is LocatingRecipe
    assert (trainer.recipe.steps_per_epoch, trainer.recipe.views.count) == (7, 2)
    assert trainer.recipe.views.augmentations == ["flip"]
    assert trainer.context.batch_size == 3
    assert trainer.context.pseudo_labels == material.pseudo_labels


def test_without_augmentations_no_embedded_view_is_used(material: TrainingFixtures) -> None:
    trainer = create(material, material.pseudo_labels, "locate", views=2, augmentations=[])
    assert isinstance(trainer.recipe, LocatingRecipe)
    assert trainer.recipe.views.count == 0


def test_the_box_losses_have_the_parameters(material: TrainingFixtures) -> None:
    changes = {"lambda_tightness": 0.5, "size_lower": 0.25, "box_margin": 2}
    criterion = create(material, material.pseudo_labels, "direct", **changes).context.criterion
    assert (criterion.lambda_tightness, criterion.box_margin) == (0.5, 2)
    assert criterion.size_bounds[0] == 0.25


def test_only_locate_requires_pseudo_labels(material: TrainingFixtures, tmp_path: Path) -> None:
    folder = tmp_path / "empty"
    with pytest.raises(InputError, match="no pseudo-label of class object fits its box"):
        create(material, folder, "locate")
    create(material, folder, "direct")


def test_a_missing_pseudo_label_of_a_single_class_is_reported(tmp_path: Path) -> None:
    folder = tmp_path / "pseudo_labels"
    with pytest.raises(
        InputError,
        match=r"pseudo_labels: no pseudo-label .* set prompting: direct with lambda_pseudo: 0$",
    ):
        check_pseudo_labels(folder, OBJECT)
    write_image(folder / "a.png", np.zeros((4, 4), np.uint8))
    check_pseudo_labels(folder, OBJECT)


def test_each_of_several_classes_requires_a_pseudo_label(tmp_path: Path) -> None:
    folder = tmp_path / "pseudo_labels"
    write_image(folder / "1/a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(
        InputError,
        match=r"pseudo_labels.2: no pseudo-label of class spleen .* leave it out of class_ids$",
    ):
        check_pseudo_labels(folder, TWO_CLASSES)
    write_image(folder / "2/a.png", np.zeros((4, 4), np.uint8))
    check_pseudo_labels(folder, TWO_CLASSES)


def test_the_header_describes_the_training(material: TrainingFixtures, tmp_path: Path) -> None:
    preparation = tmp_path / "preparation.json"
    preparation.write_text('{"slice_axis": "auto"}', encoding="utf-8")
    params = load_params(TrainParams, {"prompt_source": "image", "epochs": 3}, ROOT)
    compute = choose_compute("cpu", False)
    header = describe_training(params, material.weights, compute, TWO_CLASSES, preparation)
    assert header.classes == TWO_CLASSES
    assert header.weights_sha256 == material.weights.sha256()
    assert header.weights_licence == material.weights.backbone.licence
    assert header.weights_training_data == material.weights.backbone.training_data
    assert (header.prompting, header.prompt_source) == ("locate", "image")
    assert header.precision == compute.precision
    assert header.preparation == {"slice_axis": "auto"}
    assert header.params["epochs"] == 3
    assert ModelHeader.model_validate(json.loads(header.model_dump_json())) == header


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({}, "sam_tiny"),
        ({"dataset": "hc18"}, "lite_medsam"),
        ({"dataset": "hc18", "backbone": "sam_vit_b"}, "sam_vit_b"),
    ],
)
def test_the_header_names_the_backbone_that_was_used(
    material: TrainingFixtures, tmp_path: Path, changes: dict[str, str], name: str
) -> None:
    preparation = tmp_path / "preparation.json"
    preparation.write_text("{}", encoding="utf-8")
    params = load_params(TrainParams, changes, ROOT)
    compute = choose_compute("cpu", False)
    header = describe_training(params, material.weights, compute, OBJECT, preparation)
    assert header.backbone == name
    assert header.params["backbone"] == changes.get("backbone", "auto")


def fold_case(name: str, group: str) -> Case:
    return Case(name, group, "train", 8, 8, {SINGLE_CLASS_VALUE: ()})


def test_unlabelled_cases_are_used_if_every_fold_leaves_some(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folds = [[fold_case("a", "p")], [fold_case("b", "q")]]
    mixed = [fold_case("u", "p"), fold_case("v", "q")]
    assert usable_unlabelled(mixed, folds) == mixed
    assert usable_unlabelled(mixed[:1], []) == mixed[:1]
    assert usable_unlabelled([], folds) == []
    assert caplog.messages == []


def test_without_unlabelled_cases_for_a_fold_there_is_no_self_training(
    caplog: pytest.LogCaptureFixture,
) -> None:
    folds = [[fold_case("a", "p")], [fold_case("b", "q")]]
    assert usable_unlabelled([fold_case("u", "p")], folds) == []
    (message,) = caplog.messages
    assert message.startswith("no self-training: all unlabelled images are in the groups of a fold")
