"""Tests of the targets of a training case, and of the loss against them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.cases.augmentation import embedded_view
from automedsam.cases.boxes import Box, fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import SINGLE_CLASS_VALUE, Classes, ObjectClass
from automedsam.runtime.image_files import write_image
from automedsam.supervision.targets import (
    Targets,
    pseudo_label_loss,
    read_targets,
    stack_targets,
)
from training_fixtures import OBJECT

SIZE = (20, 30)


def case_with(*boxes: Box) -> Case:
    return Case("a", "a", "train", *SIZE, {SINGLE_CLASS_VALUE: boxes})


def read_single(folder: Path, case: Case) -> tuple[Tensor, Tensor]:
    """Probability and weight (H, W) of a single class."""
    targets = read_targets(folder, case, OBJECT)
    assert targets.probability.shape == targets.weight.shape == (1, *case.image_size)
    return targets.probability[0], targets.weight[0]


def test_the_weight_of_a_pseudo_label_is_its_certainty(tmp_path: Path) -> None:
    case, pixels = case_with((4, 5, 24, 15)), np.zeros(SIZE, np.uint8)
    pixels[5:15, 4:24] = 51
    pixels[8, 8], pixels[9, 9] = 255, 128
    write_image(tmp_path / "a.png", pixels)
    probability, weight = read_single(tmp_path, case)
    assert probability.dtype == weight.dtype == torch.float32
    assert (probability[5, 4].item(), weight[5, 4].item()) == pytest.approx((0.2, 0.6))
    assert (probability[8, 8].item(), weight[8, 8].item()) == (1, 1)
    assert weight[9, 9].item() == pytest.approx(1 / 255, rel=1e-3)
    outside = torch.tensor(~fill_boxes(case.all_boxes_xyxy, SIZE))
    assert not probability[outside].any()
    assert (weight[outside] == 1).all()


def test_a_rejected_pseudo_label_gives_no_weight_inside_of_its_boxes(tmp_path: Path) -> None:
    case = case_with((4, 5, 24, 15), (26, 0, 30, 4))
    probability, weight = read_single(tmp_path, case)
    assert not probability.any()
    assert np.array_equal(weight.numpy(), ~fill_boxes(case.all_boxes_xyxy, SIZE))


def test_an_absent_object_is_absent_everywhere_with_certainty(tmp_path: Path) -> None:
    probability, weight = read_single(tmp_path, case_with())
    assert not probability.any()
    assert (weight == 1).all()


def test_targets_of_several_classes_are_read_from_folders_of_their_values(tmp_path: Path) -> None:
    classes = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)])
    liver_box, spleen_box = (4, 5, 24, 15), (1, 1, 3, 4)
    case = replace(case_with(), boxes={1: (liver_box,), 7: (spleen_box,)})
    pixels = 255 * fill_boxes([spleen_box], SIZE).astype(np.uint8)
    write_image(tmp_path / "7" / "a.png", pixels)
    write_image(tmp_path / "a.png", 255 - pixels)  # not in any of the folders
    targets = read_targets(tmp_path, case, classes)
    assert targets.probability.shape == targets.weight.shape == (2, *SIZE)
    assert not targets.probability[0].any()
    assert np.array_equal(targets.weight[0].numpy(), ~fill_boxes([liver_box], SIZE))
    assert np.array_equal(targets.probability[1].numpy(), pixels > 0)
    assert (targets.weight[1] == 1).all()


def random_targets() -> Targets:
    """Targets (3, 2, 12, 16)."""
    values = torch.rand(3, 4, 12, 16)
    return Targets(values[:, :2], values[:, 2:])


def test_warp_transforms_probability_and_weight_of_all_classes_alike() -> None:
    targets = random_targets()
    targets = Targets(targets.probability[0], targets.weight[0])
    warp = embedded_view("a", 1, ["rotate", "scale", "shift"]).apply_to_map
    warped = targets.warp(warp)
    torch.testing.assert_close(warped.probability, warp(targets.probability))
    torch.testing.assert_close(warped.weight, warp(targets.weight))


def test_warp_calls_its_function_once_with_all_channels() -> None:
    targets = Targets(torch.rand(2, 12, 16), torch.rand(2, 12, 16))
    shapes = []

    def flip(values: Tensor) -> Tensor:
        shapes.append(tuple(values.shape))
        return values.flip(-1)

    warped = targets.warp(flip)
    assert shapes == [(4, 12, 16)]
    assert torch.equal(warped.probability, targets.probability.flip(-1))
    assert torch.equal(warped.weight, targets.weight.flip(-1))


def test_stack_targets_makes_a_batch() -> None:
    batch = random_targets()
    singles = [
        Targets(probability, weight)
        for probability, weight in zip(batch.probability, batch.weight, strict=True)
    ]
    stacked = stack_targets(singles)
    assert torch.equal(stacked.probability, batch.probability)
    assert torch.equal(stacked.weight, batch.weight)
    first = singles[0].unsqueeze(0)
    assert torch.equal(first.probability, batch.probability[:1])
    assert torch.equal(first.weight, batch.weight[:1])
    moved = batch.to(torch.device("meta"))
    assert moved.probability.is_meta
    assert moved.weight.is_meta


def by_numpy(logits: Tensor, targets: Targets) -> float:
    """The loss in double precision, one map after another."""
    losses = []
    for map_logits, probability, weight in zip(
        logits.double().numpy().reshape(-1, 12, 16),
        targets.probability.double().numpy().reshape(-1, 12, 16),
        targets.weight.double().numpy().reshape(-1, 12, 16),
        strict=True,
    ):
        predicted = 1 / (1 + np.exp(-map_logits))
        entropy = -probability * np.log(predicted) - (1 - probability) * np.log(1 - predicted)
        both = (weight * predicted).sum() + (weight * probability).sum()
        dice = (2 * (weight * predicted * probability).sum() + 1) / (both + 1)
        losses.append((weight * entropy).sum() / weight.sum() + 1 - dice)
    return float(np.mean(losses))


def random_batch(classes: int = 1) -> tuple[Tensor, Targets]:
    """Logits and targets of three images."""
    values = torch.rand(3, 2 * classes, 12, 16)
    targets = Targets(values[:, :classes], values[:, classes:])
    return torch.randn(3, classes, 12, 16), targets


def certain_targets(probability: Tensor) -> Targets:
    """Targets (1, 1, 12, 16) with a weight of 1 everywhere."""
    return Targets(probability[None, None], torch.ones(1, 1, 12, 16))


@pytest.mark.parametrize("classes", [1, 2])
def test_the_loss_equals_a_computation_in_numpy(classes: int) -> None:
    logits, targets = random_batch(classes)
    loss = pseudo_label_loss(logits, targets)
    assert loss.item() == pytest.approx(by_numpy(logits, targets), rel=1e-5)


def test_the_loss_of_a_perfect_map_is_near_0_and_of_its_inverse_large() -> None:
    probability = torch.from_numpy(fill_boxes([(3, 3, 9, 9)], (12, 16))).float()
    targets = certain_targets(probability)
    logits = (60 * probability - 30)[None, None]
    assert pseudo_label_loss(logits, targets).item() < 1e-3
    assert pseudo_label_loss(-logits, targets).item() > 30


def test_an_empty_label_prefers_an_empty_map() -> None:
    targets = certain_targets(torch.zeros(12, 16))
    empty, speck = torch.full((1, 1, 12, 16), -20.0), torch.full((1, 1, 12, 16), -20.0)
    speck[..., 4, 4] = 5
    empty_loss, speck_loss = pseudo_label_loss(empty, targets), pseudo_label_loss(speck, targets)
    assert empty_loss.item() < 1e-3 < speck_loss.item()


def test_pixels_without_weight_have_no_gradient() -> None:
    logits, targets = random_batch()
    targets.weight[..., :8] = 0
    logits.requires_grad_()
    pseudo_label_loss(logits, targets).backward()
    assert logits.grad is not None
    assert not logits.grad[..., :8].any()
    assert logits.grad[..., 8:].all()


def test_without_any_weight_the_loss_and_its_gradient_are_0() -> None:
    logits = torch.randn(2, 1, 12, 16, requires_grad=True)
    nothing = Targets(torch.zeros(2, 1, 12, 16), torch.zeros(2, 1, 12, 16))
    loss = pseudo_label_loss(logits, nothing)
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_loss_and_gradient_are_finite_for_any_logits(dtype: torch.dtype, scale: float) -> None:
    logits, targets = random_batch()
    logits = (scale * logits).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = pseudo_label_loss(logits, targets)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_the_loss_of_16_bit_logits_is_computed_in_fp32() -> None:
    logits, targets = random_batch()
    rounded = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        loss = pseudo_label_loss(rounded, targets)
    assert loss.item() == pytest.approx(by_numpy(rounded, targets), rel=1e-5)


def test_a_step_along_the_negative_gradient_reduces_the_loss() -> None:
    logits, targets = random_batch()
    logits.requires_grad_()
    loss = pseudo_label_loss(logits, targets)
    loss.backward()
    assert logits.grad is not None
    assert pseudo_label_loss(logits - 0.1 * logits.grad, targets) < loss
