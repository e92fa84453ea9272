"""The fast TinyViT, compared with the plain one of the same weights."""

import copy

import pytest
import torch
from torch import Tensor

from automedsam.backbone.encoders.fast_tiny_vit import FastTinyViT
from tiny_sam import random_tiny_vit

FP32_TOLERANCE = 1e-5


def error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("side", [32, 56, 64, 100])
@pytest.mark.parametrize("windows", [(7, 7, 14, 7), (4, 4, 8, 4), (5, 3, 4, 2)])
def test_result_equals_the_random_tiny_vit(side: int, windows: tuple[int, int, int, int]) -> None:
    """Some windows divide the grids of sides side / 2 and side / 4, others need padding."""
    plain = random_tiny_vit(windows)
    images = torch.rand(2, 3, side, side)
    expected = plain(images)
    found = FastTinyViT(plain)(images)
    assert found.shape == (2, 32, side // 4, side // 4)
    assert found.is_contiguous()
    assert error(found, expected) < FP32_TOLERANCE


@pytest.mark.parametrize("size", [(64, 64), (70, 54), (33, 47)])
@pytest.mark.parametrize("cells", [1, 100, 640, 10**6])
def test_result_is_independent_of_the_height_of_strips(
    cells: int, size: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Strips of 1 row, of some rows that do not divide the height, and of all rows.

    Mergings with stride 2 receive grids of even and of odd height.
    """
    plain = random_tiny_vit()
    images = torch.rand(2, 3, *size)
    expected = plain(images)
    monkeypatch.setattr("automedsam.backbone.encoders.fast_tiny_vit.STRIP_CELLS", cells)
    assert error(FastTinyViT(plain)(images), expected) < FP32_TOLERANCE


def test_batch_is_encoded_like_its_images_one_by_one() -> None:
    fast = FastTinyViT(random_tiny_vit())
    images = torch.rand(3, 3, 64, 64)
    assert error(fast(images)[1:2], fast(images[1:2])) < FP32_TOLERANCE


def test_equal_input_gives_equal_bytes_and_is_not_modified() -> None:
    fast = FastTinyViT(random_tiny_vit())
    images = torch.rand(1, 3, 64, 64)
    before = images.clone()
    assert torch.equal(fast(images), fast(images))
    assert torch.equal(images, before)


def test_random_tiny_vit_computes_the_same_afterwards() -> None:
    plain = random_tiny_vit()
    images = torch.rand(1, 3, 64, 64)
    expected = plain(images)
    FastTinyViT(plain)(images)
    assert torch.equal(plain(images), expected)


def test_random_numbers_are_not_consumed() -> None:
    plain = random_tiny_vit()
    state = torch.get_rng_state()
    FastTinyViT(plain)
    assert torch.equal(torch.get_rng_state(), state)


def test_bf16_is_closer_to_fp32_than_autocast() -> None:
    plain = random_tiny_vit()
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = plain(images)
        with torch.autocast("cpu", torch.bfloat16):
            autocast_error = error(plain(images), expected)
        fast = FastTinyViT(copy.deepcopy(plain), torch.bfloat16)(images)
    assert fast.dtype == torch.float32
    assert FP32_TOLERANCE < error(fast, expected) < min(1e-2, autocast_error)


def test_surrounding_autocast_changes_nothing() -> None:
    fast = FastTinyViT(random_tiny_vit(), torch.bfloat16)
    images = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        expected = fast(images)
        with torch.autocast("cpu", torch.bfloat16):
            assert torch.equal(fast(images), expected)
