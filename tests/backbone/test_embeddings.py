"""Embeddings on disk: their addresses, their headers, and rejected embeddings."""

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from automedsam.backbone.backbones import BACKBONES
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


def test_path_depends_on_the_content_of_the_image(
    tiny_weights: Weights, picture: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.png"
    copy.write_bytes(b"pixels")
    stored = store_path(tiny_weights, picture)
    assert store_path(tiny_weights, copy) == stored
    copy.write_bytes(b"other pixels")
    assert store_path(tiny_weights, copy) != stored


def test_path_depends_on_the_content_of_the_weights(
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
def test_path_depends_on_the_preprocessing(
    tiny_weights: Weights, picture: Path, change: dict[str, object]
) -> None:
    stored = store_path(tiny_weights, picture)
    preprocessing = replace(tiny_weights.backbone.preprocessing, **change)
    tiny_weights.backbone = replace(tiny_weights.backbone, preprocessing=preprocessing)
    assert store_path(tiny_weights, picture) != stored


def test_path_depends_on_the_precision(tiny_weights: Weights, picture: Path) -> None:
    assert store_path(tiny_weights, picture, "bfloat16") != store_path(
        tiny_weights, picture, "float32"
    )


def test_path_depends_on_the_storage_type(tiny_weights: Weights, picture: Path) -> None:
    assert store_path(tiny_weights, picture, dtype="int8") != store_path(tiny_weights, picture)


def test_path_depends_on_the_view(tiny_weights: Weights, picture: Path) -> None:
    store = EmbeddingStore(Path("store"), describe_encoder(tiny_weights, "float16"), "float32")
    assert store.path(picture, "") == store.path(picture)
    assert len({store.path(picture, view) for view in ("", "one", "other")}) == 3
    assert store.path(picture, "one") == store.path(picture, "one")


def test_views_are_stored_in_separate_folders(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    folder = embeddings.folder
    assert embedding_path(folder, "a", 0) == embeddings.path(cases[0]) == folder / "a.safetensors"
    assert (
        embedding_path(folder, "a", 2)
        == embeddings.path(cases[0], 2)
        == folder / "views/2/a.safetensors"
    )


def test_load_returns_the_given_views(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    loaded = embeddings.load([cases[0], cases[1], cases[0]], CPU, [2, 0, 1])
    for found, case, view in zip(loaded, (cases[0], cases[1], cases[0]), (2, 0, 1), strict=True):
        assert torch.equal(found, load_tensors(embeddings.path(case, view))["embedding"].float())
    assert not torch.equal(loaded[0], loaded[2])


def test_check_covers_every_view_in_use(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    embeddings.check(cases[:3], 2)
    with pytest.raises(InputError, match=r"views/3/a\.safetensors: file not found"):
        embeddings.check(cases[:3], 3)
    embeddings.path(cases[1], 2).unlink()
    embeddings.check(cases[:3], 1)
    with pytest.raises(InputError, match=r"views/2/b\.safetensors: file not found"):
        embeddings.check(cases[:3], 2)


def test_check_rejects_views_of_other_weights(
    embeddings: EmbeddingFolder, other_weights: Weights, cases: list[Case], tmp_path: Path
) -> None:
    other = EmbeddingStore(tmp_path, describe_encoder(other_weights, "float16"), "float32")
    other.write(embeddings.path(cases[2], 1), torch.zeros(32, 8, 8).half())
    with pytest.raises(
        InputError, match=r"views/1/c\.safetensors: expected an embedding with weights"
    ):
        embeddings.check(cases[:3], 2)


def test_stored_embedding_is_fp16_with_a_full_header(
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


def test_int8_embedding_needs_half_the_space_and_loads_as_fp32(
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


def test_load_keeps_the_order_of_the_cases(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    forwards, backwards = embeddings.load(cases[:2], CPU), embeddings.load(cases[1::-1], CPU)
    assert forwards.shape == (2, 32, 8, 8)
    assert forwards.dtype == torch.float32
    assert torch.equal(forwards, backwards.flip(0))
    assert not torch.equal(forwards[0], forwards[1])


def test_check_accepts_embeddings_of_this_backbone(
    embeddings: EmbeddingFolder, cases: list[Case]
) -> None:
    embeddings.check(cases)


def test_check_rejects_embeddings_of_other_weights(
    embeddings: EmbeddingFolder, other_weights: Weights, cases: list[Case]
) -> None:
    with pytest.raises(
        InputError, match=r"a\.safetensors: expected an embedding with weights [0-9a-f]{64}, found"
    ):
        EmbeddingFolder(embeddings.folder, other_weights, "float16").check(cases)


def test_check_rejects_embeddings_of_another_backbone(
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


def test_check_rejects_embeddings_of_another_preprocessing(
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


def test_check_rejects_embeddings_of_another_storage_type(
    embeddings: EmbeddingFolder, tiny_weights: Weights, cases: list[Case]
) -> None:
    with pytest.raises(
        InputError, match=r"a\.safetensors: .* embedding_dtype int8, found float16; run `dvc repro"
    ):
        EmbeddingFolder(embeddings.folder, tiny_weights, "int8").check(cases)


def test_check_covers_every_case(embeddings: EmbeddingFolder, cases: list[Case]) -> None:
    embeddings.path(cases[-1]).unlink()
    with pytest.raises(InputError, match=r"e\.safetensors: file not found.*dvc repro"):
        embeddings.check(cases)


def no_header(path: Path) -> None:
    save_file({"embedding": torch.zeros(32, 8, 8)}, path)


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b""), id="empty"),
        pytest.param(lambda path: path.write_bytes(b"no embedding at all"), id="garbage"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:-100]), id="truncated"),
        pytest.param(no_header, id="no header"),
    ],
)
def test_check_rejects_a_file_that_is_no_embedding(
    embeddings: EmbeddingFolder, cases: list[Case], damage: Callable[[Path], object]
) -> None:
    path = embeddings.path(cases[1])
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content)
    damage(path)
    with pytest.raises(InputError, match=r"b\.safetensors: not a file that this pipeline wrote"):
        embeddings.check(cases)


def test_link_or_copy_links_the_stored_file(picture: Path, tmp_path: Path) -> None:
    link_or_copy(picture, tmp_path / "linked.png")
    assert (tmp_path / "linked.png").samefile(picture)


def test_link_or_copy_copies_if_links_are_not_supported(
    picture: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("Invalid cross-device link")

    monkeypatch.setattr(os, "link", refuse)
    link_or_copy(picture, tmp_path / "copied.png")
    assert (tmp_path / "copied.png").read_bytes() == b"pixels"
    assert not (tmp_path / "copied.png").samefile(picture)


def test_format_identifies_the_values_of_an_embedding() -> None:
    """If this fails, the embeddings have changed: increase FORMAT and update the values here."""
    encoder = Encoder(Weights("sam_tiny"), Compute(CPU, torch.float32))
    embedding = encoder(draw_phantom(np.random.default_rng(0)).image).float()
    assert FORMAT == "2"
    assert embedding.std().item() == pytest.approx(0.9645, abs=2e-3)
    assert embedding[:3, 7, 9].tolist() == pytest.approx([0.7446, -1.3859, 0.2629], abs=2e-3)


def test_prune_keeps_used_and_linked_embeddings(
    tiny_weights: Weights, other_weights: Weights, tmp_path: Path
) -> None:
    """Unused embeddings and those of another encoder are deleted; links to them still work."""
    images = [tmp_path / f"{name}.png" for name in "ab"]
    for image in images:
        image.write_bytes(image.name.encode())
    store, other = (
        EmbeddingStore(tmp_path / "store", describe_encoder(weights, "float16"), "float32")
        for weights in (tiny_weights, other_weights)
    )
    kept, unused = store.path(images[0]), store.path(images[1])
    foreign = other.path(images[0])
    for path in (kept, unused, foreign):
        store.write(path, torch.zeros(32, 8, 8, dtype=torch.float16))
    linked = tmp_path / "linked.safetensors"
    link_or_copy(unused, linked)
    expected = unused.stat().st_size + foreign.stat().st_size

    assert store.prune([kept]) == (2, expected)
    assert [path for path in (tmp_path / "store").rglob("*") if path.is_file()] == [kept]
    assert not foreign.parent.exists()
    assert load_tensors(linked)["embedding"].shape == (32, 8, 8)
    assert store.prune([kept]) == (0, 0)


def test_prune_of_a_missing_store_deletes_nothing(tiny_weights: Weights, tmp_path: Path) -> None:
    nowhere = EmbeddingStore(
        tmp_path / "none", describe_encoder(tiny_weights, "float16"), "float32"
    )
    assert nowhere.prune([]) == (0, 0)
