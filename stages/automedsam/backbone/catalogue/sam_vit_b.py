"""SAM ViT-B."""

from automedsam.backbone.catalogue.sam import sam_backbone
from automedsam.backbone.encoders.architectures import VIT_B

BACKBONE = sam_backbone(
    encoder=VIT_B,
    file="sam_vit_b_01ec64.pth",
    sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
    size_bytes=375_042_383,
)
