"""Reduction of large embeddings: principal components of channels, averages of cells."""

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.model.embedding_reduction import MAX_CHANNELS, MAX_GRID, EmbeddingReduction


def embeddings(count: int, channels: int, grid: int) -> Tensor:
    """Return random embeddings whose channels depend on each other, with a mean other than 0."""
    rng = np.random.default_rng(0)
    mixing = rng.normal(size=(channels, channels)) * np.linspace(3, 0.1, channels)
    values = np.einsum("oc,nchw->nohw", mixing, rng.normal(size=(count, channels, grid, grid)))
    offset = rng.normal(size=channels)[:, None, None]
    return torch.tensor(values + offset, dtype=torch.float32)


def fitted(given: Tensor) -> EmbeddingReduction:
    reduction = EmbeddingReduction(given.shape[1])
    reduction.fit(given.split(2))
    return reduction


@pytest.mark.parametrize("channels", [1, 32, MAX_CHANNELS])
def test_small_embeddings_remain_unchanged_without_a_fit(channels: int) -> None:
    reduction = EmbeddingReduction(channels)
    assert reduction.channels == channels
    given = torch.randn(2, channels, MAX_GRID, MAX_GRID)
    assert torch.equal(reduction(given), given)


def test_a_fit_to_small_embeddings_reads_none_and_changes_nothing() -> None:
    reduction = EmbeddingReduction(MAX_CHANNELS)
    before = {key: value.clone() for key, value in reduction.state_dict().items()}
    given = iter([torch.randn(1, MAX_CHANNELS, 4, 4)])
    reduction.fit(given)
    assert len(list(given)) == 1
    assert all(torch.equal(value, before[key]) for key, value in reduction.state_dict().items())


def test_channels_are_those_of_principal_component_analysis() -> None:
    """The reference is numpy's singular value decomposition of the centred cells."""
    given = embeddings(6, 70, 8)
    reduced = fitted(given)(given)
    assert reduced.shape == (6, MAX_CHANNELS, 8, 8)
    assert reduced.dtype == torch.float32
    cells = given.permute(0, 2, 3, 1).reshape(-1, 70).double().numpy()
    centred = cells - cells.mean(0)
    _, singular_values, components = np.linalg.svd(centred, full_matrices=False)
    expected = centred @ components[:MAX_CHANNELS].T  # (cells, R), the largest variance first
    expected /= np.sqrt((singular_values[:MAX_CHANNELS] ** 2 / len(cells)).mean())
    found = reduced.permute(0, 2, 3, 1).reshape(-1, MAX_CHANNELS).numpy()[:, ::-1]
    signs = np.sign((found * expected).sum(0))
    assert np.abs(found * signs - expected).max() < 1e-3 * expected.std()


def test_reduced_channels_are_uncorrelated_with_mean_variance_1_in_ascending_order() -> None:
    given = embeddings(6, 70, 8)
    cells = fitted(given)(given).double().transpose(0, 1).flatten(1)
    covariance = torch.cov(cells, correction=0)
    variances = covariance.diagonal()
    assert cells.mean(1).abs().max() < 1e-4
    assert (covariance - variances.diag()).abs().max() < 1e-4
    assert variances.mean().item() == pytest.approx(1, rel=1e-4)
    assert (variances.diff() >= 0).all()
    assert variances[-1] > 2 * variances[0]


def test_components_are_those_of_the_given_embeddings_only() -> None:
    """Channels that vary elsewhere are ignored if the fit did not see them vary."""
    seen = embeddings(4, 80, 8)
    seen[:, 64:] = 5
    reduction = fitted(seen)
    other = torch.zeros(1, 80, 8, 8)
    other[:, 64:] = torch.randn(1, 16, 8, 8)
    assert reduction(other).std((2, 3)).max() < 1e-4
    assert reduction(seen).std((0, 2, 3)).min() > 1e-2


@pytest.mark.parametrize("channels", [8, 80])
def test_cells_are_averages_of_2_x_2(channels: int) -> None:
    given = embeddings(2, channels, 2 * MAX_GRID)
    means = torch.stack([given[:, :, y::2, x::2] for y in (0, 1) for x in (0, 1)]).mean(
        0
    )  # (2, C, 32, 32)
    reduction = fitted(given)
    reduced = reduction(given)
    assert reduced.shape == (2, min(channels, MAX_CHANNELS), MAX_GRID, MAX_GRID)
    torch.testing.assert_close(reduced, reduction(means), rtol=1e-4, atol=1e-4)


def test_the_fit_uses_averaged_cells() -> None:
    """A channel that alternates from cell to cell has no variance after the averaging."""
    given = torch.randn(1, 65, 64, 64)
    given[:, 7] = 100 * (-1.0) ** torch.arange(64)
    weights = fitted(given).components[:, 7].abs()
    assert weights.max() < 1e-6


def test_a_single_mean_cell_remains_of_each_block_of_3_x_3() -> None:
    given = torch.arange(96.0 * 96).reshape(1, 1, 96, 96)
    assert EmbeddingReduction(1)(given)[0, 0, 0, 1] == given[0, 0, :3, 3:6].mean()


def test_equal_embeddings_give_equal_bytes() -> None:
    given = embeddings(4, 80, 8)
    one, other = fitted(given), fitted(given.clone())
    for key, value in one.state_dict().items():
        assert value.numpy().tobytes() == other.state_dict()[key].numpy().tobytes()
    assert torch.equal(one(given), other(given))


def test_batches_of_the_fit_do_not_matter() -> None:
    given = embeddings(4, 80, 8)
    one, other = EmbeddingReduction(80), EmbeddingReduction(80)
    one.fit(given.split(1))
    other.fit([given])
    found, expected = one(given), other(given)
    signs = (found * expected).sum((0, 2, 3)).sign()[:, None, None]
    torch.testing.assert_close(signs * found, expected, rtol=1e-3, atol=1e-3)


def test_constant_embeddings_become_zeros() -> None:
    given = torch.full((2, 80, 4, 4), 3.0)
    reduced = fitted(given)(given)
    assert reduced.isfinite().all()
    assert reduced.abs().max() < 1e-3


def test_a_fit_is_part_of_the_state() -> None:
    given = embeddings(4, 80, 8)
    reduction, restored = fitted(given), EmbeddingReduction(80)
    assert list(reduction.state_dict()) == ["centre", "components"]
    assert not list(reduction.parameters())
    assert not torch.equal(restored(given), reduction(given))
    restored.load_state_dict(reduction.state_dict())
    assert torch.equal(restored(given), reduction(given))
