"""One image through ViT-B's image encoder: ours against segment-anything's `SamPredictor.set_image`.

python benchmarks/embed.py

Weights at random, of the true architecture, with position biases that matter; the error is that of the embedding,
relative to fp32.
"""

import numpy as np
import torch
from measure import Way, peak_gib, report, time_alternating

from automedsam.backbone.architectures import BACKBONES
from automedsam.backbone.fast_encoder import FastImageEncoder

ROUNDS = 3
BACKBONE = BACKBONES["sam_vit_b"]
IMAGE = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
STOCK, STOCK_AMP, OURS, OURS_AMP = "stock, fp32", "stock, autocast bf16", "ours, fp32", "ours, bf16"


def main() -> None:
    ways = {name: make_way(name) for name in (STOCK, STOCK_AMP, OURS, OURS_AMP)}
    expected = ways[STOCK]()
    seconds = time_alternating(ways, ROUNDS)
    rows = [
        {
            "way": name,
            "seconds": seconds[name],
            "times faster than stock fp32": seconds[STOCK] / seconds[name],
            "relative error": ((way() - expected).norm() / expected.norm()).item(),
            "peak GiB": peak_gib(make_way, name),
        }
        for name, way in ways.items()
    ]
    report("ViT-B, one image embedded", rows)


def make_way(name: str) -> Way:
    """A function that embeds the image, (1, 256, 64, 64), fp32."""
    from segment_anything import SamPredictor
    from segment_anything.modeling import Sam

    torch.manual_seed(0)
    encoder = BACKBONE.build_encoder().eval().requires_grad_(False)
    for key, parameter in encoder.named_parameters():
        if "rel_pos" in key or key == "pos_embed":
            parameter.data.normal_(std=0.1)
    if name in (STOCK, STOCK_AMP):
        mean, std = (
            [255 * value for value in values]
            for values in (BACKBONE.preprocessing.mean, BACKBONE.preprocessing.std)
        )
        sam = Sam(
            encoder, BACKBONE.build_prompt_encoder(), BACKBONE.build_mask_decoder(), mean, std
        ).eval()
        predictor = SamPredictor(sam)

        def embed() -> torch.Tensor:
            with (
                torch.inference_mode(),
                torch.autocast("cpu", torch.bfloat16, enabled=name == STOCK_AMP),
            ):
                predictor.set_image(IMAGE)
            return predictor.get_image_embedding().float()

        return embed
    fast = FastImageEncoder(encoder, torch.bfloat16 if name == OURS_AMP else torch.float32)

    def embed_fast() -> torch.Tensor:
        with torch.inference_mode():
            return fast(BACKBONE.preprocessing(IMAGE)[None])

    return embed_fast


if __name__ == "__main__":
    main()
