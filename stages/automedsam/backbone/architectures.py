"""TODO"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import torch
from torch import nn

from automedsam.backbone.preprocessing import Preprocessing
from automedsam.runtime.downloads import Source

try:
    import torchvision  # noqa: F401  segment_anything imports it, for one function that is not used here
except (
    RuntimeError
):  # a torchvision built for CUDA beside a CPU-only torch lacks the schemas of its own operators
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):  # fmt: skip
        torch.library.define(f"torchvision::{schema.split('(')[0]}", "(" + schema.split("(", 1)[1])

from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer

SAM_TINY_WEIGHTS = Path(__file__).parent / "sam_tiny.pth"

PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")


@dataclass(frozen=True)
class Backbone:
    """A SAM architecture, the preprocessing that its weights were trained with, and where those are to be had."""

    preprocessing: Preprocessing
    encoder_dim: int
    encoder_depth: int
    encoder_heads: int
    global_attention: tuple[int, ...]  # indices of the blocks that attend over the whole image
    patch_size: int = 16
    window_size: int = 14
    channels: int = 256  # C of the embedding
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    source: Source | None = None  # None: they lie in this repository

    @property
    def grid(self) -> int:
        """Side of the embedding, in cells."""
        return self.preprocessing.size // self.patch_size

    def build_encoder(self) -> ImageEncoderViT:
        """Image (B, 3, S, S) to embedding (B, C, grid, grid); weights at random."""
        return ImageEncoderViT(
            img_size=self.preprocessing.size,
            patch_size=self.patch_size,
            embed_dim=self.encoder_dim,
            depth=self.encoder_depth,
            num_heads=self.encoder_heads,
            mlp_ratio=4,
            out_chans=self.channels,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=self.window_size,
            global_attn_indexes=self.global_attention,
        )

    def build_prompt_encoder(self) -> PromptEncoder:
        """Points and boxes, in pixels of the input frame, to sparse and dense prompt embeddings; weights at random."""
        return PromptEncoder(
            embed_dim=self.channels,
            image_embedding_size=(self.grid, self.grid),
            input_image_size=(self.preprocessing.size, self.preprocessing.size),
            mask_in_chans=16,
        )

    def build_mask_decoder(self) -> MaskDecoder:
        """Image and prompt embeddings to mask logits, four times as fine as the grid; weights at random."""
        return MaskDecoder(
            num_multimask_outputs=3,
            transformer_dim=self.channels,
            transformer=TwoWayTransformer(
                depth=2,
                embedding_dim=self.channels,
                mlp_dim=self.decoder_mlp_dim,
                num_heads=self.decoder_heads,
            ),
            iou_head_depth=3,
            iou_head_hidden_dim=self.channels,
        )

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight, under its key in segment_anything's `Sam`."""
        builders: dict[str, Callable[[], nn.Module]] = {
            "image_encoder": self.build_encoder,
            "prompt_encoder": self.build_prompt_encoder,
            "mask_decoder": self.build_mask_decoder,
        }
        with torch.device(
            "meta"
        ):  # shapes without numbers, nor the time and the randomness that those would take
            states = {part: build().state_dict() for part, build in builders.items()}
        return {
            f"{part}.{key}": tuple(value.shape)
            for part, state in states.items()
            for key, value in state.items()
        }


SAM_PREPROCESSING = Preprocessing(
    "sam", 1024, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225)
)

MEDSAM_PREPROCESSING = Preprocessing("medsam", 1024, mean=(0.0,) * 3, std=(1.0,) * 3)

SAM_TINY_PREPROCESSING = Preprocessing("medsam", 256, mean=(0.4,) * 3, std=(0.25,) * 3)


MEDSAM_LICENCE = "Apache-2.0, Ma et al. 2024, https://github.com/bowang-lab/MedSAM"

SAM_LICENCE = (
    "Apache-2.0, Kirillov et al. 2023, https://github.com/facebookresearch/segment-anything"
)

SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything/"


BACKBONES = {
    "sam_tiny": Backbone(
        SAM_TINY_PREPROCESSING, 128, 4, 4, (1, 3), patch_size=8, window_size=8, channels=64, decoder_heads=4,
        decoder_mlp_dim=256,
    ),
    "medsam_vit_b": Backbone(MEDSAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11), source=Source(
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        "34b34b78c1d18cb8c6bf84cf9c00e135d6d6c965699f3c0e31ef1bc9dcb5be74", 375_049_145, MEDSAM_LICENCE,
        # The authors' own place. No program may list the folder, but the file has an address of its own.
        mirrors=(
            "https://drive.usercontent.google.com/download?id=1UAmWL88roYR7wKlnApw5Bcuzf2iQgk6_&export=download"
            "&confirm=t",
        ),
        by_hand="https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
    )),
    "sam_vit_b": Backbone(SAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11), source=Source(
        f"{SAM_FILES}sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912", 375_042_383, SAM_LICENCE,
    )),
    "sam_vit_l": Backbone(SAM_PREPROCESSING, 1024, 24, 16, (5, 11, 17, 23), source=Source(
        f"{SAM_FILES}sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622", 1_249_524_607, SAM_LICENCE,
    )),
    "sam_vit_h": Backbone(SAM_PREPROCESSING, 1280, 32, 16, (7, 15, 23, 31), source=Source(
        f"{SAM_FILES}sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e", 2_564_550_879, SAM_LICENCE,
    )),
}  # fmt: skip
