"""MedSAM: SAM ViT-B, fine-tuned on medical images."""

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.encoders.architectures import VIT_B
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.runtime.downloads import Source, drive_address

LICENCE = "Apache-2.0, Ma et al. 2024, https://github.com/bowang-lab/MedSAM"
DRIVE_ID = "1UAmWL88roYR7wKlnApw5Bcuzf2iQgk6_"

BACKBONE = Backbone(
    preprocessing=Preprocessing(
        kind="medsam",
        size=1024,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ),
    encoder=VIT_B,
    source=Source(
        name="medsam_vit_b.pth",
        sha256="34b34b78c1d18cb8c6bf84cf9c00e135d6d6c965699f3c0e31ef1bc9dcb5be74",
        size_bytes=375_049_145,
        urls=(
            "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
            # The authors' own copy. Programs cannot list the folder, only fetch a file by its id.
            drive_address(DRIVE_ID),
        ),
        licence=LICENCE,
        download_page="https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
    ),
    licence=LICENCE,
    training_data=(
        "medical images and masks of many public sets; may include HC18, ACDC and BUSI, so results "
        "on these sets can be too good"
    ),
)
