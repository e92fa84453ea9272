"""`sam_tiny`: a small SAM for synthetic images, whose weights are part of this package."""

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.encoders.architectures import ViTArchitecture
from automedsam.backbone.preprocessing import Preprocessing

BACKBONE = Backbone(
    preprocessing=Preprocessing(
        kind="medsam",
        size=256,
        mean=(0.4, 0.4, 0.4),
        std=(0.25, 0.25, 0.25),
    ),
    encoder=ViTArchitecture(
        dim=128,
        depth=4,
        heads=4,
        global_attention=(1, 3),
        cell_px=8,
        window=8,
    ),
    channels=64,
    decoder_heads=4,
    decoder_mlp_dim=256,
    licence="Apache-2.0, the authors of this software",
    training_data="synthetic phantoms of this software only; not suited to real images",
)
