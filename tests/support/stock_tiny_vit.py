"""LiteMedSAM's image encoder, built from timm's blocks of TinyViT as an independent reference."""

from collections.abc import Sequence

# timm imports torchvision, whose missing operators this module declares.
import stock_sam  # noqa: F401

# isort: split
import torch
from timm.layers import LayerNorm2d
from timm.models.tiny_vit import MBConv, PatchEmbed, PatchMerging, TinyVitBlock
from torch import Tensor, nn


class StockTinyViT(nn.Module):
    """The published TinyViT with LiteMedSAM's changes: two strides, two kernels, and a neck."""

    def __init__(
        self,
        *,
        dims: Sequence[int],
        depths: Sequence[int],
        heads: Sequence[int],
        windows: Sequence[int],
        out_channels: int,
    ) -> None:
        super().__init__()
        self.patch_embed = PatchEmbed(3, dims[0], nn.GELU)
        for layer in (self.patch_embed.conv1, self.patch_embed.conv2):
            conv = layer.conv
            layer.conv = nn.Conv2d(conv.in_channels, conv.out_channels, 1, bias=False)
        self.layers = nn.ModuleList()
        for i, (dim, depth) in enumerate(zip(dims, depths, strict=True)):
            layer = nn.Module()
            layer.blocks = nn.ModuleList(
                TinyVitBlock(dim, heads[i], windows[i])
                if i
                else MBConv(dim, dim, expand_ratio=4, act_layer=nn.GELU, drop_path=0)
                for _ in range(depth)
            )
            if i + 1 < len(dims):
                layer.downsample = PatchMerging(dim, dims[i + 1], nn.GELU)
            self.layers.append(layer)
        self.layers[-2].downsample.conv2.conv.stride = (1, 1)
        self.neck = nn.Sequential(
            nn.Conv2d(dims[-1], out_channels, 1, bias=False),
            LayerNorm2d(out_channels, eps=1e-6),
            nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
            LayerNorm2d(out_channels, eps=1e-6),
        )

    def forward(self, images: Tensor) -> Tensor:
        x = self.patch_embed(images)
        for i, layer in enumerate(self.layers):
            x = x.permute(0, 2, 3, 1) if i else x  # its attention has the channels last
            for block in layer.blocks:
                x = block(x)
            x = x.permute(0, 3, 1, 2) if i else x
            if hasattr(layer, "downsample"):
                x = layer.downsample(x)
        return self.neck(x)

    def load_checkpoint(self, state: dict[str, Tensor]) -> None:
        """Load the tensors of LiteMedSAM's image encoder, all of which must be used."""
        names = {
            "patch_embed.seq.0.": "patch_embed.conv1.",
            "patch_embed.seq.2.": "patch_embed.conv2.",
            ".c.weight": ".conv.weight",
        }
        renamed = {}
        for key, value in state.items():
            for ours, theirs in names.items():
                key = key.replace(ours, theirs)
            renamed[key] = torch.as_tensor(value)
        self.load_state_dict(renamed)
