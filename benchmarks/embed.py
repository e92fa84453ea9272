"""One image through image encoders, against their stock implementations.

    python benchmarks/embed.py

sam_vit_b has the architecture of MedSAM. Its weights are random, with position biases of a
realistic size, and stock is segment-anything's `SamPredictor.set_image`. lite_medsam has its own
weights, and stock is the plain network. The error is that of the embedding, relative to stock in
fp32. bf16 is measured only on processors that support it.
"""

import numpy as np
import torch
from measure import Way, compare, has_bf16, parse_arguments, peak_gib, report
from torch import nn

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.weights import Weights
from automedsam.datasets.phantoms import draw_phantom

ROUNDS = 3
VIT_B, LITE = "sam_vit_b", "lite_medsam"
IMAGES = {
    VIT_B: np.random.default_rng(0).integers(0, 256, (1024, 1024, 3), dtype=np.uint8),
    LITE: draw_phantom(np.random.default_rng(0)).image,
}
STOCK, STOCK_AMP, OURS, OURS_AMP = "stock, fp32", "stock, autocast bf16", "ours, fp32", "ours, bf16"


def main() -> None:
    parse_arguments(__doc__)
    report("One image embedded", [row for backbone in IMAGES for row in measure(backbone)])


def measure(backbone: str) -> list[dict[str, object]]:
    """The rows of a backbone."""
    names = (STOCK, STOCK_AMP, OURS, OURS_AMP) if has_bf16() else (STOCK, OURS)
    ways = {name: make_way((backbone, name)) for name in names}
    return [
        {"backbone": backbone, **row, "peak GiB": peak_gib(make_way, (backbone, row["way"]))}
        for row in compare(ways, ROUNDS)
    ]


def make_way(backbone_and_name: tuple[str, str]) -> Way:
    """A function that returns the embedding (1, 256, 64, 64), fp32, of the image."""
    backbone, name = backbone_and_name
    encoder = load_vit_b() if backbone == VIT_B else Weights(LITE).load_encoder()
    if name in (OURS, OURS_AMP):
        dtype = torch.bfloat16 if name == OURS_AMP else torch.float32
        return make_plain(backbone, BACKBONES[backbone].encoder.accelerate(encoder, dtype))
    make_stock = make_segment_anything if backbone == VIT_B else make_plain
    return make_stock(backbone, encoder, use_amp=name == STOCK_AMP)


def load_vit_b() -> nn.Module:
    torch.manual_seed(0)
    encoder = BACKBONES[VIT_B].build_encoder().eval().requires_grad_(False)
    for key, parameter in encoder.named_parameters():
        if "rel_pos" in key or key == "pos_embed":
            parameter.data.normal_(std=0.1)
    return encoder


def make_segment_anything(backbone: str, encoder: nn.Module, use_amp: bool) -> Way:
    # Imported here, because it would count in the memory of the other ways.
    from stock_sam import Sam, SamPredictor

    preprocessing = BACKBONES[backbone].preprocessing
    sam = Sam(
        encoder,
        BACKBONES[backbone].build_prompt_encoder(),
        BACKBONES[backbone].build_mask_decoder(),
        pixel_mean=[255 * value for value in preprocessing.mean],
        pixel_std=[255 * value for value in preprocessing.std],
    )
    predictor = SamPredictor(sam.eval())

    def embed() -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=use_amp):
            predictor.set_image(IMAGES[backbone])
        return predictor.get_image_embedding().float()

    return embed


def make_plain(backbone: str, network: nn.Module, use_amp: bool = False) -> Way:
    preprocessing = BACKBONES[backbone].preprocessing

    def embed() -> torch.Tensor:
        with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16, enabled=use_amp):
            return network(preprocessing(IMAGES[backbone])[None]).float()

    return embed


if __name__ == "__main__":
    main()
