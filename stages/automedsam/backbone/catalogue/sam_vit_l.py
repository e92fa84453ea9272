"""SAM ViT-L."""

from automedsam.backbone.catalogue.sam import sam_backbone
from automedsam.backbone.encoders.architectures import ViTArchitecture

BACKBONE = sam_backbone(
    encoder=ViTArchitecture(dim=1024, depth=24, heads=16, global_attention=(5, 11, 17, 23)),
    file="sam_vit_l_0b3195.pth",
    sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
    size_bytes=1_249_524_607,
)
