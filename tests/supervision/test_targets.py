"""What is known of a training case, and the loss of it: the numbers by numpy, nothing taught where nothing is known."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.cases.boxes import Box, fill_boxes
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.runtime.image_files import write_image
from automedsam.supervision.targets import label_folders, pseudo_label_loss, read_targets


def case_with(*boxes: Box) -> Case:
    return Case("a", "a", "train", 20, 30, boxes)


def test_a_kept_label_is_known_as_surely_as_it_is_far_from_a_half(tmp_path: Path) -> None:
    case, pixels = case_with((4, 5, 24, 15)), np.zeros((20, 30), np.uint8)
    pixels[5:15, 4:24] = 51
    pixels[8, 8], pixels[9, 9] = 255, 128
    write_image(tmp_path / "a.png", pixels)
    probability, sureness = read_targets(tmp_path, case)
    assert probability.dtype == sureness.dtype == torch.float32
    assert (probability[5, 4].item(), sureness[5, 4].item()) == pytest.approx((0.2, 0.6))
    assert (probability[8, 8].item(), sureness[8, 8].item()) == (1, 1)
    assert sureness[9, 9].item() == pytest.approx(1 / 255, rel=1e-3)
    outside = torch.tensor(~fill_boxes(case.boxes_xyxy, case.image_size))
    assert not probability[outside].any()
    assert (sureness[outside] == 1).all()


def test_a_dropped_label_leaves_the_inside_of_its_boxes_unknown(tmp_path: Path) -> None:
    case = case_with((4, 5, 24, 15), (26, 0, 30, 4))
    probability, sureness = read_targets(tmp_path, case)
    assert not probability.any()
    assert np.array_equal(sureness.numpy(), ~fill_boxes(case.boxes_xyxy, case.image_size))


def test_without_an_object_there_is_nothing_for_sure(tmp_path: Path) -> None:
    probability, sureness = read_targets(tmp_path, case_with())
    assert not probability.any()
    assert (sureness == 1).all()


def by_numpy(logits: Tensor, known: Tensor) -> float:
    """The loss, case by case, in double precision."""
    losses = []
    for one, (probability, sureness) in zip(
        logits.double().numpy()[:, 0], known.double().numpy(), strict=True
    ):
        found = 1 / (1 + np.exp(-one))
        entropy = -probability * np.log(found) - (1 - probability) * np.log(1 - found)
        both = (sureness * found).sum() + (sureness * probability).sum()
        dice = (2 * (sureness * found * probability).sum() + 1) / (both + 1)
        losses.append((sureness * entropy).sum() / sureness.sum() + 1 - dice)
    return float(np.mean(losses))


def knowledge() -> tuple[Tensor, Tensor]:
    return torch.randn(3, 1, 12, 16), torch.rand(3, 2, 12, 16)


def test_the_loss_is_the_one_by_numpy() -> None:
    logits, known = knowledge()
    assert pseudo_label_loss(logits, known).item() == pytest.approx(
        by_numpy(logits, known), rel=1e-5
    )


def test_the_loss_of_a_perfect_map_is_almost_nothing_and_of_its_reverse_much() -> None:
    probability = torch.from_numpy(fill_boxes([(3, 3, 9, 9)], (12, 16))).float()
    known = torch.stack([probability, torch.ones(12, 16)])[None]
    logits = (60 * probability - 30)[None, None]
    assert pseudo_label_loss(logits, known).item() < 1e-3
    assert pseudo_label_loss(-logits, known).item() > 30


def test_an_empty_label_wants_an_empty_map() -> None:
    known = torch.stack([torch.zeros(12, 16), torch.ones(12, 16)])[None]
    empty, speck = torch.full((1, 1, 12, 16), -20.0), torch.full((1, 1, 12, 16), -20.0)
    speck[..., 4, 4] = 5
    assert pseudo_label_loss(empty, known).item() < 1e-3 < pseudo_label_loss(speck, known).item()


def test_what_is_unknown_has_no_gradient() -> None:
    logits, known = knowledge()
    known[:, 1, :, :8] = 0
    logits.requires_grad_()
    pseudo_label_loss(logits, known).backward()
    assert logits.grad is not None
    assert not logits.grad[..., :8].any()
    assert logits.grad[..., 8:].all()


def test_where_nothing_at_all_is_known_the_loss_is_nothing() -> None:
    logits = torch.randn(2, 1, 12, 16, requires_grad=True)
    loss = pseudo_label_loss(logits, torch.zeros(2, 2, 12, 16))
    loss.backward()
    assert loss.item() == 0
    assert logits.grad is not None
    assert not logits.grad.any()


@pytest.mark.parametrize("scale", [1, 1e4])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_loss_and_gradient_are_finite_whatever_the_logits(dtype: torch.dtype, scale: float) -> None:
    logits, known = knowledge()
    logits = (scale * logits).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = pseudo_label_loss(logits, known)
    loss.backward()
    assert loss.dtype == torch.float32
    assert loss.isfinite()
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_16_bits_in_are_32_within() -> None:
    logits, known = knowledge()
    rounded = logits.bfloat16()
    with torch.autocast("cpu", torch.bfloat16):
        found = pseudo_label_loss(rounded, known)
    assert found.item() == pytest.approx(by_numpy(rounded, known), rel=1e-5)


def test_a_step_against_the_gradient_makes_the_loss_less() -> None:
    logits, known = knowledge()
    logits.requires_grad_()
    loss = pseudo_label_loss(logits, known)
    loss.backward()
    assert logits.grad is not None
    assert pseudo_label_loss(logits - 0.1 * logits.grad, known) < loss


def test_labels_of_several_classes_lie_in_folders_of_their_values() -> None:
    liver, spleen = ObjectClass("liver", 1), ObjectClass("spleen", 7)
    assert label_folders(Path("labels"), [spleen]) == [Path("labels")]
    assert label_folders(Path("labels"), [liver, spleen]) == [Path("labels/1"), Path("labels/7")]
