"""A faster SAM image encoder: the same weights and result, without a matrix of attention scores.

SAM adds two biases to the attention score of query (y, x) and key (v, u): one depends on v - y,
the other on u - x ("decomposed relative position embedding"; Li et al., MViTv2). They prevent the
use of PyTorch's fused attention, so a global block of ViT-B holds 12 x 4096 x 4096 scores.

Both biases are products of the query with a table, and can therefore be folded into query and key.
The query is extended by its biases for all rows and columns, the key by its own row and column as
one-hot vectors. The plain product of the two is then the score including the biases.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class FastImageEncoder(nn.Module):
    """Computes the same function as SAM's `ImageEncoderViT`, from its parts.

    In fp32 the results agree up to rounding. In a lower precision only the products inside the
    blocks are computed in that precision; the residual stream and the first and last layers stay in
    fp32. The result is closer to fp32 than that of autocast.
    """

    def __init__(self, encoder: Any, dtype: torch.dtype = torch.float32) -> None:
        """Take over the parameters of an encoder.

        Args:
          encoder: SAM's `ImageEncoderViT`. Its parameters become this module's own, and those of
            the products inside the blocks are converted to `dtype`.
          dtype: Type of these products.
        """
        super().__init__()
        self.patch_embed = encoder.patch_embed
        self.pos_embed = encoder.pos_embed
        self.neck = encoder.neck
        grid = self.pos_embed.shape[1]
        self.blocks = nn.ModuleList(_Block(block, grid, dtype) for block in encoder.blocks)

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, 3, S, S), fp32, to embeddings (B, C, grid, grid), fp32."""
        with torch.autocast(images.device.type, enabled=False):
            # The channels of a patch are not adjacent in memory, which would slow all blocks down.
            x = (self.pos_embed + self.patch_embed(images)).contiguous()  # (B, grid, grid, dim)
            for block in self.blocks:
                x = block(x)
            return self.neck(x.permute(0, 3, 1, 2))


class _Block(nn.Module):
    """A transformer block that attends to windows or to the whole grid.

    Buffers:
      row_table: (window, window, d), relative position embedding of each query row and key row.
      column_table: The same for columns.
      one_hot_cells: (cells, 2 window), one-hot row and column of each cell of a window.
    """

    row_table: Tensor
    column_table: Tensor
    one_hot_cells: Tensor

    def __init__(self, block: Any, grid: int, dtype: torch.dtype) -> None:
        super().__init__()
        self.dtype = dtype
        self.window = block.window_size or grid  # in cells; SAM marks global attention with 0
        self.heads = block.attn.num_heads
        self.norm1 = block.norm1
        self.norm2 = block.norm2
        self.qkv = block.attn.qkv.to(dtype)
        self.proj = block.attn.proj.to(dtype)
        self.mlp = block.mlp.to(dtype)
        row_table = _relative_positions(block.attn.rel_pos_h, self.window).to(dtype)
        column_table = _relative_positions(block.attn.rel_pos_w, self.window).to(dtype)
        one_hot = torch.eye(self.window, dtype=dtype)
        rows = one_hot.repeat_interleave(self.window, 0)
        columns = one_hot.repeat(self.window, 1)
        self.register_buffer("row_table", row_table, persistent=False)
        self.register_buffer("column_table", column_table, persistent=False)
        self.register_buffer("one_hot_cells", torch.cat([rows, columns], 1), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform (B, grid, grid, dim), fp32, in place, and return it."""
        x += self._attend(self.norm1(x).to(self.dtype))
        x += self.mlp(self.norm2(x).to(self.dtype))
        return x

    def _attend(self, x: Tensor) -> Tensor:
        """Split (B, height, width, dim) into windows, attend in each, and join the results."""
        batch, height, width, dim = x.shape
        window, heads = self.window, self.heads
        across = math.ceil(height / window)  # windows per side
        padded = across * window
        # SAM pads with zeros before the linear layer. Keys and values of the padding are therefore
        # the layer's bias, and take part in the attention.
        qkv = self.qkv.bias.expand(batch, padded, padded, 3 * dim).clone()
        qkv[:, :height, :width] = self.qkv(x)
        windows = qkv.reshape(batch, across, window, across, window, 3, heads, dim // heads)
        queries, keys, values = windows.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(
            3, batch * across**2, heads, window, window, dim // heads
        )
        attended = self._attend_windows(queries, keys, values)
        attended = attended.reshape(batch, across, across, heads, window, window, dim // heads)
        attended = attended.permute(0, 1, 4, 2, 5, 3, 6).reshape(batch, padded, padded, dim)
        # Contiguous, because the layer would otherwise copy its weights for every row.
        return self.proj(attended[:, :height, :width].contiguous())

    def _attend_windows(self, queries: Tensor, keys: Tensor, values: Tensor) -> Tensor:
        """Attend from each cell of a window to all of its cells.

        All shapes are (windows, heads, window, window, d).
        """
        count, heads, window, _, d = queries.shape
        row_bias = torch.einsum("nhyxd,yvd->nhyxv", queries, self.row_table)
        column_bias = torch.einsum("nhyxd,xud->nhyxu", queries, self.column_table)
        folded_queries = torch.cat([queries * d**-0.5, row_bias, column_bias], -1).flatten(2, 3)
        one_hot_cells = self.one_hot_cells.expand(count, heads, -1, -1)
        # (windows, heads, cells, d + 2 window)
        folded_keys = torch.cat([keys.flatten(2, 3), one_hot_cells], -1)
        # Fused kernels require the same width of queries, keys and values.
        padded_values = F.pad(values.flatten(2, 3), (0, 2 * window))
        attended = F.scaled_dot_product_attention(
            folded_queries, folded_keys, padded_values, scale=1.0
        )
        return attended[..., :d].reshape(count, heads, window, window, d)


def _relative_positions(table: Tensor, length: int) -> Tensor:
    """Return the embedding of the distance of every query and key.

    Args:
      table: (2 length - 1, d), one embedding per distance.
      length: Number of positions.

    Returns:
      (length, length, d), by query and key.
    """
    positions = torch.arange(length)
    return table[positions[:, None] - positions[None, :] + length - 1]
