"""Tests of the PromptModule: architecture, frame of its prompts, and gradients."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from automedsam.model.direct import PromptModule
from automedsam.model.prompts import Prompts
from automedsam.runtime.options import SparsePrompt

SHAPES = {"boxes_xyxy": (3, 1, 4), "points_xy": (3, 1, 2), "tokens": (3, 2, 32)}


def sparse_prompts(prompts: Prompts) -> dict[str, Tensor]:
    """The sparse prompts that are set, by the names of their fields."""
    values = {name: getattr(prompts, name) for name in SHAPES}
    return {name: value for name, value in values.items() if value is not None}


def test_number_of_parameters_is_that_of_the_paper() -> None:
    module = PromptModule(256, 1024, "tokens")
    assert sum(parameter.numel() for parameter in module.parameters()) == 2_433_984


def test_branches_are_those_of_the_paper() -> None:
    module, embeddings = PromptModule(32, 64, "tokens"), torch.randn(2, 32, 16, 16)
    shared, dense, sparse, linear = (
        (layer.weight, layer.bias)
        for layer in (module.trunk[0], module.dense, module.sparse[0], module.head)
    )
    trunk = F.relu(F.conv2d(embeddings, *shared))
    pooled = F.max_pool2d(F.relu(F.conv2d(trunk, *sparse)), 2)
    prompts = module(embeddings)
    torch.testing.assert_close(prompts.dense, F.conv2d(trunk, *dense, padding=1))
    torch.testing.assert_close(prompts.tokens, F.linear(pooled.flatten(1), *linear).view(2, 2, 32))


@pytest.mark.parametrize(
    ("kind", "name"), [("box", "boxes_xyxy"), ("point", "points_xy"), ("tokens", "tokens")]
)
def test_prompts_are_dense_and_of_one_sparse_kind(kind: SparsePrompt, name: str) -> None:
    prompts = PromptModule(32, 64, kind)(torch.randn(3, 32, 8, 8))
    assert prompts.dense.shape == (3, 32, 8, 8)
    shapes = {key: tuple(value.shape) for key, value in sparse_prompts(prompts).items()}
    assert shapes == {name: SHAPES[name]}


def test_boxes_are_ordered_and_centred_inside_of_the_frame() -> None:
    boxes = PromptModule(32, 64, "box")(10 * torch.randn(200, 32, 8, 8)).boxes_xyxy
    assert boxes is not None
    x0, y0, x1, y1 = boxes[:, 0].unbind(1)
    assert (x0 < x1).all()
    assert (y0 < y1).all()
    centres = torch.cat([x0 + x1, y0 + y1]) / 2
    assert ((centres > 0) & (centres < 64)).all()
    assert centres.std() > 1


def test_points_are_inside_of_the_frame() -> None:
    points = PromptModule(32, 64, "point")(10 * torch.randn(200, 32, 8, 8)).points_xy
    assert points is not None
    assert ((points > 0) & (points < 64)).all()
    assert points.std() > 1


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
@pytest.mark.parametrize(("channels", "grid"), [(32, 4), (32, 8), (64, 32), (16, 13)])
def test_any_grid_and_number_of_channels_is_supported(
    kind: SparsePrompt, channels: int, grid: int
) -> None:
    prompts = PromptModule(channels, 64, kind)(torch.randn(2, channels, grid, grid))
    assert prompts.dense.shape == (2, channels, grid, grid)


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_gradients_reach_every_parameter(kind: SparsePrompt) -> None:
    module = PromptModule(32, 64, kind)
    prompts = module(torch.randn(4, 32, 8, 8))
    (sparse,) = sparse_prompts(prompts).values()
    weight = torch.randn_like(sparse)
    (prompts.dense.square().sum() + (weight * sparse).sum()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_sparse_prompts_are_fp32_under_autocast(kind: SparsePrompt) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        prompts = PromptModule(32, 1024, kind)(torch.randn(2, 32, 8, 8))
    (sparse,) = sparse_prompts(prompts).values()
    assert sparse.dtype == torch.float32
