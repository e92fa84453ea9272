"""Tests of a trained model as a file: its header, and loading it for inference."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.trained import ModelHeader, load_model, read_header
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import load_header, save_tensors
from saved_models import make_header
from training_fixtures import OBJECT

CPU = torch.device("cpu")
NOT_A_MODEL = r"not a model of this version of automedsam; train it again: run `dvc repro`"


def new_header(weights: Weights, classes: Classes = OBJECT, **changes: Any) -> ModelHeader:
    """A header with content in each field."""
    content = {
        "preparation": {"size": 256, "window": None},
        "params": {"epochs": 3, "class_ids": None},
    }
    return make_header(weights, classes, **content | changes)


def save(path: Path, weights: Weights, classes: Classes = OBJECT, **kind: Any) -> AutoMedSAM:
    """Save a model of some kind as training does, and return it."""
    model = AutoMedSAM(weights, **kind, classes=len(classes))
    header = new_header(weights, classes, **kind)
    save_tensors(path, model.prompter.state_dict(), header.model_dump())
    return model.eval()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "module.safetensors"


@pytest.fixture
def inputs() -> tuple[torch.Tensor, torch.Tensor]:
    """Embeddings and thumbnails of two images."""
    return torch.randn(2, 32, 8, 8), torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)


@pytest.mark.parametrize(
    "kind",
    [{"prompting": "direct", "sparse_prompt": sparse} for sparse in ("box", "point", "tokens")]
    + [{"prompt_source": source} for source in ("embedding", "image", "both")],
)
def test_a_loaded_model_predicts_as_the_saved_one(
    tiny_weights: Weights,
    path: Path,
    inputs: tuple[torch.Tensor, torch.Tensor],
    kind: dict[str, str],
) -> None:
    model = save(path, tiny_weights, **kind)
    loaded = load_model(path, tiny_weights, CPU)
    assert not loaded.training
    assert torch.equal(loaded(*inputs)[0], model(*inputs)[0])


def test_a_loaded_model_has_a_mask_for_each_class(
    tiny_weights: Weights, path: Path, inputs: tuple[torch.Tensor, torch.Tensor]
) -> None:
    classes = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 2)])
    model = save(path, tiny_weights, classes)
    loaded = load_model(path, tiny_weights, CPU)
    assert loaded(*inputs)[0].shape == (2, 2, 32, 32)
    assert torch.equal(loaded(*inputs)[0], model(*inputs)[0])


def test_classes_of_the_header_keep_their_order(tiny_weights: Weights, path: Path) -> None:
    classes = Classes([ObjectClass('left, "upper"', 2), ObjectClass("liver", 1)])
    save(path, tiny_weights, classes)
    assert read_header(path).classes == classes


def test_read_header_returns_the_saved_header(tiny_weights: Weights, path: Path) -> None:
    changes: dict[str, Any] = {"medsam_checkpoint": None, "use_amp": True, "precision": "bfloat16"}
    header = new_header(tiny_weights, **changes)
    save_tensors(path, {}, header.model_dump())
    restored = read_header(path)
    assert restored == header
    assert restored.version == 2
    assert restored.medsam_checkpoint is None
    assert restored.use_amp is True


@pytest.mark.parametrize(
    "changes",
    [
        {"version": 1},
        {"version": 3},
        {"prompting": "guess"},
        {"prompt_source": None},
        {"class_values": [("liver",)]},
        {"unknown": "value"},
    ],
)
def test_a_header_rejects_invalid_and_unknown_values(
    tiny_weights: Weights, path: Path, changes: dict[str, Any]
) -> None:
    with pytest.raises(ValidationError):
        new_header(tiny_weights, **changes)
    save_tensors(path, {}, new_header(tiny_weights).model_dump() | changes)
    with pytest.raises(InputError, match=rf"module\.safetensors: {NOT_A_MODEL}"):
        read_header(path)


@pytest.mark.parametrize("key", sorted(set(ModelHeader.model_fields) - {"version"}))
def test_a_header_with_a_missing_value_is_rejected(
    tiny_weights: Weights, path: Path, key: str
) -> None:
    save(path, tiny_weights)
    header = load_header(path)
    del header[key]
    save_tensors(path, {}, header)
    with pytest.raises(InputError, match=rf"module\.safetensors: {NOT_A_MODEL}"):
        load_model(path, tiny_weights, CPU)


def test_a_model_of_an_older_version_is_rejected(tiny_weights: Weights, path: Path) -> None:
    save_tensors(path, {}, {"weights": tiny_weights.sha256(), "prompting": "locate"})
    with pytest.raises(InputError, match=rf"module\.safetensors: {NOT_A_MODEL}"):
        load_model(path, tiny_weights, CPU)


def test_a_model_is_rejected_with_other_weights_of_the_backbone(
    tiny_weights: Weights, other_weights: Weights, path: Path
) -> None:
    save(path, tiny_weights)
    fault = (
        rf"module\.safetensors: .* backbone weights of SHA-256 {tiny_weights.sha256()}, "
        rf"but .*other\.pth has {other_weights.sha256()}"
    )
    with pytest.raises(InputError, match=fault):
        load_model(path, other_weights, CPU)


def test_a_model_is_accepted_with_a_copy_of_its_weights(
    tiny_weights: Weights, path: Path, tmp_path: Path
) -> None:
    save(path, tiny_weights)
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    load_model(path, Weights("sam_test", copy), CPU)


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_a_missing_or_damaged_file_is_reported(
    tiny_weights: Weights, path: Path, content: bytes | None
) -> None:
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"module\.safetensors: .*dvc repro"):
        load_model(path, tiny_weights, CPU)


def test_an_embedding_is_rejected_as_a_model(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    with pytest.raises(InputError, match=rf"a\.safetensors: {NOT_A_MODEL}"):
        load_model(embeddings.path(cases[0]), tiny_weights, CPU)
