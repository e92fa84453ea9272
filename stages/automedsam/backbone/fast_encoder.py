"""SAM's image encoder, computed faster: the same weights, the same result, no matrix of attention scores in memory.

SAM adds to the scores of query (y, x) and key (v, u) a bias that depends on v - y and one that depends on u - x (Li et
al., MViTv2, "decomposed relative position embedding"), which keeps it from PyTorch's fused attention: ViT-B then holds
12 x 4096 x 4096 scores a global block. Both biases are products of the query with a table, so that they can be folded
into query and key: with the query's biases for every row and column appended to it, and the key's own row and column
as one-hot vectors to the key, their plain product is score and bias at once.
"""

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FastImageEncoder(nn.Module):
    """Takes the parts of segment-anything's `ImageEncoderViT` and computes what it would.

    In fp32 to the last digits. In a lower precision the products are computed in that one, and what is handed from
    block to block, the first and the last layers in fp32: closer to the fp32 result than autocast.
    """

    def __init__(self, encoder: Any, dtype: torch.dtype = torch.float32) -> None:
        """
        Args:
          encoder: its parameters become this module's own, those of the blocks' products in `dtype`.
          dtype: of the products.
        """
        super().__init__()
        self.patch_embed, self.pos_embed, self.neck = (
            encoder.patch_embed,
            encoder.pos_embed,
            encoder.neck,
        )
        grid = self.pos_embed.shape[1]
        self.blocks = nn.ModuleList(_Block(block, grid, dtype) for block in encoder.blocks)

    def forward(self, images: Tensor) -> Tensor:
        """Images (B, 3, S, S), fp32, to embeddings (B, C, grid, grid), fp32."""
        with torch.autocast(images.device.type, enabled=False):
            # The patches come with their channels far apart, which would slow down all that follows.
            x = (self.pos_embed + self.patch_embed(images)).contiguous()  # (B, grid, grid, dim)
            for block in self.blocks:
                x = block(x)
            return self.neck(x.permute(0, 3, 1, 2))


class _Block(nn.Module):
    """Attention in windows, or over the whole grid, and the perceptron."""

    row_table: Tensor  # (window, window, d), of every query's row and key's row
    column_table: Tensor
    places: Tensor  # (cells, 2 window), one-hot rows and columns

    def __init__(self, block: Any, grid: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.window = block.window_size or grid  # cells
        self.heads = block.attn.num_heads
        self.norm1, self.norm2 = block.norm1, block.norm2
        self.qkv, self.proj, self.mlp = (
            part.to(dtype) for part in (block.attn.qkv, block.attn.proj, block.mlp)
        )
        for name, table in (
            ("row_table", block.attn.rel_pos_h),
            ("column_table", block.attn.rel_pos_w),
        ):
            self.register_buffer(name, _relative(table, self.window).to(dtype), persistent=False)
        one_hot = torch.eye(self.window, dtype=dtype)
        rows, columns = one_hot.repeat_interleave(self.window, 0), one_hot.repeat(self.window, 1)
        self.register_buffer("places", torch.cat([rows, columns], 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """(B, grid, grid, dim), fp32, to the same, in its place."""
        x += self._attend(self.norm1(x).to(self.dtype))
        x += self.mlp(self.norm2(x).to(self.dtype))
        return x

    def _attend(self, x: Tensor) -> Tensor:
        batch, height, width, dim = x.shape
        window, heads = self.window, self.heads
        # SAM pads with zeros before the linear layer, so that padding has its bias: a key and a value like any other.
        padded = -(-height // window) * window
        qkv = self.qkv.bias.expand(batch, padded, padded, 3 * dim).clone()
        qkv[:, :height, :width] = self.qkv(x)
        across = padded // window
        windows = qkv.reshape(batch, across, window, across, window, 3, heads, dim // heads)
        queries, keys, values = windows.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(
            3, batch * across**2, heads, window, window, dim // heads
        )
        attended = self._attend_windows(
            queries, keys, values
        )  # (windows, heads, window, window, dim / heads)
        attended = attended.reshape(batch, across, across, heads, window, window, dim // heads)
        attended = attended.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, padded, padded, dim)
        return self.proj(
            attended[:, :height, :width].contiguous()
        )  # else it copies its weights for every row

    def _attend_windows(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """All (windows, heads, window, window, d): attention of each cell of a window to all of its cells."""
        count, heads, window, _, d = queries.shape
        row_bias = torch.einsum("nhyxd,yvd->nhyxv", queries, self.row_table)
        column_bias = torch.einsum("nhyxd,xud->nhyxu", queries, self.column_table)
        folded_queries = torch.cat([queries * d**-0.5, row_bias, column_bias], -1).flatten(2, 3)
        places = self.places.expand(count, heads, -1, -1)
        folded_keys = torch.cat(
            [keys.flatten(2, 3), places], -1
        )  # (windows, heads, cells, d + 2 window)
        padded_values = F.pad(
            values.flatten(2, 3), (0, 2 * window)
        )  # fused kernels want one width for all three
        attended = F.scaled_dot_product_attention(
            folded_queries, folded_keys, padded_values, scale=1.0
        )
        return attended[..., :d].reshape(count, heads, window, window, d)


def _relative(table: Tensor, length: int) -> Tensor:
    """Embeddings (2 length - 1, d) of every distance, to those of every query and key (length, length, d)."""
    at = torch.arange(length)
    return table[at[:, None] - at[None, :] + length - 1]
