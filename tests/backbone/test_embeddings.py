"""Embeddings on disk: found again by all that made them, and refused by any other backbone."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from automedsam.backbone.architectures import BACKBONES
from automedsam.backbone.embeddings import (
    FORMAT,
    EmbeddingFolder,
    EmbeddingStore,
    describe_encoder,
    embedding_path,
    link_or_copy,
)
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.quantization import pack, unpack
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.tensors import load_header, load_tensors

CPU = torch.device("cpu")


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    path = tmp_path / "picture.png"
    path.write_bytes(b"pixels")
    return path


def store_path(
    weights: Weights, image: Path, precision: str = "float32", dtype: str = "float16"
) -> Path:
    return EmbeddingStore(Path("store"), describe_encoder(weights, dtype), precision).path(image)


def test_an_embedding_is_found_by_the_images_content(
    tiny_weights: Weights, picture: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(b"pixels")
    stored = store_path(tiny_weights, picture)
    assert store_path(tiny_weights, copy) == stored
    copy.write_bytes(b"other pixels")
    assert store_path(tiny_weights, copy) != stored


def test_an_embedding_is_found_by_the_weights_content(
    tiny_weights: Weights, other_weights: Weights, picture: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    stored = store_path(tiny_weights, picture)
    assert store_path(Weights("sam_test", copy), picture) == stored
    assert store_path(other_weights, picture) != stored


@pytest.mark.parametrize(
    "change",
    [{"kind": "sam"}, {"size": 128}, {"mean": (0.4, 0.4, 0.5)}, {"std": (0.25, 0.2, 0.25)}],
)
def test_an_embedding_is_found_by_the_preprocessing(
    tiny_weights: Weights, picture: Path, change: dict[str, object]
) -> None:
    stored = store_path(tiny_weights, picture)
    preprocessing = replace(tiny_weights.backbone.preprocessing, **change)
    tiny_weights.backbone = replace(tiny_weights.backbone, preprocessing=preprocessing)
    assert store_path(tiny_weights, picture) != stored


def test_an_embedding_is_found_by_its_precision(tiny_weights: Weights, picture: Path) -> None:
    assert store_path(tiny_weights, picture, "bfloat16") != store_path(
        tiny_weights, picture, "float32"
    )


def test_an_embedding_is_found_by_the_type_that_it_is_stored_in(
    tiny_weights: Weights, picture: Path
) -> None:
    assert store_path(tiny_weights, picture, dtype="int8") != store_path(tiny_weights, picture)


def test_a_view_is_stored_apart_from_the_image_and_from_other_views(
    tiny_weights: Weights, picture: Path
) -> None:
    store = EmbeddingStore(Path("store"), describe_encoder(tiny_weights, "float16"), "float32")
    assert store.path(picture, "") == store.path(picture)
    assert len({store.path(picture, view) for view in ("", "one", "other")}) == 3
    assert store.path(picture, "one") == store.path(picture, "one")


def test_views_lie_in_folders_of_their_own(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    folder = embeddings.folder
    assert embedding_path(folder, "a", 0) == embeddings.path(cases[0]) == folder / "a.safetensors"
    assert (
        embedding_path(folder, "a", 2)
        == embeddings.path(cases[0], 2)
        == folder / "views/2/a.safetensors"
    )


def test_views_are_loaded_as_they_are_asked_for(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    loaded = embeddings.load([cases[0], cases[1], cases[0]], CPU, [2, 0, 1])
    for found, case, view in zip(loaded, (cases[0], cases[1], cases[0]), (2, 0, 1), strict=True):
        assert torch.equal(found, load_tensors(embeddings.path(case, view))["embedding"].float())
    assert not torch.equal(loaded[0], loaded[2])


def test_check_looks_at_every_view_that_is_used(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    embeddings.check(cases[:3], 2)
    with pytest.raises(
        InputError, match=r"views/3/a\.safetensors: expected a file that this pipeline wrote"
    ):
        embeddings.check(cases[:3], 3)
    embeddings.path(cases[1], 2).unlink()
    embeddings.check(cases[:3], 1)
    with pytest.raises(
        InputError, match=r"views/2/b\.safetensors: expected a file that this pipeline wrote"
    ):
        embeddings.check(cases[:3], 2)


def test_check_refuses_views_of_other_weights(
    embeddings: EmbeddingFolder, other_weights: Weights, cases: list[Case], tmp_path: Path
) -> None:
    other = EmbeddingStore(tmp_path, describe_encoder(other_weights, "float16"), "float32")
    other.write(embeddings.path(cases[2], 1), torch.zeros(32, 8, 8).half())
    with pytest.raises(
        InputError, match=r"views/1/c\.safetensors: expected an embedding with weights"
    ):
        embeddings.check(cases[:3], 2)


def test_a_stored_embedding_is_fp16_and_says_what_made_it(
    tiny_weights: Weights, picture: Path, tmp_path: Path
) -> None:
    store = EmbeddingStore(
        tmp_path / "store", describe_encoder(tiny_weights, "float16"), "bfloat16"
    )
    embedding = torch.randn(32, 8, 8).half()
    store.write(store.path(picture), embedding)
    stored = load_tensors(store.path(picture))["embedding"]
    assert stored.dtype == torch.float16
    assert torch.equal(stored, embedding.half())
    header = load_header(store.path(picture))
    assert header == {**describe_encoder(tiny_weights, "float16"), "precision": "bfloat16"}
    assert header["weights"] == tiny_weights.sha256()
    assert header["backbone"] == "sam_test"


def test_an_embedding_stored_in_int8_says_so_and_comes_back_in_fp32_from_half_of_the_space(
    tiny_weights: Weights, picture: Path, cases: list[Case], tmp_path: Path
) -> None:
    embedding = torch.randn(32, 8, 8).half()
    sizes = {}
    for dtype in ("float16", "int8"):
        folder = EmbeddingFolder(tmp_path / dtype, tiny_weights, dtype)
        path = folder.path(cases[0])
        EmbeddingStore(tmp_path / "store", folder.encoder, "float32").write(path, embedding)
        folder.check(cases[:1])
        assert load_header(path)["embedding_dtype"] == dtype
        sizes[dtype] = sum(value.nbytes for value in load_tensors(path).values())
    assert sizes == {"float16": 32 * 8 * 8 * 2, "int8": 32 * 8 * 8 + 32 * 4}
    loaded = folder.load(cases[:1], CPU)
    assert loaded.dtype == torch.float32
    assert torch.equal(loaded[0], unpack(pack(embedding, "int8")))


def test_embeddings_come_in_the_order_of_the_cases_in_fp32(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    forwards, backwards = embeddings.load(cases[:2], CPU), embeddings.load(cases[1::-1], CPU)
    assert forwards.shape == (2, 32, 8, 8)
    assert forwards.dtype == torch.float32
    assert torch.equal(forwards, backwards.flip(0))
    assert not torch.equal(forwards[0], forwards[1])


def test_check_accepts_what_this_backbone_embedded(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    embeddings.check(cases)


def test_check_refuses_embeddings_of_other_weights(
    embeddings: EmbeddingFolder, other_weights: Weights, cases: list[Case]
) -> None:
    with pytest.raises(
        InputError, match=r"a\.safetensors: expected an embedding with weights [0-9a-f]{64}, found"
    ):
        EmbeddingFolder(embeddings.folder, other_weights, "float16").check(cases)


def test_check_refuses_embeddings_of_another_backbone(
    embeddings: EmbeddingFolder,
    tiny_weights: Weights,
    cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(BACKBONES, "sam_twin", tiny_weights.backbone)
    twin = EmbeddingFolder(embeddings.folder, Weights("sam_twin", tiny_weights.path), "float16")
    with pytest.raises(
        InputError, match=r"a\.safetensors: .* backbone sam_twin, found sam_test; run `dvc repro"
    ):
        twin.check(cases)


def test_check_refuses_embeddings_of_another_preprocessing(
    embeddings: EmbeddingFolder,
    tiny_weights: Weights,
    cases: list[Case],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    padded = replace(tiny_weights.backbone.preprocessing, kind="sam")
    monkeypatch.setitem(BACKBONES, "sam_test", replace(tiny_weights.backbone, preprocessing=padded))
    folder = EmbeddingFolder(embeddings.folder, Weights("sam_test", tiny_weights.path), "float16")
    with pytest.raises(
        InputError, match=r'a\.safetensors: .* preprocessing .*"sam".*, found .*"medsam"'
    ):
        folder.check(cases)


def test_check_refuses_embeddings_stored_in_another_type(
    embeddings: EmbeddingFolder, tiny_weights: Weights, cases: list[Case]
) -> None:
    with pytest.raises(
        InputError, match=r"a\.safetensors: .* embedding_dtype int8, found float16; run `dvc repro"
    ):
        EmbeddingFolder(embeddings.folder, tiny_weights, "int8").check(cases)


def test_check_looks_at_every_case(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    embeddings.path(cases[-1]).unlink()
    with pytest.raises(
        InputError, match=r"e\.safetensors: expected a file that this pipeline wrote.*dvc repro"
    ):
        embeddings.check(cases)


def no_header(path: Path) -> None:
    save_file({"embedding": torch.zeros(32, 8, 8)}, path)


@pytest.mark.parametrize(
    "spoil",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"no embedding at all"), id="garbage"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-100]), id="cut short"),
        pytest.param(no_header, id="no header"),
    ],
)
def test_check_refuses_a_file_that_is_no_embedding(
    embeddings: EmbeddingFolder, cases: list[Case], spoil: Callable[[Path], object]
) -> None:
    path = embeddings.path(cases[1])
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    spoil(path)
    with pytest.raises(
        InputError, match=r"b\.safetensors: expected a file that this pipeline wrote"
    ):
        embeddings.check(cases)


def test_a_link_is_the_stored_file(picture: Path, tmp_path: Path) -> None:
    link_or_copy(picture, tmp_path / "linked.png")
    assert (tmp_path / "linked.png").samefile(picture)


def test_a_copy_takes_the_place_of_a_link_where_there_are_none(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(picture, tmp_path / "copied.png")
    assert (tmp_path / "copied.png").read_bytes() == b"pixels"
    assert not (tmp_path / "copied.png").samefile(picture)


def test_format_is_counted_up_when_an_embedding_changes() -> None:
    """If these numbers move, the encoder or its preprocessing did: count FORMAT up, then write the new ones here."""
    encoder = Encoder(Weights("sam_tiny"), Compute(CPU, torch.float32))
    embedding = encoder(draw_phantom(np.random.default_rng(0)).image).float()
    assert FORMAT == "2"
    assert embedding.std().item() == pytest.approx(0.9645, abs=2e-3)
    assert embedding[:3, 7, 9].tolist() == pytest.approx([0.7446, -1.3859, 0.2629], abs=2e-3)


def test_pruning_leaves_what_is_in_use_and_what_is_linked_to(
    tiny_weights: Weights, other_weights: Weights, tmp_path: Path
) -> None:
    """The store loses an image that is not in use and another encoder's; a link to one of them is a file of its own."""
    images = [tmp_path / f"{name}.png" for name in "ab"]
    for image in images:
        image.write_bytes(image.name.encode())
    store, other = (
        EmbeddingStore(tmp_path / "store", describe_encoder(weights, "float16"), "float32")
        for weights in (tiny_weights, other_weights)
    )
    kept, gone, of_other = store.path(images[0]), store.path(images[1]), other.path(images[0])
    for path in (kept, gone, of_other):
        store.write(path, torch.zeros(32, 8, 8, dtype=torch.float16))
    linked = tmp_path / "linked.safetensors"
    link_or_copy(gone, linked)
    expected = gone.stat().st_size + of_other.stat().st_size

    assert store.prune([kept]) == (2, expected)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == [kept]
    assert not of_other.parent.exists()
    assert load_tensors(linked)["embedding"].shape == (32, 8, 8)
    assert store.prune([kept]) == (0, 0)


def test_pruning_where_nothing_was_ever_stored_drops_nothing(
    tiny_weights: Weights, tmp_path: Path
) -> None:
    nowhere = EmbeddingStore(
        tmp_path / "none", describe_encoder(tiny_weights, "float16"), "float32"
    )
    assert nowhere.prune([]) == (0, 0)
