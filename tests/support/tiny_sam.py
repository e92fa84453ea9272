"""A real SAM in miniature with random weights."""

from pathlib import Path

import torch

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.preprocessing import Preprocessing

TINY = Backbone(
    Preprocessing("medsam", 64, mean=(0.4,) * 3, std=(0.25,) * 3), 32, 1, 2, (0,), patch_size=8, window_size=4,
    channels=32, decoder_heads=4, decoder_mlp_dim=64,
)  # fmt: skip


def write_weights(path: Path, backbone: Backbone = TINY) -> Path:
    """Random weights of an architecture, under the keys of segment_anything's `Sam`."""
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
