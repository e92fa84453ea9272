"""A small SAM with random weights."""

from pathlib import Path

import torch

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.preprocessing import Preprocessing

TINY = Backbone(
    preprocessing=Preprocessing(
        kind="medsam",
        size=64,
        mean=(0.4, 0.4, 0.4),
        std=(0.25, 0.25, 0.25),
    ),
    encoder_dim=32,
    encoder_depth=1,
    encoder_heads=2,
    global_attention=(0,),
    patch_size=8,
    window_size=4,
    channels=32,
    decoder_heads=4,
    decoder_mlp_dim=64,
)


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
