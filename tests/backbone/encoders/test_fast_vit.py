"""The fast image encoder, compared with SAM's own encoder of the same weights."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from automedsam.backbone.architectures import Backbone
from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.encoders.architectures import VIT_B
from automedsam.backbone.encoders.fast_vit import FastImageEncoder
from automedsam.backbone.weights import Weights
from tiny_sam import TINY


def stock_encoder(backbone: Backbone) -> nn.Module:
    """SAM's own encoder, with random position embeddings: SAM initializes them to zero."""
    encoder = backbone.build_encoder().eval().requires_grad_(False)
    for name, parameter in encoder.named_parameters():
        if "rel_pos" in name or name == "pos_embed":
            parameter.data.normal_(std=0.3)
    return encoder


def error(found: Tensor, expected: Tensor) -> float:
    return ((found.float() - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize(
    "window", [4, 3, 8, 5], ids=lambda window: f"window_of_{window}_in_a_grid_of_8"
)
@pytest.mark.parametrize("global_attention", [(), (0,), (0, 1)])
@pytest.mark.parametrize("batch", [1, 2])
def test_result_equals_segment_anything(
    window: int, global_attention: tuple[int, ...], batch: int
) -> None:
    """Windows that do not divide the grid are padded, with non-zero keys and values."""
    stock = stock_encoder(
        replace(
            TINY,
            encoder=replace(
                TINY.encoder, window=window, depth=2, global_attention=global_attention
            ),
        )
    )
    images = torch.rand(batch, 3, 64, 64)
    expected = stock(images)
    assert torch.allclose(FastImageEncoder(copy.deepcopy(stock))(images), expected, atol=2e-5)


def test_batch_is_encoded_like_its_images_one_by_one() -> None:
    fast = FastImageEncoder(stock_encoder(TINY))
    images = torch.rand(3, 3, 64, 64)
    assert torch.allclose(fast(images)[1:2], fast(images[1:2]), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_inputs_of_all_layers_are_contiguous(batch: int) -> None:
    """Otherwise each layer copies its input or strides over it: a quarter of the time on ViT-B."""
    fast = FastImageEncoder(stock_encoder(TINY))
    inputs = []
    for part in fast.blocks.modules():
        if isinstance(part, nn.LayerNorm | nn.Linear):
            part.register_forward_pre_hook(lambda _, given: inputs.append(given[0].is_contiguous()))
    fast(torch.rand(batch, 3, 64, 64))
    assert inputs == [True] * 6 * len(fast.blocks)


def test_bf16_is_closer_to_fp32_than_autocast() -> None:
    stock = Weights("sam_tiny").load_encoder()
    images = torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        expected = stock(images)
        with torch.autocast("cpu", torch.bfloat16):
            autocast_error = error(stock(images), expected)
        fast = FastImageEncoder(copy.deepcopy(stock), torch.bfloat16)(images)
    assert fast.dtype == torch.float32
    assert error(fast, expected) < min(1e-2, autocast_error)


def test_surrounding_autocast_changes_nothing() -> None:
    fast = FastImageEncoder(stock_encoder(TINY), torch.bfloat16)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = fast(images)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(fast(images), expected)


@pytest.mark.slow
def test_result_equals_segment_anything_on_vit_b() -> None:
    """One block of each kind with the widths of ViT-B; windows of 14 do not divide the grid."""
    vit_b = BACKBONES["medsam_vit_b"]
    preprocessing = replace(vit_b.preprocessing, size=512)
    stock = stock_encoder(
        replace(
            vit_b,
            preprocessing=preprocessing,
            encoder=replace(VIT_B, depth=2, global_attention=(1,)),
        )
    )
    images = torch.rand(1, 3, 512, 512)
    with torch.inference_mode():
        expected = stock(images)
        assert error(FastImageEncoder(copy.deepcopy(stock))(images), expected) < 1e-5
        assert error(FastImageEncoder(stock, torch.bfloat16)(images), expected) < 1e-2
