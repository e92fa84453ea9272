"""The generalised IoU of boxes as a loss."""

import pytest
import torch

from automedsam.supervision.generalized_iou import generalized_iou_loss


@pytest.mark.parametrize(
    ("predicted", "given", "expected"),
    [
        ((0, 0, 2, 2), (0, 0, 2, 2), 0.0),
        ((0, 0, 2, 2), (1, 0, 3, 2), 1 - 2 / 6),  # the hull is the union
        ((0, 0, 2, 2), (1, 1, 3, 3), 1 - (1 / 7 - 2 / 9)),
        ((0, 0, 1, 1), (3, 0, 4, 1), 1 + 2 / 4),  # apart: only the hull counts
        ((0, 0, 0, 0), (0, 0, 0, 0), 1.0),
    ],
)
def test_generalized_iou_loss_of_hand_worked_boxes(predicted, given, expected) -> None:
    pair = torch.tensor([predicted], dtype=torch.float32), torch.tensor([given]).float()
    assert generalized_iou_loss(*pair).item() == pytest.approx(expected, abs=1e-6)


def test_generalized_iou_loss_pulls_boxes_together_that_do_not_overlap() -> None:
    predicted = torch.tensor([[0.0, 0.0, 1.0, 1.0]], requires_grad=True)
    generalized_iou_loss(predicted, torch.tensor([[3.0, 0.0, 4.0, 1.0]])).sum().backward()
    assert predicted.grad is not None
    assert predicted.grad[0, 2] < 0  # the right side moves towards the other box
