"""What the model is given of a case: embeddings in order, and thumbnails where images are looked at."""

from pathlib import Path

import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locators import SIDE
from automedsam.runtime.image_files import read_image
from automedsam.runtime.options import PromptSource
from automedsam.training.inputs import CaseInputs

CPU = torch.device("cpu")


def inputs_of(model: AutoMedSAM, embeddings: EmbeddingFolder, images: Path) -> CaseInputs:
    return CaseInputs(model, embeddings, images, CPU)


@pytest.mark.parametrize("source", ["image", "both"])
def test_embeddings_and_thumbnails_come_in_the_order_of_the_cases(
    tiny_weights: Weights,
    embeddings: EmbeddingFolder,
    images: Path,
    cases: list[Case],
    source: PromptSource,
) -> None:
    model = AutoMedSAM(tiny_weights, "locate", source)
    asked = [cases[3], cases[0]]
    found, thumbnails = inputs_of(model, embeddings, images).load(asked)
    assert torch.equal(found, embeddings.load(asked, CPU))
    assert thumbnails is not None
    assert thumbnails.shape == (2, 3, SIDE, SIDE)
    for thumbnail, case in zip(thumbnails, asked, strict=True):
        assert torch.equal(thumbnail, model.thumbnail(read_image(images / f"{case.name}.png")))


def test_images_that_nothing_looks_at_are_not_read(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], tmp_path: Path
) -> None:
    for model in (
        AutoMedSAM(tiny_weights, "direct"),
        AutoMedSAM(tiny_weights, "locate", "embedding"),
    ):
        found, thumbnails = inputs_of(model, embeddings, tmp_path / "none").load(cases[:2])
        assert found.shape == (2, 32, 8, 8)
        assert thumbnails is None


def test_a_thumbnail_is_made_once(
    tiny_weights: Weights, embeddings: EmbeddingFolder, images: Path, cases: list[Case]
) -> None:
    inputs = inputs_of(AutoMedSAM(tiny_weights), embeddings, images)
    _, first = inputs.load(cases)
    for case in cases:
        (images / f"{case.name}.png").unlink()
    _, again = inputs.load(cases)
    assert first is not None
    assert again is not None
    assert torch.equal(first, again)
