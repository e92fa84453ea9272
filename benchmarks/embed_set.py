"""A set of images, from PNG files to embeddings on disk: the embed stage, against segment-anything.

    python benchmarks/embed_set.py

The stock way is the usual loop: read an image, call `SamPredictor.set_image` in fp32, and call
`torch.save`. Both use `sam_tiny`.
"""

import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from measure import Way, parse_arguments, peak_gib, report, time_alternating

from automedsam.backbone.embedding_job import EmbeddingJob, embed
from automedsam.backbone.embeddings import EmbeddingStore, describe_encoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.image_files import read_image, write_image

ROUNDS = 3
EmbedAll = Callable[[list[Path], Path], None]  # image files, folder of the embeddings
WEIGHTS = Weights("sam_tiny")
STOCK, OURS = "stock, fp32", "ours"
WAYS = {f"{count} images, {way}": (way, count) for count in (50, 200) for way in (STOCK, OURS)}


@dataclass(frozen=True)
class FileJob(EmbeddingJob):
    """An image file outside a prepared data set."""

    path: Path

    @property
    def image(self) -> Path:
        """The image file."""
        return self.path


def main() -> None:
    parse_arguments(__doc__)
    seconds = time_alternating({name: make_way(name) for name in WAYS}, ROUNDS)
    rows = [
        {
            "way": name,
            "seconds": seconds[name],
            "seconds an image": seconds[name] / count,
            "peak GiB": peak_gib(make_way, name),
        }
        for name, (_, count) in WAYS.items()
    ]
    report("sam_tiny, images from PNG to embedding on disk", rows)


def make_way(name: str) -> Way:
    """A function that embeds phantoms of 256 x 256 px into an empty folder."""
    way, count = WAYS[name]
    root = tempfile.TemporaryDirectory()  # deleted together with the function
    images = [Path(root.name) / f"{number:03d}.png" for number in range(count)]
    for number, image in enumerate(images):
        write_image(image, draw_phantom(np.random.default_rng(number)).image)
    embed_images = make_stock() if way == STOCK else make_ours()

    def embed_all() -> None:
        with tempfile.TemporaryDirectory(dir=root.name) as folder:
            embed_images(images, Path(folder))

    return embed_all


def make_ours() -> EmbedAll:
    compute = choose_compute("auto", use_amp=True)
    encoder = Encoder(WEIGHTS, compute)
    encoder_id = describe_encoder(WEIGHTS, "float16")

    def embed_images(images: list[Path], folder: Path) -> None:
        store = EmbeddingStore(folder, encoder_id, compute.precision)
        jobs = [FileJob(image.stem, 0, None, image) for image in images]
        embed([(job, store.path(job.image)) for job in jobs], encoder, store)

    return embed_images


def make_stock() -> EmbedAll:
    # Imported here, because it would count in the memory of the other ways.
    from stock_sam import Sam, SamPredictor

    preprocessing = WEIGHTS.backbone.preprocessing
    sam = Sam(
        WEIGHTS.load_encoder(),
        WEIGHTS.load_prompt_encoder(),
        WEIGHTS.load_mask_decoder(),
        pixel_mean=[255 * value for value in preprocessing.mean],
        pixel_std=[255 * value for value in preprocessing.std],
    )
    predictor = SamPredictor(sam.eval())

    def embed_images(images: list[Path], folder: Path) -> None:
        for image in images:
            predictor.set_image(np.dstack([read_image(image)] * 3))
            torch.save(predictor.get_image_embedding(), folder / f"{image.stem}.pt")

    return embed_images


if __name__ == "__main__":
    main()
