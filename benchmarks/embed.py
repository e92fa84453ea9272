"""One image through ViT-B's image encoder, against segment-anything's `SamPredictor.set_image`.

    python benchmarks/embed.py

The architecture is that of MedSAM. The weights are random, with position biases of a realistic
size. The error is that of the embedding, relative to segment-anything in fp32.
"""

import numpy as np
import torch
from measure import Way, parse_arguments, peak_gib, report, time_alternating
from torch import nn

from automedsam.backbone.architectures import BACKBONES
from automedsam.backbone.fast_encoder import FastImageEncoder

ROUNDS = 3
BACKBONE = BACKBONES["sam_vit_b"]
IMAGE = np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8)
STOCK, STOCK_AMP, OURS, OURS_AMP = "stock, fp32", "stock, autocast bf16", "ours, fp32", "ours, bf16"


def main() -> None:
    parse_arguments(__doc__)
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
    """A function that returns the embedding (1, 256, 64, 64), fp32, of the image."""
    torch.manual_seed(0)
    encoder = BACKBONE.build_encoder().eval().requires_grad_(False)
    for key, parameter in encoder.named_parameters():
        if "rel_pos" in key or key == "pos_embed":
            parameter.data.normal_(std=0.1)
    if name in (STOCK, STOCK_AMP):
        return make_stock(encoder, use_amp=name == STOCK_AMP)
    return make_ours(encoder, torch.bfloat16 if name == OURS_AMP else torch.float32)


def make_stock(encoder: nn.Module, use_amp: bool) -> Way:
    # Imported here, because it would count in the memory of the other ways.
    from stock_sam import Sam, SamPredictor

    sam = Sam(
        encoder,
        BACKBONE.build_prompt_encoder(),
        BACKBONE.build_mask_decoder(),
        pixel_mean=[255 * value for value in BACKBONE.preprocessing.mean],
        pixel_std=[255 * value for value in BACKBONE.preprocessing.std],
    )
    predictor = SamPredictor(sam.eval())

    def embed() -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=use_amp):
            predictor.set_image(IMAGE)
        return predictor.get_image_embedding().float()

    return embed


def make_ours(encoder: nn.Module, dtype: torch.dtype) -> Way:
    fast = FastImageEncoder(encoder, dtype)

    def embed() -> torch.Tensor:
        with torch.inference_mode():
            return fast(BACKBONE.preprocessing(IMAGE)[None])

    return embed


if __name__ == "__main__":
    main()
