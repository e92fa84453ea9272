"""data/prepared/images -> data/embeddings: the frozen image encoder, once an image and never again.

python stages/embed.py
python stages/embed.py --prune      drops from .cache/embeddings what the present images and parameters do not use
"""

import argparse
from itertools import islice
from pathlib import Path

from tqdm import tqdm

from automedsam.cases import read_names
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingStore, describe_encoder, link_or_copy
from automedsam.encoder import Encoder
from automedsam.images import read_pixels
from automedsam.outputs import fresh_folder
from automedsam.params import load_params
from automedsam.paths import EMBEDDINGS, IMAGES, INDEX, cache_folder
from automedsam.pipelining import ahead
from automedsam.sam import Weights
from automedsam.stage import run


def main() -> None:
    arguments = parse_arguments()
    params = load_params("embed")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    encoder_id = describe_encoder(weights, params.embedding_dtype)
    store = EmbeddingStore(cache_folder() / "embeddings", encoder_id, compute.precision)
    images = [IMAGES / f"{name}.png" for name in read_names(INDEX)]
    stored = {image: store.path(image) for image in images}
    if arguments.prune:
        files, size = store.prune(stored.values())
        print(f"dropped {files} embeddings that are not in use, {size / 2**20:.1f} MiB")
        return
    missing = [image for image in images if not store.holds(stored[image])]
    print(f"{params.backbone} on {compute}: {len(missing)} images to embed, {len(images) - len(missing)} in the store")
    if missing:
        embed({image: stored[image] for image in missing}, Encoder(weights, compute), store)
    with fresh_folder(EMBEDDINGS) as folder:
        for image in images:
            link_or_copy(stored[image], folder / f"{image.stem}.safetensors")


def embed(missing: dict[Path, Path], encoder: Encoder, store: EmbeddingStore) -> None:
    """Embed images to files of the store; the next ones are read, and the last ones written, meanwhile."""
    lookahead = 2 * encoder.batch_size
    inputs = ahead(lambda image: encoder.prepare(read_pixels(image)), missing, lookahead)
    batches = iter(lambda: list(islice(inputs, encoder.batch_size)), [])
    embeddings = (embedding for batch in batches for embedding in encoder.encode(batch))
    results = zip(missing.values(), tqdm(embeddings, "embed", len(missing), unit="image"), strict=True)
    for _ in ahead(lambda result: store.write(*result), results, lookahead):
        pass


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prune", action="store_true", help="tidy the store of embeddings, and do nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
