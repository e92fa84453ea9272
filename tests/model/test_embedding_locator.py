"""The head on embeddings: a map of the grid's size, that knows places, and drops nothing when asked in earnest."""

import pytest
import torch

from automedsam.model.locators import EmbeddingLocator


@pytest.mark.parametrize(("channels", "grid"), [(32, 8), (64, 32), (16, (5, 9))])
def test_a_map_has_a_logit_a_cell(channels: int, grid: int | tuple[int, int]) -> None:
    size = (grid, grid) if isinstance(grid, int) else grid
    assert EmbeddingLocator(channels)(torch.randn(3, channels, *size)).shape == (3, 1, *size)


def test_the_same_is_seen_twice_where_nothing_is_dropped() -> None:
    locator, embeddings = EmbeddingLocator(32), torch.randn(2, 32, 8, 8)
    assert not torch.equal(locator(embeddings), locator(embeddings))
    locator.eval()
    assert torch.equal(locator(embeddings), locator(embeddings))


def test_images_of_a_batch_do_not_see_each_other() -> None:
    locator, embeddings = EmbeddingLocator(32).eval(), torch.randn(3, 32, 8, 8)
    for number, alone in enumerate(embeddings.split(1)):
        torch.testing.assert_close(
            locator(embeddings)[number : number + 1], locator(alone), atol=1e-5, rtol=1e-4
        )


def test_cells_that_look_alike_are_told_apart_by_their_place() -> None:
    """Those in the middle, too far from the edges to feel the padding there."""
    locator, alike = EmbeddingLocator(8).eval(), torch.ones(1, 8, 40, 40)
    assert locator(alike)[..., 15:25, 15:25].std() > 1e-3
    with torch.no_grad():
        locator.layers[0].weight[:, 8:] = 0
    assert locator(alike)[..., 15:25, 15:25].std() < 1e-5


def test_gradients_reach_every_parameter() -> None:
    locator = EmbeddingLocator(32)
    locator(torch.randn(4, 32, 8, 8)).square().sum().backward()
    for name, parameter in locator.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_it_runs_in_16_bits() -> None:
    locator, embeddings = EmbeddingLocator(32).eval(), torch.randn(2, 32, 8, 8)
    with torch.autocast("cpu", torch.bfloat16):
        found = locator(embeddings)
    torch.testing.assert_close(found.float(), locator(embeddings), atol=0.05, rtol=0.05)


def test_there_is_a_map_of_each_class() -> None:
    assert EmbeddingLocator(32, classes=3)(torch.randn(2, 32, 8, 8)).shape == (2, 3, 8, 8)
