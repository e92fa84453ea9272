"""Parameters of the frozen backbone and of the augmentation."""

from pathlib import Path
from typing import Literal

from pydantic import Field

from automedsam.runtime.options import Augmentation, BackboneName
from automedsam.runtime.parameters.base import Params
from automedsam.runtime.parameters.data import DatasetParams


class BackboneParams(DatasetParams):
    """The frozen backbone, and where and how it runs."""

    backbone: Literal["auto", BackboneName] = Field(
        "auto",
        description=(
            "Frozen segmentation model. `auto` selects `sam_tiny`, which is trained on phantoms "
            "and part of this repository, for synthetic images, and `lite_medsam` for all "
            "others. All weights except those of `sam_tiny` are downloaded on first use, unless "
            "`medsam_checkpoint` is set."
        ),
    )
    medsam_checkpoint: Path | None = Field(
        None,
        description=(
            "File with weights for the architecture named by `backbone`, for offline use or "
            "for your own weights. `null` uses the official weights and downloads them once "
            "to `.cache/weights`. DVC tracks the path, not the content."
        ),
    )
    device: Literal["auto", "cpu", "cuda", "mps"] = Field(
        "auto",
        description=(
            "Device for all computations. `auto` selects cuda if available, then mps, then "
            "cpu. A device that is not available is an error."
        ),
    )
    use_amp: bool = Field(
        True,
        description=(
            "Use mixed precision: bfloat16 where the hardware supports it, otherwise float16 "
            "on cuda and float32 elsewhere. `false` computes everything in float32."
        ),
    )
    embedding_dtype: Literal["float16", "int8"] = Field(
        "float16",
        description=(
            "Storage type of the image embeddings. `int8` uses one scale per channel and half "
            "the disk space of `float16`. Changing it re-runs the `embed` stage."
        ),
    )

    @property
    def backbone_name(self) -> BackboneName:
        """The backbone that `backbone` selects, which depends on `dataset` if it is `auto`."""
        if self.backbone != "auto":
            return self.backbone
        return "sam_tiny" if self.dataset == "synthetic" else "lite_medsam"


class AugmentationParams(Params):
    """Augmentation of the training images."""

    augmentations: list[Augmentation] = Field(
        ["rotate", "scale", "shift", "intensity"],
        description=(
            "Augmentations of the training images: `rotate` (up to 30 degrees), `scale` (up "
            "to 1.35 times larger or smaller), `shift` (up to 7.5 % of width and height), "
            "`intensity` (gamma, contrast, brightness and noise), `flip` (left-right) and "
            "`turn` (by multiples of 90 degrees). List only changes that also occur in your "
            "images; an empty list disables augmentation. Affects `prompting: locate` only."
        ),
    )
    views: int = Field(
        8,
        ge=0,
        description=(
            "Number of augmented copies of each training image that are embedded in advance, "
            "for the locator that reads embeddings. More copies add variety but cost encoding "
            "time and disk space. Set it to 0 with `prompting: direct` or `prompt_source: "
            "image`, which do not use them."
        ),
    )
