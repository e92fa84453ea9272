"""A set of images, from PNGs to embeddings on disk: the embed stage against segment-anything, one after the other.

python benchmarks/embed_set.py

The stock way is the usual loop: read, `SamPredictor.set_image` in fp32, `torch.save`. Both with `sam_tiny`.
"""

import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import torch
from measure import Way, peak_gib, report, time_alternating

from automedsam.backbone.embeddings import EmbeddingStore, describe_encoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.datasets.phantoms import draw_phantom
from automedsam.runtime.compute import choose_compute
from automedsam.runtime.image_files import read_image, write_image
from embed import embed  # the stage: `measure` has put stages/ before this folder

ROUNDS = 3
Go = Callable[[list[Path], Path], None]  # images to a folder
WEIGHTS = Weights("sam_tiny")
STOCK, OURS = "stock, fp32", "ours"
WAYS = {f"{count} images, {way}": (way, count) for count in (50, 200) for way in (STOCK, OURS)}


def main() -> None:
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
    """A function that embeds as many phantoms of 256 x 256 into an empty folder."""
    way, count = WAYS[name]
    keep = tempfile.TemporaryDirectory()  # gone with the function
    images = [Path(keep.name) / f"{number:03d}.png" for number in range(count)]
    for number, image in enumerate(images):
        write_image(image, draw_phantom(np.random.default_rng(number)).image)
    go = make_stock() if way == STOCK else make_ours()

    def embed_all() -> None:
        with tempfile.TemporaryDirectory(dir=keep.name) as folder:
            go(images, Path(folder))

    return embed_all


def make_ours() -> Go:
    compute = choose_compute("auto", use_amp=True)
    encoder = Encoder(WEIGHTS, compute)
    described = describe_encoder(WEIGHTS, "float16")

    def embed_ours(images: list[Path], folder: Path) -> None:
        store = EmbeddingStore(folder, described, compute.precision)
        embed([(partial(read_image, image), store.path(image)) for image in images], encoder, store)

    return embed_ours


def make_stock() -> Go:
    from segment_anything import SamPredictor
    from segment_anything.modeling import Sam

    preprocessing = WEIGHTS.backbone.preprocessing
    mean, std = (
        [255 * value for value in values] for values in (preprocessing.mean, preprocessing.std)
    )
    parts = WEIGHTS.load_encoder(), WEIGHTS.load_prompt_encoder(), WEIGHTS.load_mask_decoder()
    predictor = SamPredictor(Sam(*parts, mean, std).eval())

    def embed_stock(images: list[Path], folder: Path) -> None:
        for image in images:
            predictor.set_image(np.dstack([read_image(image)] * 3))
            torch.save(predictor.get_image_embedding(), folder / f"{image.stem}.pt")

    return embed_stock


if __name__ == "__main__":
    main()
