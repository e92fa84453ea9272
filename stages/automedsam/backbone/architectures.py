"""What defines a backbone: its networks, its preprocessing, and the source of its weights."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import nn

from automedsam.backbone.encoders.architectures import EncoderArchitecture
from automedsam.backbone.preprocessing import Preprocessing
from automedsam.backbone.sam_networks import MaskDecoder, PromptEncoder, TwoWayTransformer
from automedsam.runtime.downloads import Source

PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")  # prefixes of a state dict's keys


@dataclass(frozen=True, kw_only=True)
class Backbone:
    """A promptable segmentation model in the manner of SAM.

    Attributes:
      preprocessing: Preprocessing that the weights were trained with; defines the input size S.
      encoder: Architecture of the image encoder.
      channels: Channels C of the embedding and of the decoder.
      decoder_heads: Attention heads of the mask decoder.
      decoder_mlp_dim: Hidden channels of the mask decoder's MLPs.
      source: Official weights; None if they are part of this package.
      licence: Licence and authors of the weights.
      training_data: What is known of the images that the weights were trained on.
    """

    preprocessing: Preprocessing
    encoder: EncoderArchitecture
    channels: int = 256
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048
    source: Source | None = None
    licence: str
    training_data: str

    @property
    def grid(self) -> int:
        """Side of the embedding, in cells."""
        return self.preprocessing.size // self.encoder.cell_px

    def build_encoder(self) -> nn.Module:
        """Return the image encoder, (B, 3, S, S) to (B, C, grid, grid), with random weights."""
        return self.encoder.build(self.preprocessing.size, self.channels)

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
