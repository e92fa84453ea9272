"""Small backbones with random weights: a SAM, and one in the manner of LiteMedSAM."""

from pathlib import Path

import torch
from torch import nn

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.encoders.architectures import TinyViTArchitecture, ViTArchitecture
from automedsam.backbone.encoders.tiny_vit import ChannelNorm, TinyViT, WindowAttention
from automedsam.backbone.preprocessing import Preprocessing

TINY = Backbone(
    preprocessing=Preprocessing(
        kind="medsam",
        size=64,
        mean=(0.4, 0.4, 0.4),
        std=(0.25, 0.25, 0.25),
    ),
    encoder=ViTArchitecture(dim=32, depth=1, heads=2, global_attention=(0,), cell_px=8, window=4),
    channels=32,
    decoder_heads=4,
    decoder_mlp_dim=64,
    licence="none",
    training_data="none: the weights are random",
)
# More channels than the locators use, so that its embeddings are reduced; 16 x 16 cells.
TINY_LITE = Backbone(
    preprocessing=Preprocessing(kind="lite_medsam", size=64, mean=(0.0,) * 3, std=(1.0,) * 3),
    encoder=TinyViTArchitecture(
        dims=(8, 16, 16, 32), depths=(1, 1, 1, 1), heads=(1, 2, 2, 4), windows=(7, 7, 14, 7)
    ),
    channels=80,
    decoder_heads=4,
    decoder_mlp_dim=64,
    licence="none",
    training_data="none: the weights are random",
)


def random_tiny_vit(windows: tuple[int, int, int, int] = (7, 7, 14, 7)) -> TinyViT:
    """Return a small TinyViT in which every parameter and every batch-norm statistic matters."""
    torch.manual_seed(0)
    encoder = TinyViT(
        dims=(16, 32, 32, 64),
        depths=(2, 1, 2, 1),
        heads=(1, 2, 2, 4),
        windows=windows,
        out_channels=32,
    )
    for module in encoder.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.normal_(std=0.3)
            module.running_var.uniform_(0.5, 2)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | ChannelNorm):
            nn.init.uniform_(module.weight, 0.5, 1.5)
        if isinstance(module, nn.BatchNorm2d | nn.LayerNorm | ChannelNorm | nn.Linear):
            nn.init.normal_(module.bias, std=0.3)
        if isinstance(module, WindowAttention):
            nn.init.normal_(module.attention_biases)
    return encoder.eval().requires_grad_(False)


def write_weights(path: Path, backbone: Backbone = TINY) -> Path:
    """Write random weights of an architecture, with the keys of segment_anything's `Sam`."""
    parts = {
        "image_encoder": backbone.build_encoder(),
        "prompt_encoder": backbone.build_prompt_encoder(),
        "mask_decoder": backbone.build_mask_decoder(),
    }
    state = {
        f"{part}.{key}": value
        for part, module in parts.items()
        for key, value in module.state_dict().items()
    }
    torch.save(state, path)
    return path
