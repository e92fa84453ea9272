"""What the backbones of Segment Anything have in common."""

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.encoders.architectures import ViTArchitecture
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.runtime.downloads import Source

LICENCE = "Apache-2.0, Kirillov et al. 2023, https://github.com/facebookresearch/segment-anything"
FOLDER = "https://dl.fbaipublicfiles.com/segment_anything/"


def sam_backbone(*, encoder: ViTArchitecture, file: str, sha256: str, size_bytes: int) -> Backbone:
    """Return a backbone of Segment Anything.

    Args:
      encoder: Architecture of the image encoder.
      file: Name of the official file.
      sha256: Hash of the file.
      size_bytes: Size of the file.
    """
    return Backbone(
        preprocessing=Preprocessing(
            kind="sam",
            size=1024,
            mean=(0.485, 0.456, 0.406),
            std=(0.229, 0.224, 0.225),
        ),
        encoder=encoder,
        source=Source(
            name=file,
            sha256=sha256,
            size_bytes=size_bytes,
            urls=(f"{FOLDER}{file}",),
            licence=LICENCE,
        ),
        licence=LICENCE,
        training_data="photographs (SA-1B); no medical images",
    )
