"""Shared fixtures: a small real SAM, a few cases with boxes and embeddings, no internet."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.embeddings import EmbeddingFolder, EmbeddingStore, describe_encoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import AUGMENTATIONS, embedded_view
from automedsam.cases.boxes import fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE
from automedsam.runtime.compute import Compute
from automedsam.runtime.image_files import read_image, write_image
from automedsam.scans.notices import report_notices
from http_server import Server, serve
from tiny_sam import TINY, write_weights
from training_fixtures import TrainingFixtures

pytest_plugins = ["saved_figures", "small_data"]

# Settings of this machine for the package index; pip runs in a process of its own.
INDEX_SETTINGS = ("NO_PROXY", "PIP_NO_INDEX", "PIP_FIND_LINKS", "PIP_CONFIG_FILE")
SETTINGS_OF_THIS_MACHINE = {name: os.environ[name] for name in INDEX_SETTINGS if name in os.environ}

torch.set_num_threads(1)  # tests run side by side, and torch's threads wait for each other busily


@pytest.fixture(autouse=True)
def _seeded() -> None:
    torch.manual_seed(0)


@pytest.fixture(autouse=True)
def _new_notices() -> None:
    report_notices()


@pytest.fixture(autouse=True)
def _no_internet(monkeypatch: pytest.MonkeyPatch) -> None:
    """Only this machine may be asked, whatever address stands in a registry."""
    resolve = socket.getaddrinfo

    def refuse(host: Any, *arguments: Any, **options: Any) -> Any:
        if host not in ("127.0.0.1", "localhost"):
            raise socket.gaierror(socket.EAI_NONAME, "no internet in tests")
        return resolve(host, *arguments, **options)

    monkeypatch.setattr(socket, "getaddrinfo", refuse)
    monkeypatch.setenv("NO_PROXY", "*")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.delenv("PIP_FIND_LINKS", raising=False)


@pytest.fixture
def package_index(_no_internet: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let pip use the package index of this machine, as outside of tests."""
    for name in INDEX_SETTINGS:
        monkeypatch.delenv(name, raising=False)
    for name, value in SETTINGS_OF_THIS_MACHINE.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def server() -> Iterator[Server]:
    """A server on this machine for one test."""
    with serve() as served:
        yield served


@pytest.fixture
def tiny_backbone() -> Backbone:
    """The architecture of `tiny_weights`: a SAM of input 64, grid 8 and 32 channels."""
    return TINY


@pytest.fixture
def tiny_weights(
    tiny_backbone: Backbone, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> Weights:
    """A small backbone, its weights at random."""
    monkeypatch.setitem(BACKBONES, "sam_test", tiny_backbone)
    return Weights("sam_test", write_weights(tmp_path / "sam_test.pth", tiny_backbone))


@pytest.fixture
def other_weights(tiny_weights: Weights, tmp_path: Path) -> Weights:
    """The same architecture with other numbers."""
    return Weights("sam_test", write_weights(tmp_path / "other.pth"))


@pytest.fixture
def cases() -> list[Case]:
    """Three training cases, the last without an object, and two for validation."""
    return [
        Case("a", "patient 1", "train", 48, 64, {SINGLE_CLASS_VALUE: ((10, 8, 40, 36),)}),
        Case("b", "patient 2", "train", 64, 40, {SINGLE_CLASS_VALUE: ((5, 20, 30, 60),)}),
        Case("c", "patient 3", "train", 50, 50, {SINGLE_CLASS_VALUE: ()}),
        Case("d", "patient 4", "val", 60, 44, {SINGLE_CLASS_VALUE: ((12, 10, 32, 41),)}),
        Case("e", "patient 5", "val", 33, 71, {SINGLE_CLASS_VALUE: ((20, 6, 61, 27),)}),
    ]


@pytest.fixture
def images(cases: list[Case], tmp_path: Path) -> Path:
    """A folder with pictures of the cases' boxes."""
    folder = tmp_path / "images"
    rng = np.random.default_rng(0)
    for case in cases:
        image = rng.integers(0, 100, case.image_size) + 150 * fill_boxes(
            case.all_boxes_xyxy, case.image_size
        )
        write_image(folder / f"{case.name}.png", image.astype(np.uint8))
    return folder


@pytest.fixture
def embeddings(
    tiny_weights: Weights, cases: list[Case], images: Path, tmp_path: Path
) -> EmbeddingFolder:
    """Embeddings of the images, and of two views of each training image, by the tiny SAM."""
    folder = EmbeddingFolder(tmp_path / "embeddings", tiny_weights, "float16")
    store = EmbeddingStore(tmp_path / "store", describe_encoder(tiny_weights, "float16"), "float32")
    encoder = Encoder(tiny_weights, Compute(torch.device("cpu"), torch.float32))
    for case in cases:
        image = read_image(images / f"{case.name}.png")
        store.write(folder.path(case), encoder(image))
        for number in (1, 2) if case.split == "train" else ():
            seen = embedded_view(case.name, number, AUGMENTATIONS).apply_to_uint8(image)
            store.write(folder.path(case, number), encoder(seen))
    return folder


@pytest.fixture
def pseudo_labels(cases: list[Case], tmp_path: Path) -> Path:
    """Pseudo-labels of the training cases: `a` has its box, `b` was rejected, `c` has no object."""
    folder = tmp_path / "pseudo_labels"
    write_image(
        folder / "a.png",
        (230 * fill_boxes(cases[0].all_boxes_xyxy, cases[0].image_size)).astype(np.uint8),
    )
    return folder


@pytest.fixture
def material(
    tiny_weights: Weights, embeddings: EmbeddingFolder, images: Path, pseudo_labels: Path
) -> TrainingFixtures:
    return TrainingFixtures(tiny_weights, embeddings, images, pseudo_labels)
