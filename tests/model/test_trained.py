"""A trained PromptModule as a file, and the folder that an unfinished training leaves."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass, to_json
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locators import SIDE
from automedsam.model.trained import load_model, trained_classes
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import save_tensors
from automedsam.training.resume import TrainingFolder
from training_fixtures import OBJECT

CPU = torch.device("cpu")


def save(
    path: Path, weights: Weights, classes: Sequence[ObjectClass] = OBJECT, **kind: Any
) -> AutoMedSAM:
    """A model of some kind, saved as training does."""
    model = AutoMedSAM(weights, **kind, classes=len(classes))
    header = {"prompting": "locate", "prompt_source": "both", "sparse_prompt": "box", **kind}
    header |= {"weights": weights.sha256(), "classes": to_json(classes)}
    save_tensors(path, model.prompt_module.state_dict(), header)
    return model.eval()


@pytest.mark.parametrize(
    "kind",
    [{"prompting": "direct", "sparse_prompt": sparse} for sparse in ("box", "point", "tokens")]
    + [{"prompt_source": source} for source in ("embedding", "image", "both")],
)
def test_a_saved_model_answers_as_before(
    tiny_weights: Weights, tmp_path: Path, kind: dict[str, str]
) -> None:
    model = save(tmp_path / "module.safetensors", tiny_weights, **kind)
    loaded = load_model(tmp_path / "module.safetensors", tiny_weights, CPU)
    given = torch.randn(2, 32, 8, 8), torch.rand(2, 3, SIDE, SIDE)
    assert not loaded.training
    assert torch.equal(loaded(*given)[0], model(*given)[0])


def test_a_model_of_several_classes_has_a_mask_of_each(
    tiny_weights: Weights, tmp_path: Path
) -> None:
    model = save(
        tmp_path / "module.safetensors",
        tiny_weights,
        [ObjectClass("liver", 1), ObjectClass("spleen", 2)],
    )
    loaded = load_model(tmp_path / "module.safetensors", tiny_weights, CPU)
    given = torch.randn(2, 32, 8, 8), torch.rand(2, 3, SIDE, SIDE)
    assert loaded(*given)[0].shape == (2, 2, 32, 32)
    assert torch.equal(loaded(*given)[0], model(*given)[0])


def test_a_model_tells_what_it_looks_for(tiny_weights: Weights, tmp_path: Path) -> None:
    classes = [ObjectClass("spleen", 2), ObjectClass("liver", 1)]
    save(tmp_path / "module.safetensors", tiny_weights, classes)
    assert trained_classes(tmp_path / "module.safetensors") == classes


def test_a_model_that_does_not_tell_its_classes_is_refused(
    tiny_weights: Weights, tmp_path: Path
) -> None:
    save_tensors(
        tmp_path / "old.safetensors", {}, {"weights": tiny_weights.sha256(), "prompting": "locate"}
    )
    with pytest.raises(
        InputError, match=r"old\.safetensors: .* how and what it prompts, found an older"
    ):
        load_model(tmp_path / "old.safetensors", tiny_weights, CPU)


def test_a_model_is_refused_on_other_weights(
    tiny_weights: Weights, other_weights: Weights, tmp_path: Path
) -> None:
    save(tmp_path / "module.safetensors", tiny_weights)
    expected = rf"module\.safetensors: expected the weights with sha256 {tiny_weights.sha256()}, found .*other\.pth"
    with pytest.raises(InputError, match=expected):
        load_model(tmp_path / "module.safetensors", other_weights, CPU)


def test_a_model_on_a_copy_of_its_weights_is_accepted(
    tiny_weights: Weights, tmp_path: Path
) -> None:
    save(tmp_path / "module.safetensors", tiny_weights)
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    load_model(tmp_path / "module.safetensors", Weights("sam_test", copy), CPU)


@pytest.mark.parametrize("content", [None, b"", b"no model at all"])
def test_a_file_that_is_no_model_is_refused(
    tiny_weights: Weights, tmp_path: Path, content: bytes | None
) -> None:
    path = tmp_path / "module.safetensors"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(InputError, match=r"module\.safetensors: expected .*dvc repro"):
        load_model(path, tiny_weights, CPU)


def test_an_embedding_is_refused_as_a_model(
    tiny_weights: Weights, embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    with pytest.raises(InputError, match=r"a\.safetensors: expected"):
        load_model(embeddings.path(cases[0]), tiny_weights, CPU)


def test_a_training_folder_keeps_the_last_state(tmp_path: Path) -> None:
    folder = TrainingFolder(tmp_path, {"seed": "0"})
    assert folder.load_state() is None
    for epoch in (1, 2):
        folder.save_state(
            {"history": [{"epoch": epoch}], "best": {"weight": torch.full((2,), float(epoch))}}
        )
    state = TrainingFolder(tmp_path, {"seed": "0"}).load_state()
    assert state is not None
    assert state["history"] == [{"epoch": 2}]
    assert state["best"]["weight"].tolist() == [2, 2]


def test_a_training_is_not_taken_up_by_another(tmp_path: Path) -> None:
    TrainingFolder(tmp_path, {"seed": "0", "sources": "abc"}).save_state({"history": []})
    assert TrainingFolder(tmp_path, {"sources": "abc", "seed": "0"}).load_state() is not None
    assert TrainingFolder(tmp_path, {"seed": "1", "sources": "abc"}).load_state() is None
    assert TrainingFolder(tmp_path, {"seed": "0", "sources": "abd"}).load_state() is None


def test_a_finished_training_replaces_the_output_and_is_forgotten(tmp_path: Path) -> None:
    output = tmp_path / "model"
    output.mkdir()
    (output / "old.safetensors").write_text("old")
    folder = TrainingFolder(tmp_path / "cache", {"seed": "0"})
    (folder.results / "new.safetensors").write_text("new")
    folder.save_state({"history": []})
    folder.finish(output)
    assert {path.name: path.read_text() for path in output.iterdir()} == {"new.safetensors": "new"}
    assert not folder.root.exists()
    assert TrainingFolder(tmp_path / "cache", {"seed": "0"}).load_state() is None


def test_a_finished_training_leaves_the_others(tmp_path: Path) -> None:
    other = TrainingFolder(tmp_path / "cache", {"seed": "1"})
    other.save_state({"history": [{"epoch": 3}]})
    TrainingFolder(tmp_path / "cache", {"seed": "0"}).finish(tmp_path / "model")
    assert other.load_state() == {"history": [{"epoch": 3}]}
