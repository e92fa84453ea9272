"""SAM architectures, their preprocessing, and the official sources of their weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path

import torch
from torch import nn

from automedsam.backbone.preprocessing import Preprocessing
from automedsam.backbone.sam_networks import (
    ImageEncoderViT,
    MaskDecoder,
    PromptEncoder,
    TwoWayTransformer,
)
from automedsam.runtime.downloads import Source

SAM_TINY_WEIGHTS = Path(__file__).parent / "sam_tiny.pth"
PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")  # prefixes of a state dict's keys


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A SAM architecture with the preprocessing and the source of its weights.

    Attributes:
      preprocessing: Preprocessing that the weights were trained with; defines the input size S.
      encoder_dim: Channels of the image encoder's tokens.
      encoder_depth: Number of blocks of the image encoder.
      encoder_heads: Attention heads of a block of the image encoder.
      global_attention: Indices of the blocks that attend to the whole image; the others attend to
        windows.
      patch_size: Side of a patch, in pixels of the input.
      window_size: Side of an attention window, in patches.
      channels: Channels C of the embedding and of the decoder.
      decoder_heads: Attention heads of the mask decoder.
      decoder_mlp_dim: Hidden channels of the mask decoder's MLPs.
      source: Official weights; None if they are part of this package.
    """

    preprocessing: Preprocessing
    encoder_dim: int
    encoder_depth: int
    encoder_heads: int
    global_attention: tuple[int, ...]
    patch_size: int = 16
    window_size: int = 14
    channels: int = 256
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    source: Source | None = None

    @property
    def grid(self) -> int:
        """Side of the embedding, in cells: one cell per patch."""
        return self.preprocessing.size // self.patch_size

    def build_encoder(self) -> ImageEncoderViT:
        """Return the image encoder, (B, 3, S, S) to (B, C, grid, grid), with random weights."""
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
        """Return the prompt encoder, with random weights.

        It maps points and boxes, in pixels of the input frame, to sparse and dense embeddings.
        """
        return PromptEncoder(
            embed_dim=self.channels,
            image_embedding_size=(self.grid, self.grid),
            input_image_size=(self.preprocessing.size, self.preprocessing.size),
            mask_in_chans=16,
        )

    def build_mask_decoder(self) -> MaskDecoder:
        """Return the mask decoder, with random weights.

        It maps image and prompt embeddings to mask logits, four times as fine as the grid.
        """
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

    @cached_property
    def shapes(self) -> dict[str, tuple[int, ...]]:
        """Shape of every tensor, by its key in a state dict of segment_anything's `Sam`."""
        builders: dict[str, Callable[[], nn.Module]] = {
            "image_encoder": self.build_encoder,
            "prompt_encoder": self.build_prompt_encoder,
            "mask_decoder": self.build_mask_decoder,
        }
        # On the meta device no memory is filled and no random number is drawn.
        with torch.device("meta"):
            states = {part: build().state_dict() for part, build in builders.items()}
        return {
            f"{part}.{key}": tuple(value.shape)
            for part, state in states.items()
            for key, value in state.items()
        }


SAM_PREPROCESSING = Preprocessing(
    kind="sam",
    size=1024,
    mean=(0.485, 0.456, 0.406),
    std=(0.229, 0.224, 0.225),
)
MEDSAM_PREPROCESSING = Preprocessing(
    kind="medsam",
    size=1024,
    mean=(0.0, 0.0, 0.0),
    std=(1.0, 1.0, 1.0),
)
SAM_TINY_PREPROCESSING = Preprocessing(
    kind="medsam",
    size=256,
    mean=(0.4, 0.4, 0.4),
    std=(0.25, 0.25, 0.25),
)

MEDSAM_LICENCE = "Apache-2.0, Ma et al. 2024, https://github.com/bowang-lab/MedSAM"
SAM_LICENCE = (
    "Apache-2.0, Kirillov et al. 2023, https://github.com/facebookresearch/segment-anything"
)
SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything/"
MEDSAM_DRIVE_ID = "1UAmWL88roYR7wKlnApw5Bcuzf2iQgk6_"

BACKBONES = {
    "sam_tiny": Backbone(
        preprocessing=SAM_TINY_PREPROCESSING,
        encoder_dim=128,
        encoder_depth=4,
        encoder_heads=4,
        global_attention=(1, 3),
        patch_size=8,
        window_size=8,
        channels=64,
        decoder_heads=4,
        decoder_mlp_dim=256,
    ),
    "medsam_vit_b": Backbone(
        preprocessing=MEDSAM_PREPROCESSING,
        encoder_dim=768,
        encoder_depth=12,
        encoder_heads=12,
        global_attention=(2, 5, 8, 11),
        source=Source(
            url="https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
            sha256="34b34b78c1d18cb8c6bf84cf9c00e135d6d6c965699f3c0e31ef1bc9dcb5be74",
            size_bytes=375_049_145,
            licence=MEDSAM_LICENCE,
            # The authors' own copy. Programs cannot list the folder, only fetch a file by its id.
            mirrors=(
                "https://drive.usercontent.google.com/download"
                f"?id={MEDSAM_DRIVE_ID}&export=download&confirm=t",
            ),
            download_page="https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
        ),
    ),
    "sam_vit_b": Backbone(
        preprocessing=SAM_PREPROCESSING,
        encoder_dim=768,
        encoder_depth=12,
        encoder_heads=12,
        global_attention=(2, 5, 8, 11),
        source=Source(
            url=f"{SAM_FILES}sam_vit_b_01ec64.pth",
            sha256="ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912",
            size_bytes=375_042_383,
            licence=SAM_LICENCE,
        ),
    ),
    "sam_vit_l": Backbone(
        preprocessing=SAM_PREPROCESSING,
        encoder_dim=1024,
        encoder_depth=24,
        encoder_heads=16,
        global_attention=(5, 11, 17, 23),
        source=Source(
            url=f"{SAM_FILES}sam_vit_l_0b3195.pth",
            sha256="3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622",
            size_bytes=1_249_524_607,
            licence=SAM_LICENCE,
        ),
    ),
    "sam_vit_h": Backbone(
        preprocessing=SAM_PREPROCESSING,
        encoder_dim=1280,
        encoder_depth=32,
        encoder_heads=16,
        global_attention=(7, 15, 23, 31),
        source=Source(
            url=f"{SAM_FILES}sam_vit_h_4b8939.pth",
            sha256="a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e",
            size_bytes=2_564_550_879,
            licence=SAM_LICENCE,
        ),
    ),
}
