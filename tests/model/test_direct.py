"""The PromptModule: its size, the frame and order of what it says, and that all of it can learn."""

import pytest
import torch
from torch.nn import functional as F

from automedsam.model.direct import PromptModule
from automedsam.runtime.options import SparsePrompt

SHAPES = {"boxes_xyxy": (3, 1, 4), "points_xy": (3, 1, 2), "tokens": (3, 2, 32)}


def test_it_has_the_papers_number_of_parameters() -> None:
    module = PromptModule(256, 1024, "tokens")
    assert sum(parameter.numel() for parameter in module.parameters()) == 2_433_984


def test_its_branches_are_those_of_the_paper() -> None:
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
def test_it_gives_a_dense_prompt_and_one_kind_of_sparse(kind: SparsePrompt, name: str) -> None:
    prompts = PromptModule(32, 64, kind)(torch.randn(3, 32, 8, 8))
    assert prompts.dense.shape == (3, 32, 8, 8)
    found = {key: getattr(prompts, key) for key in SHAPES if getattr(prompts, key) is not None}
    assert {key: tuple(value.shape) for key, value in found.items()} == {name: SHAPES[name]}


def test_boxes_are_ordered_and_centred_in_the_frame() -> None:
    boxes = PromptModule(32, 64, "box")(10 * torch.randn(200, 32, 8, 8)).boxes_xyxy
    assert boxes is not None
    x0, y0, x1, y1 = boxes[:, 0].unbind(1)
    assert (x0 < x1).all()
    assert (y0 < y1).all()
    centres = torch.cat([x0 + x1, y0 + y1]) / 2
    assert ((centres > 0) & (centres < 64)).all()
    assert centres.std() > 1


def test_points_lie_in_the_frame() -> None:
    points = PromptModule(32, 64, "point")(10 * torch.randn(200, 32, 8, 8)).points_xy
    assert points is not None
    assert ((points > 0) & (points < 64)).all()
    assert points.std() > 1


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
@pytest.mark.parametrize(("channels", "grid"), [(32, 4), (32, 8), (64, 32), (16, 13)])
def test_it_takes_any_grid_and_number_of_channels(
    kind: SparsePrompt, channels: int, grid: int
) -> None:
    prompts = PromptModule(channels, 64, kind)(torch.randn(2, channels, grid, grid))
    assert prompts.dense.shape == (2, channels, grid, grid)


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_gradients_reach_every_parameter(kind: SparsePrompt) -> None:
    module = PromptModule(32, 64, kind)
    prompts = module(torch.randn(4, 32, 8, 8))
    sparse = next(getattr(prompts, key) for key in SHAPES if getattr(prompts, key) is not None)
    weight = torch.randn_like(sparse)
    (prompts.dense.square().sum() + (weight * sparse).sum()).backward()
    for name, parameter in module.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_sparse_prompts_are_fp32_under_autocast(kind: SparsePrompt) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        prompts = PromptModule(32, 1024, kind)(torch.randn(2, 32, 8, 8))
    assert (
        next(getattr(prompts, key) for key in SHAPES if getattr(prompts, key) is not None).dtype
        == torch.float32
    )
