"""data/prepared/images -> data/embeddings: the frozen image encoder, once an image and never again.

python stages/embed.py
python stages/embed.py --prune      drops from .cache/embeddings what the present images and parameters do not use
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
from tqdm import tqdm

from automedsam.backbone.embedding_job import prefetch
from automedsam.backbone.embeddings import (
    EmbeddingStore,
    describe_encoder,
    embedding_path,
    link_or_copy,
)
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.augmentation import View, embedded_view, embedded_view_count
from automedsam.cases.index import read_splits
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.files import atomic_folder
from automedsam.runtime.image_files import read_image
from automedsam.runtime.options import Augmentation
from automedsam.runtime.params import load_params
from automedsam.runtime.paths import EMBEDDINGS, IMAGES, INDEX, cache_folder
from automedsam.runtime.script import run


def main() -> None:
    arguments = parse_arguments()
    params = load_params("embed")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    encoder_id = describe_encoder(weights, params.embedding_dtype)
    store = EmbeddingStore(cache_folder() / "embeddings", encoder_id, compute.precision)
    sights = list_jobs_(params.views, params.augmentations)
    stored = [(sight, store.path(sight.image, sight.describe())) for sight in sights]
    if arguments.prune:
        files, size = store.prune(path for _, path in stored)
        print(f"dropped {files} embeddings that are not in use, {size / 2**20:.1f} MiB")
        return
    missing = [(sight.see, path) for sight, path in stored if not store.holds(path)]
    print(
        f"{params.backbone} on {compute}: {len(missing)} images to embed, {len(sights) - len(missing)} in the store"
    )
    if missing:
        embed(missing, Encoder(weights, compute), store)
    with atomic_folder(EMBEDDINGS) as folder:
        for sight, path in stored:
            link_or_copy(path, embedding_path(folder, sight.case, sight.number))


@dataclass(frozen=True)
class EmbeddingJob:
    """An image as it is, or one of its other views."""

    case: str
    number: int  # of the view; 0: as it is
    view: View | None

    @classmethod
    def of(cls, case: str, number: int, kinds: list[Augmentation]) -> "EmbeddingJob":
        """The view of this number."""
        return cls(case, number, embedded_view(case, number, kinds) if number else None)

    @property
    def image(self) -> Path:
        return IMAGES / f"{self.case}.png"

    def describe(self) -> str:
        """What tells a view from another of the same image; nothing, of the image as it is."""
        return self.view.describe() if self.view else ""

    def see(self) -> np.ndarray:
        """(H, W) or (H, W, 3), uint8."""
        pixels = read_image(self.image)
        return self.view.apply_to_uint8(pixels) if self.view else pixels


def list_jobs_(views: int, kinds: list[Augmentation]) -> list[EmbeddingJob]:
    """Every image as it is, then the other views of those to train on."""
    splits = read_splits(INDEX)
    trained_on = [name for name, split in splits.items() if split == "train"]
    numbers = range(1, embedded_view_count(views, kinds) + 1)
    return [EmbeddingJob.of(name, 0, kinds) for name in splits] + [
        EmbeddingJob.of(name, number, kinds) for name in trained_on for number in numbers
    ]


def embed(
    missing: Sequence[tuple[Callable[[], np.ndarray], Path]],
    encoder: Encoder,
    store: EmbeddingStore,
) -> None:
    """Embed what each function sees to its file of the store; the next is read, and the last written, meanwhile."""
    lookahead = 2 * encoder.batch_size
    inputs = prefetch(lambda see: encoder.prepare(see()), [see for see, _ in missing], lookahead)
    batches = iter(lambda: list(islice(inputs, encoder.batch_size)), [])
    embeddings = (embedding for batch in batches for embedding in encoder.encode(batch))
    results = zip(
        [path for _, path in missing],
        tqdm(embeddings, "embed", len(missing), unit="image"),
        strict=True,
    )
    for _ in prefetch(lambda result: store.write(*result), results, lookahead):
        pass


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--prune", action="store_true", help="tidy the store of embeddings, and do nothing else"
    )
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
