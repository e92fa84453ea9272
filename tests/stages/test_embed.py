"""The embed stage's loop: what is read, embedded and written at the same time is what the encoder gives one by one."""

import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from automedsam.backbone.embeddings import EmbeddingStore, describe_encoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import AUGMENTATIONS, embedded_view
from automedsam.cases.case import Case
from automedsam.cases.index import write_index
from automedsam.runtime.compute import Compute
from automedsam.runtime.errors import InputError
from automedsam.runtime.image_files import read_image, write_image
from automedsam.runtime.options import Augmentation
from automedsam.runtime.paths import INDEX
from automedsam.runtime.tensors import load_tensors
from embed import EmbeddingJob, embed, list_jobs_
from workspace import Workspace, copy_project

Stored = list[tuple[EmbeddingJob, Path]]  # to their places in the store
CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture
def store(tiny_weights: Weights, tmp_path: Path) -> EmbeddingStore:
    return EmbeddingStore(
        tmp_path / "store", describe_encoder(tiny_weights, "float16"), CPU.precision
    )


@pytest.fixture
def missing(store: EmbeddingStore, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Stored:
    """Seven images, no two alike, to their places in the store."""
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    sights = [EmbeddingJob(str(number), 0, None) for number in range(7)]
    for number, sight in enumerate(sights):
        write_image(sight.image, rng.integers(0, 256, (40 + number, 50), np.uint8))
    return [(sight, store.path(sight.image)) for sight in sights]


def to_see(stored: Stored) -> list[tuple[Callable[[], np.ndarray], Path]]:
    return [(sight.see, path) for sight, path in stored]


def test_every_image_gets_its_own_embedding(
    tiny_weights: Weights, store: EmbeddingStore, missing: Stored
) -> None:
    encoder = Encoder(tiny_weights, CPU)
    embed(to_see(missing), encoder, store)
    for sight, path in missing:
        assert store.holds(path)
        assert torch.equal(load_tensors(path)["embedding"], encoder(read_image(sight.image)))


def test_every_view_gets_the_embedding_of_what_it_shows(
    tiny_weights: Weights, store: EmbeddingStore, missing: Stored
) -> None:
    encoder, kinds = Encoder(tiny_weights, CPU), list(AUGMENTATIONS)
    sights = [EmbeddingJob.of(case, number, kinds) for case in "25" for number in range(3)]
    stored = [(sight, store.path(sight.image, sight.describe())) for sight in sights]
    assert len({path for _, path in stored}) == 6
    assert {path for sight, path in stored if not sight.number} <= {path for _, path in missing}
    embed(to_see(stored), encoder, store)
    for sight, path in stored:
        image = read_image(sight.image)
        seen = (
            embedded_view(sight.case, sight.number, kinds).apply_to_uint8(image)
            if sight.number
            else image
        )
        assert torch.equal(load_tensors(path)["embedding"], encoder(seen))


def test_a_view_is_found_by_what_it_shows(monkeypatch: pytest.MonkeyPatch) -> None:
    """Another strength of a kind that is used makes another view; of one that is not used, it does not."""

    def describe(*kinds: Augmentation) -> str:
        return EmbeddingJob.of("2", 1, list(kinds)).describe()

    described = describe("scale")
    monkeypatch.setattr("automedsam.cases.augmentation.ROTATION", 0.1)
    assert describe("scale") == described
    monkeypatch.setattr("automedsam.cases.augmentation.SCALE", 0.1)
    assert describe("scale") != described
    assert describe("scale", "flip") != described
    assert EmbeddingJob.of("2", 0, ["scale"]).describe() == ""


def test_training_images_alone_have_views(
    cases: list[Case], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    INDEX.parent.mkdir(parents=True)
    write_index(INDEX, cases)
    as_they_are = [(name, 0) for name in "abcde"]
    others = [(name, number) for name in "abc" for number in (1, 2)]
    assert [
        (sight.case, sight.number) for sight in list_jobs_(2, ["scale"])
    ] == as_they_are + others
    for sights in (list_jobs_(0, ["scale"]), list_jobs_(2, [])):
        assert [(sight.case, sight.number) for sight in sights] == as_they_are


def test_batches_give_what_single_images_do(
    tiny_weights: Weights, store: EmbeddingStore, missing: Stored, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Encoder, "batch_size", 3)
    encoder = Encoder(tiny_weights, CPU)
    sizes = []
    encode = encoder.encode
    monkeypatch.setattr(
        encoder, "encode", lambda inputs: [sizes.append(len(inputs)), encode(inputs)][1]
    )
    embed(to_see(missing), encoder, store)
    assert sizes == [3, 3, 1]
    for sight, path in missing:
        expected = encoder(read_image(sight.image)).float()
        assert torch.allclose(load_tensors(path)["embedding"].float(), expected, atol=1e-3)


def test_an_image_that_cannot_be_read_is_named_and_those_before_it_are_kept(
    tiny_weights: Weights, store: EmbeddingStore, missing: Stored
) -> None:
    broken = missing[4][0].image
    broken.write_bytes(broken.read_bytes()[:60])
    with pytest.raises(
        InputError, match=r"4\.png: cannot read the image"
    ):
        embed(to_see(missing), Encoder(tiny_weights, CPU), store)
    assert [store.holds(path) for _, path in missing] == [True] * 4 + [False] * 3


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="sends signals")
@pytest.mark.parametrize(("sent", "status"), [("SIGINT", 130), ("SIGKILL", -9)])
def test_a_stopped_run_leaves_whole_files_and_a_later_one_goes_on(
    tmp_path: Path, sent: str, status: int
) -> None:
    workspace = copy_project(tmp_path, views=1)
    workspace.python("stages/prepare.py")
    running = subprocess.Popen(
        [sys.executable, "stages/embed.py"],
        cwd=workspace.root,
        env=workspace.environment,
        # a background job of a shell, as tests may be, hands on that it ignores the signal
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
    )
    deadline = time.monotonic() + 120
    while not stored(workspace):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    started = time.monotonic()
    running.send_signal(getattr(signal, sent))
    _, printed = running.communicate(timeout=60)
    assert time.monotonic() - started < 5
    assert running.returncode == status
    assert "Traceback" not in printed
    assert not (workspace.root / "data/embeddings").exists()
    whole = {path: path.read_bytes() for path in stored(workspace)}

    images = (
        len(list((workspace.root / "data/prepared/images").iterdir())) + 10
    )  # and a view of each to train on
    found = re.search(
        r"(\d+) images to embed, (\d+) in the store", workspace.python("stages/embed.py")
    )
    assert found is not None
    assert (int(found[1]), int(found[2])) == (images - len(whole), len(whole))
    assert {path: path.read_bytes() for path in whole} == whole


def stored(workspace: Workspace) -> list[Path]:
    return list((workspace.root / ".cache/embeddings").glob("*/*.safetensors"))
