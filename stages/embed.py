"""data/prepared/images -> data/embeddings: the frozen image encoder, once an image and never again.

python stages/embed.py
python stages/embed.py --prune      drops from .cache/embeddings what the present images and parameters do not use
"""

import argparse

from tqdm import tqdm

from automedsam.cases import read_names
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingStore, describe_encoder, link_or_copy
from automedsam.encoder import Encoder
from automedsam.images import read_pixels
from automedsam.outputs import fresh_folder
from automedsam.params import load_params
from automedsam.paths import EMBEDDINGS, IMAGES, INDEX, cache_folder
from automedsam.sam import Weights
from automedsam.stage import run


def main() -> None:
    arguments = parse_arguments()
    params = load_params("embed")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    store = EmbeddingStore(cache_folder() / "embeddings", describe_encoder(weights), compute.precision)
    images = [IMAGES / f"{name}.png" for name in read_names(INDEX)]
    stored = {image: store.path(image) for image in images}
    if arguments.prune:
        files, size = store.prune(stored.values())
        print(f"dropped {files} embeddings that are not in use, {size / 2**20:.1f} MiB")
        return
    missing = [image for image in images if not store.holds(stored[image])]
    print(f"{params.backbone} on {compute}: {len(missing)} images to embed, {len(images) - len(missing)} in the store")
    if missing:
        encoder = Encoder(weights, compute)
        for image in tqdm(missing, "embed", unit="image"):
            store.write(stored[image], encoder(read_pixels(image)))
    with fresh_folder(EMBEDDINGS) as folder:
        for image in images:
            link_or_copy(stored[image], folder / f"{image.stem}.safetensors")


def parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prune", action="store_true", help="tidy the store of embeddings, and do nothing else")
    return parser.parse_args()


if __name__ == "__main__":
    run(main)
