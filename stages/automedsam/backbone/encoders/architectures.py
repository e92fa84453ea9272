"""Architectures of image encoders: how a network is built, and how it is made fast."""

from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import torch
from torch import nn

from automedsam.backbone.encoders.fast_tiny_vit import FastTinyViT
from automedsam.backbone.encoders.fast_vit import FastImageEncoder
from automedsam.backbone.encoders.tiny_vit import TinyViT
from automedsam.backbone.sam_networks import ImageEncoderViT


class EncoderArchitecture(Protocol):
    """An image encoder, (B, 3, S, S) to (B, C, S / cell_px, S / cell_px)."""

    @property
    def cell_px(self) -> int:
        """Side of a cell of the embedding, in pixels of the input."""

    def build(self, input_size: int, channels: int) -> nn.Module:
        """Return the network with random weights, whose state dict is that of the checkpoint.

        Args:
          input_size: S.
          channels: C.
        """

    def accelerate(self, network: Any, dtype: torch.dtype) -> nn.Module:
        """Return a faster module that takes over the parameters of the network.

        Args:
          network: The result of `build`, with its weights.
          dtype: Type of the products that tolerate it; float32 computes the same function.
        """


@dataclass(frozen=True, kw_only=True)
class ViTArchitecture:
    """SAM's vision transformer.

    Attributes:
      dim: Channels of the tokens.
      depth: Number of blocks.
      heads: Attention heads of a block.
      global_attention: Indices of the blocks that attend to the whole image; the others attend to
        windows.
      cell_px: Side of a patch, which is one cell of the embedding, in pixels of the input.
      window: Side of an attention window, in patches.
    """

    dim: int
    depth: int
    heads: int
    global_attention: tuple[int, ...]
    cell_px: int = 16
    window: int = 14

    def build(self, input_size: int, channels: int) -> ImageEncoderViT:
        """Return segment_anything's network; see `EncoderArchitecture`."""
        return ImageEncoderViT(
            img_size=input_size,
            patch_size=self.cell_px,
            embed_dim=self.dim,
            depth=self.depth,
            num_heads=self.heads,
            mlp_ratio=4,
            out_chans=channels,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=self.window,
            global_attn_indexes=self.global_attention,
        )

    def accelerate(self, network: ImageEncoderViT, dtype: torch.dtype) -> FastImageEncoder:
        """Return the faster module; see `EncoderArchitecture`."""
        return FastImageEncoder(network, dtype)


@dataclass(frozen=True, kw_only=True)
class TinyViTArchitecture:
    """LiteMedSAM's TinyViT.

    Attributes:
      dims: Channels of each stage.
      depths: Number of blocks of each stage.
      heads: Attention heads of each stage.
      windows: Side of the attention windows of each stage, in cells.
    """

    dims: tuple[int, ...]
    depths: tuple[int, ...]
    heads: tuple[int, ...]
    windows: tuple[int, ...]

    @property
    def cell_px(self) -> int:
        """Side of a cell, in px of the input: all mergings but the last halve the resolution."""
        return 2 ** (len(self.dims) - 2)

    def build(self, input_size: int, channels: int) -> TinyViT:
        """Return the network, which works for every `input_size`; see `EncoderArchitecture`."""
        return TinyViT(
            dims=self.dims,
            depths=self.depths,
            heads=self.heads,
            windows=self.windows,
            out_channels=channels,
        )

    def accelerate(self, network: TinyViT, dtype: torch.dtype) -> FastTinyViT:
        """Return the faster module; see `EncoderArchitecture`."""
        return FastTinyViT(network, dtype)


VIT_B = ViTArchitecture(dim=768, depth=12, heads=12, global_attention=(2, 5, 8, 11))
