"""Embedding: the list of images and views, the loop over them, and the prefetch in a thread."""

import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event, current_thread

import numpy as np
import pytest
import torch

from automedsam.backbone.embedding_job import EmbeddingJob, embed, list_jobs, prefetch
from automedsam.backbone.embeddings import EmbeddingStore, describe_encoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import AUGMENTATIONS, embedded_view
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.options import Augmentation
from automedsam.runtime.tensors import load_tensors

StoredJobs = list[tuple[EmbeddingJob, Path]]  # jobs and their files in the store
CPU = Compute(torch.device("cpu"), torch.float32)
MAX_WAIT_S = 10


@pytest.fixture
def store(tiny_weights: Weights, tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(
        tmp_path / "store", describe_encoder(tiny_weights, "float16"), CPU.precision
    )


@pytest.fixture
def missing(store: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> StoredJobs:
    """Seven different images that the store lacks."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    jobs = [EmbeddingJob(str(number), 0, None) for number in range(7)]
    for number, job in enumerate(jobs):
        write_image(job.image, rng.integers(0, 256, (40 + number, 50), np.uint8))
    return [(job, store.path(job.image)) for job in jobs]


def test_list_jobs_has_all_images_and_views_of_training_images() -> None:
    splits = dict.fromkeys("abc", "train") | {"d": "val", "e": "test", "f": "unlabelled"}
    images = [(name, 0) for name in "abcdef"]
    views = [(name, number) for name in "abc" for number in (1, 2)]

    def listed(count: int, augmentations: list[Augmentation]) -> list[tuple[str, int]]:
        return [(job.case, job.number) for job in list_jobs(splits, count, augmentations)]

    assert listed(2, ["scale"]) == images + views
    assert listed(0, ["scale"]) == images
    assert listed(2, []) == images


def test_the_image_itself_has_no_view() -> None:
    image, *views = list_jobs({"2": "train"}, 2, ["scale"])
    assert (image.view, image.describe()) == (None, "")
    assert [view.view is None for view in views] == [False, False]


def test_the_description_of_a_view_changes_with_its_pixels(monkeypatch: pytest.MonkeyPatch) -> None:
    """The strength of an augmentation has an effect only if the augmentation is used."""

    def describe(*augmentations: Augmentation) -> str:
        return list_jobs({"2": "train"}, 1, list(augmentations))[1].describe()

    described = describe("scale")
    monkeypatch.setattr("automedsam.cases.augmentation.MAX_ROTATION", 0.1)
    assert describe("scale") == described
    monkeypatch.setattr("automedsam.cases.augmentation.MAX_LOG_SCALE", 0.1)
    assert describe("scale") != described
    assert describe("scale", "flip") != described


def test_embed_stores_the_embedding_of_each_image(
    tiny_weights: Weights, store: EmbeddingStore, missing: StoredJobs
) -> None:
    encoder = Encoder(tiny_weights, CPU)
    embed(missing, encoder, store)
    for job, path in missing:
        assert store.holds(path)
        assert torch.equal(load_tensors(path)["embedding"], encoder(read_image(job.image)))


def test_embed_stores_the_embedding_of_each_view(
    tiny_weights: Weights, store: EmbeddingStore, missing: StoredJobs
) -> None:
    encoder, augmentations = Encoder(tiny_weights, CPU), list(AUGMENTATIONS)
    jobs = list_jobs({"2": "train", "5": "train"}, 2, augmentations)
    stored = [(job, store.path(job.image, job.describe())) for job in jobs]
    assert len({path for _, path in stored}) == 6
    assert {path for job, path in stored if not job.number} <= {path for _, path in missing}
    embed(stored, encoder, store)
    for job, path in stored:
        pixels = read_image(job.image)
        if job.number:
            pixels = embedded_view(job.case, job.number, augmentations).apply_to_uint8(pixels)
        assert torch.equal(load_tensors(path)["embedding"], encoder(pixels))


def test_batches_give_the_same_embeddings_as_single_images(
    tiny_weights: Weights,
    store: EmbeddingStore,
    missing: StoredJobs,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(Encoder, "batch_size", 3)
    encoder = Encoder(tiny_weights, CPU)
    encode, sizes = encoder.encode, []

    def record_size(inputs: list[torch.Tensor]) -> torch.Tensor:
        sizes.append(len(inputs))
        return encode(inputs)

    monkeypatch.setattr(encoder, "encode", record_size)
    embed(missing, encoder, store)
    assert sizes == [3, 3, 1]
    for job, path in missing:
        expected = encoder(read_image(job.image)).float()
        assert torch.allclose(load_tensors(path)["embedding"].float(), expected, atol=1e-3)


def test_a_damaged_image_is_named_and_earlier_embeddings_are_kept(
    tiny_weights: Weights, store: EmbeddingStore, missing: StoredJobs
) -> None:
    damaged = missing[4][0].image
    damaged.write_bytes(damaged.read_bytes()[:60])
    with pytest.raises(InputError, match=r"4\.png: cannot read the image"):
        embed(missing, Encoder(tiny_weights, CPU), store)
    assert [store.holds(path) for _, path in missing] == [True] * 4 + [False] * 3


@pytest.mark.parametrize("lookahead", [1, 2, 9])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_prefetch_keeps_the_order_of_the_items(count: int, lookahead: int) -> None:
    def slowest_first(item: int) -> int:
        time.sleep(0.001 * (count - item))
        return item * item

    results = list(prefetch(slowest_first, range(count), lookahead))
    assert results == [item * item for item in range(count)]


def test_prefetch_computes_the_next_item_in_one_other_thread() -> None:
    started = [Event(), Event(), Event()]

    def start(item: int) -> str:
        started[item].set()
        return current_thread().name

    results = prefetch(start, range(3), 1)
    threads = {next(results)}
    assert started[1].wait(MAX_WAIT_S)
    threads |= set(results)
    assert len(threads) == 1
    assert current_thread().name not in threads


def test_prefetch_takes_no_more_items_than_the_lookahead() -> None:
    taken = []

    def items() -> Iterator[int]:
        for item in range(9):
            taken.append(item)
            yield item

    results = prefetch(str, items(), 2)
    assert taken == []
    assert next(results) == "0"
    assert taken == [0, 1, 2]
    assert next(results) == "1"
    assert taken == [0, 1, 2, 3]
    results.close()
    assert taken == [0, 1, 2, 3]


def test_prefetch_raises_an_exception_in_place_of_the_result() -> None:
    def reject_two(item: int) -> int:
        if item == 2:
            raise InputError(f"{item}.png: cannot read the image")
        return item

    results = prefetch(reject_two, range(5), 3)
    assert [next(results), next(results)] == [0, 1]
    with pytest.raises(InputError, match=r"^2\.png: cannot read the image$"):
        next(results)


@pytest.mark.parametrize("error", [InputError, KeyboardInterrupt])
def test_prefetch_completes_started_work_when_the_items_raise(error: type[BaseException]) -> None:
    completed = []

    def complete(item: int) -> None:
        time.sleep(0.05)
        completed.append(item)

    def items() -> Iterator[int]:
        yield from (0, 1)
        raise error

    with pytest.raises(error):
        list(prefetch(complete, items(), 3))
    assert completed == [0, 1]
