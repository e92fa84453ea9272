"""The fast image encoder against segment-anything's own, of which it takes the weights."""

import copy
from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from automedsam.backbone.architectures import BACKBONES, Backbone
from automedsam.backbone.fast_encoder import FastImageEncoder
from automedsam.backbone.weights import Weights
from tiny_sam import TINY


def stock_encoder(backbone: Backbone) -> nn.Module:
    """segment-anything's, with position embeddings that matter: it starts them at zero."""
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
def test_the_result_is_segment_anythings(
    window: int, global_attention: tuple[int, ...], batch: int
) -> None:
    """Windows that do not divide the grid are padded, with keys and values that are not zero."""
    stock = stock_encoder(
        replace(TINY, window_size=window, encoder_depth=2, global_attention=global_attention)
    )
    images = torch.rand(batch, 3, 64, 64)
    expected = stock(images)
    assert torch.allclose(FastImageEncoder(copy.deepcopy(stock))(images), expected, atol=2e-5)


def test_an_image_is_encoded_the_same_alone_and_among_others() -> None:
    fast = FastImageEncoder(stock_encoder(TINY))
    images = torch.rand(3, 3, 64, 64)
    assert torch.allclose(fast(images)[1:2], fast(images[1:2]), atol=1e-5)


@pytest.mark.parametrize("batch", [1, 3])
def test_what_goes_through_the_blocks_lies_together_in_memory(batch: int) -> None:
    """With its channels far apart each layer copies or strides over them: on ViT-B, a quarter of the time."""
    fast = FastImageEncoder(stock_encoder(TINY))
    inputs = []
    for part in fast.blocks.modules():
        if isinstance(part, nn.LayerNorm | nn.Linear):
            part.register_forward_pre_hook(lambda _, given: inputs.append(given[0].is_contiguous()))
    fast(torch.rand(batch, 3, 64, 64))
    assert inputs == [True] * 6 * len(fast.blocks)


def test_half_precision_is_closer_to_the_full_one_than_autocast_is() -> None:
    stock = Weights("sam_tiny").load_encoder()
    images = torch.rand(1, 3, 256, 256)
    with torch.inference_mode():
        expected = stock(images)
        with torch.autocast("cpu", torch.bfloat16):
            of_autocast = error(stock(images), expected)
        fast = FastImageEncoder(copy.deepcopy(stock), torch.bfloat16)(images)
    assert fast.dtype == torch.float32
    assert error(fast, expected) < min(1e-2, of_autocast)


def test_autocast_round_it_changes_nothing() -> None:
    fast = FastImageEncoder(stock_encoder(TINY), torch.bfloat16)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = fast(images)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(fast(images), expected)


@pytest.mark.slow
def test_vit_b_is_encoded_as_segment_anything_does() -> None:
    stock = stock_encoder(BACKBONES["medsam_vit_b"])
    images = torch.rand(1, 3, 1024, 1024)
    with torch.inference_mode():
        expected = stock(images)
        assert error(FastImageEncoder(copy.deepcopy(stock))(images), expected) < 1e-5
        assert error(FastImageEncoder(stock, torch.bfloat16)(images), expected) < 1e-2
