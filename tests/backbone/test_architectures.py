"""Architectures of the backbones, and the official sources of their weights."""

import re
from importlib import import_module
from pkgutil import iter_modules
from typing import get_args

import pytest
import torch

from automedsam.backbone import catalogue
from automedsam.backbone.backbones import BACKBONES
from automedsam.runtime.options import BackboneName
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


def test_every_name_has_a_module_of_the_catalogue_and_every_module_a_name() -> None:
    modules = [
        import_module(f"{catalogue.__name__}.{found.name}")
        for found in iter_modules(catalogue.__path__)
    ]
    defined = {
        module.__name__.rpartition(".")[2]: module.BACKBONE
        for module in modules
        if hasattr(module, "BACKBONE")
    }
    assert defined == BACKBONES
    assert tuple(BACKBONES) == get_args(BackboneName)


@pytest.mark.parametrize("name", BACKBONES)
def test_licence_and_training_data_of_every_backbone_are_stated(name: str) -> None:
    backbone = BACKBONES[name]
    assert backbone.licence.startswith("Apache-2.0, ")
    assert backbone.training_data
    assert "\n" not in backbone.licence + backbone.training_data


@pytest.mark.parametrize("name", [name for name in BACKBONES if name != "sam_tiny"])
def test_source_identifies_the_official_file(name: str) -> None:
    backbone = BACKBONES[name]
    source = backbone.source
    assert source is not None
    assert source.urls
    assert all(url.startswith("https://") for url in source.urls)
    assert re.fullmatch("[0-9a-f]{64}", source.sha256 or "")
    assert source.name.startswith(name)
    assert source.licence == backbone.licence
    with torch.device("meta"):
        parts = (
            backbone.build_encoder(),
            backbone.build_prompt_encoder(),
            backbone.build_mask_decoder(),
        )
    state = [value for part in parts for value in part.state_dict().values()]
    # The rest is names; LiteMedSAM also has counters of type int64.
    assert 0 < (source.size_bytes or 0) - sum(value.nbytes for value in state) < 250_000


def test_sam_tiny_alone_is_part_of_the_package() -> None:
    assert [name for name, backbone in BACKBONES.items() if backbone.source is None] == ["sam_tiny"]
    hashes = [backbone.source.sha256 for backbone in BACKBONES.values() if backbone.source]
    assert len(set(hashes)) == len(BACKBONES) - 1


def test_lite_medsam_has_the_tensors_of_its_checkpoint() -> None:
    backbone = BACKBONES["lite_medsam"]
    shapes = backbone.shapes
    assert len(shapes) == 435
    assert shapes["image_encoder.patch_embed.seq.0.c.weight"] == (32, 3, 1, 1)
    assert shapes["image_encoder.layers.1.blocks.0.attn.attention_biases"] == (4, 49)
    assert shapes["image_encoder.layers.2.blocks.5.attn.attention_biases"] == (5, 196)
    assert shapes["image_encoder.layers.2.downsample.conv1.c.weight"] == (320, 160, 1, 1)
    assert shapes["image_encoder.layers.3.blocks.1.mlp.fc1.weight"] == (1280, 320)
    assert shapes["image_encoder.layers.3.blocks.1.local_conv.bn.num_batches_tracked"] == ()
    assert shapes["image_encoder.neck.2.weight"] == (256, 256, 3, 3)
    assert backbone.preprocessing.kind == "lite_medsam"
    assert (backbone.preprocessing.size, backbone.grid) == (256, 64)


def test_decoder_of_lite_medsam_is_that_of_segment_anything() -> None:
    expected = {
        key: shape
        for key, shape in BACKBONES["medsam_vit_b"].shapes.items()
        if not key.startswith("image_encoder.")
    }
    found = BACKBONES["lite_medsam"].shapes
    assert {key: found[key] for key in expected} == expected
    assert len(expected) == len([key for key in found if not key.startswith("image_encoder.")])
