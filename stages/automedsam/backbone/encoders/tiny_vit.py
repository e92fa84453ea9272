"""TinyViT (Wu et al., arXiv 2207.10666) as LiteMedSAM uses it: an image encoder for SAM's decoder.

A stage of convolutions at full resolution is followed by three stages of windowed attention.
LiteMedSAM differs from the published network in three ways: the first convolutions and the last
merging keep the resolution, and a neck maps to SAM's embedding. The names of the parameters are
those of LiteMedSAM's checkpoint.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

NECK_EPS = 1e-6  # of SAM's layer norm over channels


class TinyViT(nn.Module):
    """Encodes images (B, 3, S, S) to embeddings (B, C, S / 4, S / 4)."""

    def __init__(
        self,
        *,
        dims: Sequence[int],
        depths: Sequence[int],
        heads: Sequence[int],
        windows: Sequence[int],
        out_channels: int,
        expansion: int = 4,
    ) -> None:
        """Create the network with random weights.

        Args:
          dims: Channels of each stage.
          depths: Number of blocks of each stage.
          heads: Attention heads of each stage; the first stage has no attention.
          windows: Side of the attention windows of each stage, in cells.
          out_channels: C.
          expansion: Hidden channels of a block, as a multiple of its channels.
        """
        super().__init__()
        self.patch_embed = PatchEmbedding(dims[0])
        last = len(dims) - 1
        self.layers = nn.ModuleList()
        for i, dim in enumerate(dims):
            blocks: list[nn.Module] = [
                AttentionBlock(dim, heads[i], windows[i], expansion)
                if i
                else InvertedBottleneck(dim, expansion)
                for _ in range(depths[i])
            ]
            merging = None
            if i < last:
                merging = PatchMerging(dim, dims[i + 1], stride=1 if i + 1 == last else 2)
            self.layers.append(Stage(blocks, merging))
        self.neck = nn.Sequential(
            nn.Conv2d(dims[-1], out_channels, 1, bias=False),
            ChannelNorm(out_channels),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            ChannelNorm(out_channels),
        )

    def forward(self, images: Tensor) -> Tensor:
        """Encode images (B, 3, S, S)."""
        x = self.patch_embed(images)
        for layer in self.layers:
            x = layer(x)
        return self.neck(x)


class ConvNorm(nn.Module):
    """A convolution without bias, followed by batch norm; it keeps the size if the stride is 1."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int = 1, stride: int = 1, groups: int = 1
    ) -> None:
        super().__init__()
        self.c = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.bn(self.c(x))


class PatchEmbedding(nn.Module):
    """Two pointwise convolutions; a "patch" of LiteMedSAM is a pixel."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(3, dim // 2), nn.GELU(), ConvNorm(dim // 2, dim))

    def forward(self, images: Tensor) -> Tensor:
        return self.seq(images)


class Stage(nn.Module):
    """Blocks of one resolution, and the transition to the next stage, if there is one."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class InvertedBottleneck(nn.Module):
    """MBConv (Sandler et al., arXiv 1801.04381): expand, filter each channel, reduce, add."""

    def __init__(self, dim: int, expansion: int) -> None:
        super().__init__()
        hidden = dim * expansion
        self.conv1 = ConvNorm(dim, hidden)
        self.conv2 = ConvNorm(hidden, hidden, kernel=3, groups=hidden)
        self.conv3 = ConvNorm(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        hidden = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return F.gelu(x + self.conv3(hidden))


class PatchMerging(nn.Module):
    """The transition between stages: more channels and, with stride 2, half the resolution."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(inputs, outputs)
        self.conv2 = ConvNorm(outputs, outputs, kernel=3, stride=stride, groups=outputs)
        self.conv3 = ConvNorm(outputs, outputs)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))


class AttentionBlock(nn.Module):
    """Attention in windows, a depthwise convolution, and an MLP; (B, dim, height, width)."""

    def __init__(self, dim: int, heads: int, window: int, expansion: int) -> None:
        super().__init__()
        self.attn = WindowAttention(dim, heads, window)
        self.local_conv = ConvNorm(dim, dim, kernel=3, groups=dim)
        self.mlp = Mlp(dim, dim * expansion)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attn(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
        x = self.local_conv(x)
        return x + self.mlp(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class WindowAttention(nn.Module):
    """Multi-head attention within windows, with a learned bias for each distance.

    The grid is padded with zeros on the right and below to whole windows. Cells of the padding take
    part in the attention.
    """

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)
        self.proj = nn.Linear(dim, dim)
        # One bias per head and per distance in rows and columns, regardless of the direction.
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))

    def bias(self) -> Tensor:
        """Return the bias of each query and key, (heads, cells, cells)."""
        rows, columns = (
            torch.arange(self.window**2).div(self.window, rounding_mode="floor"),
            torch.arange(self.window**2) % self.window,
        )
        distance = (rows[:, None] - rows).abs() * self.window + (columns[:, None] - columns).abs()
        return self.attention_biases[:, distance]

    def forward(self, x: Tensor) -> Tensor:
        """Attend within windows of (B, height, width, dim)."""
        batch, height, width, dim = x.shape
        down, across = math.ceil(height / self.window), math.ceil(width / self.window)
        padding = (0, 0, 0, across * self.window - width, 0, down * self.window - height)
        x = F.pad(x, padding).view(batch, down, self.window, across, self.window, dim)
        cells = x.transpose(2, 3).reshape(-1, self.window**2, dim)  # (windows, cells, dim)
        qkv = self.qkv(self.norm(cells)).unflatten(2, (self.heads, 3, dim // self.heads))
        queries, keys, values = qkv.permute(3, 0, 2, 1, 4)  # (windows, heads, cells, d) each
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(dim // self.heads) + self.bias()
        attended = self.proj((scores.softmax(-1) @ values).transpose(1, 2).flatten(2))
        joined = attended.view(batch, down, across, self.window, self.window, dim)
        joined = joined.transpose(2, 3).reshape(batch, down * self.window, -1, dim)
        return joined[:, :height, :width]


class Mlp(nn.Module):
    """Layer norm and two linear layers, over the last dimension."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class ChannelNorm(nn.Module):
    """Layer norm over the channels of (B, C, height, width), with SAM's eps."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))
        self.bias = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)
        normed = F.layer_norm(tokens, self.weight.shape, self.weight, self.bias, NECK_EPS)
        return normed.permute(0, 3, 1, 2)
