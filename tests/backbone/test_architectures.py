"""SAM's architectures and the official sources of their weights."""

import re

import pytest
import torch

from automedsam.backbone.architectures import BACKBONES
from stock_sam import sam_model_registry


def shapes(prefix: str, module: torch.nn.Module) -> dict[str, torch.Size]:
    return {f"{prefix}.{key}": value.shape for key, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("medsam_vit_b", "vit_b"),
        ("sam_vit_b", "vit_b"),
        ("sam_vit_l", "vit_l"),
        ("sam_vit_h", "vit_h"),
    ],
)
def test_architecture_equals_segment_anything(name: str, original: str) -> None:
    backbone = BACKBONES[name]
    with torch.device("meta"):
        sam = sam_model_registry[original]()
        encoder, decoder = backbone.build_encoder(), backbone.build_mask_decoder()
        prompt_encoder = backbone.build_prompt_encoder()
    built = shapes("image_encoder", encoder) | shapes("prompt_encoder", prompt_encoder)
    assert built | shapes("mask_decoder", decoder) == {
        key: value.shape for key, value in sam.state_dict().items()
    }
    assert backbone.shapes == {key: tuple(value.shape) for key, value in sam.state_dict().items()}
    for block, original_block in zip(encoder.blocks, sam.image_encoder.blocks, strict=True):
        assert block.window_size == original_block.window_size
        assert block.attn.num_heads == original_block.attn.num_heads
    layers, original_layers = decoder.transformer.layers, sam.mask_decoder.transformer.layers
    for layer, original_layer in zip(layers, original_layers, strict=True):
        assert layer.self_attn.num_heads == original_layer.self_attn.num_heads
    assert encoder.blocks[0].norm1.eps == sam.image_encoder.blocks[0].norm1.eps
    assert prompt_encoder.input_image_size == sam.prompt_encoder.input_image_size


def test_sam_normalisation_equals_segment_anything() -> None:
    with torch.device("meta"):
        sam = sam_model_registry["vit_b"]()
    preprocessing = BACKBONES["sam_vit_b"].preprocessing
    assert preprocessing.size == sam.image_encoder.img_size
    assert [255 * value for value in preprocessing.mean] == pytest.approx([123.675, 116.28, 103.53])
    assert [255 * value for value in preprocessing.std] == pytest.approx([58.395, 57.12, 57.375])


def test_sam_tiny_has_about_1_2_million_parameters() -> None:
    backbone = BACKBONES["sam_tiny"]
    parts = [
        backbone.build_encoder(),
        backbone.build_prompt_encoder(),
        backbone.build_mask_decoder(),
    ]
    count = sum(parameter.numel() for part in parts for parameter in part.parameters())
    assert 1.1e6 < count < 1.3e6
    assert parts[0](torch.zeros(1, 3, 256, 256)).shape == (1, 64, backbone.grid, backbone.grid)


def test_every_backbone_except_sam_tiny_has_a_source() -> None:
    sources = {name: backbone.source for name, backbone in BACKBONES.items()}
    assert sources.pop("sam_tiny") is None
    assert list(sources) == ["medsam_vit_b", "sam_vit_b", "sam_vit_l", "sam_vit_h"]
    for name, source in sources.items():
        assert source is not None
        assert all(url.startswith("https://") for url in (source.url, *source.mirrors))
        assert re.fullmatch("[0-9a-f]{64}", source.sha256 or "")
        assert source.name.startswith(name)
        assert source.licence.startswith("Apache-2.0, ")
        tensor_bytes = 4 * sum(
            torch.Size(shape).numel() for shape in BACKBONES[name].shapes.values()
        )
        assert 0 < (source.size_bytes or 0) - tensor_bytes < 250_000  # the rest is names
    assert len({source.sha256 for source in sources.values() if source}) == 4
