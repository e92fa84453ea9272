"""The train stage's choices: which training is run, and what it takes as the same training."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import write_image
from automedsam.runtime.params import load_params
from automedsam.runtime.paths import IMAGES, PSEUDO_LABELS
from automedsam.training.direct import DirectTraining
from automedsam.training.locating import LocatingTraining
from repository import STAGES
from train import check_labels, create_training, files_of
from training_fixtures import OBJECT, TrainingFixtures


@pytest.mark.parametrize(
    ("prompting", "kind", "read"),
    [
        ("direct", DirectTraining, {"lambda_pseudo": 0.5, "lambda_box": 0.3, "batch_size": 3}),
        (
            "locate",
            LocatingTraining,
            {"steps_per_epoch": 7, "views": 2, "augmentations": ["flip"], "batch_size": 3},
        ),
    ],
)
def test_the_training_is_the_one_that_is_asked_for(
    material: TrainingFixtures, prompting: Any, kind: type, read: dict[str, Any]
) -> None:
    params = load_params("train", STAGES.parent, {"prompting": prompting, **read})
    model = AutoMedSAM(material.weights, prompting)
    training = create_training(
        model, choose_compute("cpu", False), material.set_up(model).inputs, OBJECT, 2, params
    )
    assert type(training) is kind
    assert {key: getattr(training, key) for key in read} == read
    assert training.pseudo_labels == PSEUDO_LABELS


def test_a_training_hangs_on_image_label_and_views_of_its_cases(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(PSEUDO_LABELS / "a.png", np.zeros(cases[0].image_size, np.uint8))
    embeddings = material.embeddings
    of_a, of_b, of_d = (files_of(cases[index], OBJECT, embeddings, views=2) for index in (0, 1, 3))
    assert of_a == [
        IMAGES / "a.png",
        PSEUDO_LABELS / "a.png",
        *(embeddings.path(cases[0], n) for n in range(3)),
    ]
    assert of_b == [
        IMAGES / "b.png",
        *(embeddings.path(cases[1], n) for n in range(3)),
    ]  # its label was dropped
    assert of_d == [IMAGES / "d.png", embeddings.path(cases[3])]  # there to validate with


def test_with_no_pseudo_label_at_all_nothing_can_be_located(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"pseudo_labels: expected a pseudo-label that fits its box, found none"
    ):
        check_labels("locate", OBJECT)
    check_labels("direct", OBJECT)
    write_image(PSEUDO_LABELS / "a.png", np.zeros((4, 4), np.uint8))
    check_labels("locate", OBJECT)


SEVERAL = [ObjectClass("liver", 1), ObjectClass("spleen", 2)]


def test_each_class_wants_a_pseudo_label(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_image(PSEUDO_LABELS / "1/a.png", np.zeros((4, 4), np.uint8))
    with pytest.raises(
        InputError, match=r"pseudo_labels.2: expected a pseudo-label that fits its box, found none"
    ):
        check_labels("locate", SEVERAL)
    write_image(PSEUDO_LABELS / "2/a.png", np.zeros((4, 4), np.uint8))
    check_labels("locate", SEVERAL)


def test_a_training_hangs_on_the_labels_of_all_classes(
    material: TrainingFixtures, cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for value in (1, 2):
        write_image(PSEUDO_LABELS / f"{value}/a.png", np.zeros(cases[0].image_size, np.uint8))
    read = files_of(cases[0], SEVERAL, material.embeddings, views=0)
    assert read == [
        IMAGES / "a.png",
        *(PSEUDO_LABELS / f"{n}/a.png" for n in (1, 2)),
        material.embeddings.path(cases[0]),
    ]
