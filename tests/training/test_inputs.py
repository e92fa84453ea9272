"""Inputs of the model: embeddings, and thumbnails if the prompter uses images."""

from pathlib import Path

import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.runtime.image_files import read_image
from automedsam.runtime.options import PromptSource
from automedsam.training.inputs import CaseInputs

CPU = torch.device("cpu")


@pytest.mark.parametrize("source", ["image", "both"])
def test_inputs_come_in_the_order_of_the_cases(
    tiny_weights: Weights,
    embeddings: EmbeddingFolder,
    images: Path,
    cases: list[Case],
    source: PromptSource,
) -> None:
    model = AutoMedSAM(tiny_weights, "locate", source)
    batch = [cases[3], cases[0]]
    loaded, thumbnails = CaseInputs(model, embeddings, images, CPU).load(batch)
    assert torch.equal(loaded, embeddings.load(batch, CPU))
    assert thumbnails is not None
    assert thumbnails.shape == (2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    for thumbnail, case in zip(thumbnails, batch, strict=True):
        assert torch.equal(thumbnail, model.thumbnail(read_image(images / f"{case.name}.png")))


def test_images_that_the_prompter_does_not_use_are_not_read(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case], tmp_path: Path
) -> None:
    for model in (
        AutoMedSAM(tiny_weights, "direct"),
        AutoMedSAM(tiny_weights, "locate", "embedding"),
    ):
        inputs = CaseInputs(model, embeddings, tmp_path / "missing", CPU)
        loaded, thumbnails = inputs.load(cases[:2])
        assert loaded.shape == (2, 32, 8, 8)
        assert thumbnails is None


def test_a_thumbnail_is_computed_once(
    tiny_weights: Weights, embeddings: EmbeddingFolder, images: Path, cases: list[Case]
) -> None:
    inputs = CaseInputs(AutoMedSAM(tiny_weights), embeddings, images, CPU)
    _, first = inputs.load(cases)
    for case in cases:
        (images / f"{case.name}.png").unlink()
    _, second = inputs.load(cases)
    assert first is not None
    assert second is not None
    assert torch.equal(first, second)
