"""Tests of the locator that uses embeddings."""

import pytest
import torch

from automedsam.model.embedding_locator import EmbeddingLocator


@pytest.mark.parametrize(("channels", "grid"), [(32, 8), (64, 32), (16, (5, 9))])
def test_a_map_has_one_logit_per_cell(channels: int, grid: int | tuple[int, int]) -> None:
    size = (grid, grid) if isinstance(grid, int) else grid
    assert EmbeddingLocator(channels)(torch.randn(3, channels, *size)).shape == (3, 1, *size)


def test_evaluation_is_deterministic_and_training_is_not() -> None:
    locator, embeddings = EmbeddingLocator(32), torch.randn(2, 32, 8, 8)
    assert not torch.equal(locator(embeddings), locator(embeddings))
    locator.eval()
    assert torch.equal(locator(embeddings), locator(embeddings))


def test_images_of_a_batch_are_independent() -> None:
    locator, embeddings = EmbeddingLocator(32).eval(), torch.randn(3, 32, 8, 8)
    for number, single in enumerate(embeddings.split(1)):
        torch.testing.assert_close(
            locator(embeddings)[number : number + 1], locator(single), atol=1e-5, rtol=1e-4
        )


def test_equal_cells_differ_by_their_position() -> None:
    """Cells in the middle are too far from the edges to be influenced by the padding."""
    locator, equal = EmbeddingLocator(8).eval(), torch.ones(1, 8, 40, 40)
    assert locator(equal)[..., 15:25, 15:25].std() > 1e-3
    with torch.no_grad():
        locator.layers[0].weight[:, 8:] = 0
    assert locator(equal)[..., 15:25, 15:25].std() < 1e-5


def test_gradients_reach_every_parameter() -> None:
    locator = EmbeddingLocator(32)
    locator(torch.randn(4, 32, 8, 8)).square().sum().backward()
    for name, parameter in locator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_map_in_16_bits_is_close_to_32_bits() -> None:
    locator, embeddings = EmbeddingLocator(32).eval(), torch.randn(2, 32, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        logits = locator(embeddings)
    torch.testing.assert_close(logits.float(), locator(embeddings), atol=0.05, rtol=0.05)


def test_each_class_has_a_map() -> None:
    assert EmbeddingLocator(32, classes=3)(torch.randn(2, 32, 8, 8)).shape == (2, 3, 8, 8)
