"""Embeddings in int8: error of at most half a step per channel, and channels with NaN."""

import pytest
import torch
from torch import Tensor

from automedsam.backbone.quantization import pack, unpack


@pytest.fixture
def embedding() -> Tensor:
    """An embedding with channels of very different magnitudes."""
    return (torch.randn(4, 8, 8) * torch.tensor([0.01, 0.1, 1, 10])[:, None, None]).half()


def test_fp16_is_stored_unchanged(embedding: Tensor) -> None:
    packed = pack(embedding, "float16")
    assert packed.keys() == {"embedding"}
    assert packed["embedding"] is embedding
    assert unpack(packed).dtype == torch.float32
    assert torch.equal(unpack(packed), embedding.float())


def test_int8_error_is_at_most_half_a_step_per_channel(embedding: Tensor) -> None:
    packed = pack(embedding, "int8")
    assert {key: (value.dtype, value.shape) for key, value in packed.items()} == {
        "embedding": (torch.int8, (4, 8, 8)),
        "scale": (torch.float32, (4,)),
    }
    assert packed["embedding"].int().abs().amax((1, 2)).tolist() == [127] * 4
    error = (unpack(packed) - embedding.float()).abs().amax((1, 2))
    assert (error <= 0.501 * packed["scale"]).all()
    assert (error > 0).all()


def test_packing_twice_changes_nothing(embedding: Tensor) -> None:
    once = unpack(pack(embedding, "int8"))
    assert torch.allclose(unpack(pack(once, "int8")), once, rtol=1e-6)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 65504.0, -65504.0, 6e-8])
def test_constant_channel_is_kept(value: float) -> None:
    embedding = torch.full((1, 4, 4), value).half()
    assert torch.allclose(unpack(pack(embedding, "int8")), embedding.float(), rtol=1e-6, atol=0)


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
def test_only_a_channel_that_is_not_finite_becomes_nan(embedding: Tensor, value: float) -> None:
    damaged = embedding.clone()
    damaged[1, 2, 3] = value
    found = unpack(pack(damaged, "int8"))
    assert found[1].isnan().all()
    assert torch.equal(found[[0, 2, 3]], unpack(pack(embedding, "int8"))[[0, 2, 3]])
