"""SAM ViT-H."""

from automedsam.backbone.catalogue.sam import sam_backbone
from automedsam.backbone.encoders.architectures import ViTArchitecture

BACKBONE = sam_backbone(
    encoder=ViTArchitecture(dim=1280, depth=32, heads=16, global_attention=(7, 15, 23, 31)),
    file="sam_vit_h_4b8939.pth",
    sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
    size_bytes=2_564_550_879,
)
