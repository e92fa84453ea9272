"""data/prepared/images -> data/embeddings: the frozen image encoder, once an image and never again.

python stages/embed.py
"""

import torch
from tqdm import tqdm

from automedsam.cases import read_index
from automedsam.device import choose_compute
from automedsam.embeddings import EmbeddingStore, describe_encoder, link_or_copy
from automedsam.images import read_pixels
from automedsam.outputs import fresh_folder
from automedsam.params import load_params
from automedsam.paths import EMBEDDINGS, IMAGES, INDEX, cache_folder
from automedsam.sam import Weights
from automedsam.stage import run


def main() -> None:
    params = load_params("embed")
    compute = choose_compute(params.device, params.use_amp)
    weights = Weights(params.backbone, params.medsam_checkpoint)
    store = EmbeddingStore(cache_folder() / "embeddings", describe_encoder(weights), compute.precision)
    images = [IMAGES / f"{case.name}.png" for case in read_index(INDEX)]
    stored = {image: store.path(image) for image in images}
    missing = [image for image in images if not store.holds(stored[image])]
    print(f"{params.backbone} on {compute}: {len(missing)} images to embed, {len(images) - len(missing)} in the store")
    if missing:
        encoder = weights.load_encoder().to(compute.device)
    for image in tqdm(missing, "embed", unit="image", disable=not missing):
        pixels = weights.backbone.preprocessing(read_pixels(image))[None]  # (1, 3, S, S)
        with torch.inference_mode(), compute.autocast():
            store.write(stored[image], encoder(pixels.to(compute.device))[0])
    with fresh_folder(EMBEDDINGS) as folder:
        for image in images:
            link_or_copy(stored[image], folder / f"{image.stem}.safetensors")


if __name__ == "__main__":
    run(main)
