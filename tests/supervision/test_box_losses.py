"""Tests of the box losses against the formulas, by hand and by loops."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.cases.boxes import Box
from automedsam.supervision.box_losses import (
    AutoMedSAMLoss,
    BoxLoss,
    box_mask,
    boxes_tensor,
    empty_loss,
    log_barrier,
    mean_loss,
    size_loss,
    tightbox_loss,
)

TERMS = ("total", "empty", "tightbox", "size")


def barrier(z: float, t: float) -> float:
    return -math.log(-z) / t if z <= -1 / t**2 else t * z - math.log(1 / t**2) / t + 1 / t


def tightbox_by_bands(probability: np.ndarray, box: Box, band_width: int, t: float) -> float:
    x0, y0, x1, y1 = box
    total = 0.0
    for start in range(y0, y1, band_width):
        stop = min(start + band_width, y1)
        band = np.zeros(probability.shape)
        band[start:stop, x0:x1] = 1
        total += barrier(stop - start - float((probability * band).sum()), t)
    for start in range(x0, x1, band_width):
        stop = min(start + band_width, x1)
        band = np.zeros(probability.shape)
        band[y0:y1, start:stop] = 1
        total += barrier(stop - start - float((probability * band).sum()), t)
    return total


def boxes_of_every_extent(height: int, width: int) -> list[Box]:
    """Boxes of each height and each width: at the start, at the end, and at a random position."""
    rng = np.random.default_rng(0)

    def place(extent: int, length: int) -> list[int]:
        return [0, length - extent, int(rng.integers(length - extent + 1))]

    boxes = []
    for box_height in range(1, height + 1):
        for y0 in place(box_height, height):
            box_width = int(rng.integers(1, width + 1))
            x0 = int(rng.integers(width - box_width + 1))
            boxes.append((x0, y0, x0 + box_width, y0 + box_height))
    for box_width in range(1, width + 1):
        for x0 in place(box_width, width):
            box_height = int(rng.integers(1, height + 1))
            y0 = int(rng.integers(height - box_height + 1))
            boxes.append((x0, y0, x0 + box_width, y0 + box_height))
    return [*boxes, (0, 0, width, height)]


def logits_of(box: Box, size: tuple[int, int], confidence: float = 8.0) -> Tensor:
    """Logits (1, 1, H, W) of a certain rectangle."""
    return torch.where(box_mask(torch.tensor([box]), *size), confidence, -confidence)[:, None]


@pytest.mark.parametrize(
    ("z", "expected"), [(-1.0, 0.0), (-math.e, -0.2), (0.0, 0.844), (1.0, 5.844)]
)
def test_log_barrier_equals_values_by_hand(z: float, expected: float) -> None:
    assert log_barrier(torch.tensor(z), 5).item() == pytest.approx(expected, abs=5e-4)


@pytest.mark.parametrize("t", [1.0, 5.0, 20.0])
def test_log_barrier_is_smooth_where_the_tangent_starts(t: float) -> None:
    switch = -1 / t**2
    z = torch.tensor([switch - 1e-9, switch + 1e-9], dtype=torch.float64, requires_grad=True)
    values = log_barrier(z, t)
    (slopes,) = torch.autograd.grad(values.sum(), z)
    assert values.tolist() == pytest.approx([-math.log(-switch) / t] * 2, abs=1e-6)
    assert slopes.tolist() == pytest.approx([t, t], rel=1e-5)


def test_log_barrier_switches_at_minus_one_over_t_squared() -> None:
    z = torch.tensor([-0.05, -0.03], dtype=torch.float64, requires_grad=True)
    (slopes,) = torch.autograd.grad(log_barrier(z, 5).sum(), z)
    assert slopes.tolist() == pytest.approx([1 / (5 * 0.05), 5])


@pytest.mark.parametrize("value", [0.0, 1e4, -1e4])
def test_log_barrier_has_a_finite_gradient_everywhere(value: float) -> None:
    z = torch.tensor(value, requires_grad=True)
    (slope,) = torch.autograd.grad(log_barrier(z, 5), z)
    assert slope.item() == pytest.approx(5 if value >= 0 else -1 / (5 * value))


@pytest.mark.parametrize("band_width", [1, 2, 3, 5, 8, 40])
@pytest.mark.parametrize("size", [(16, 23), (21, 11)])
def test_tightbox_loss_is_the_sum_over_bands(size: tuple[int, int], band_width: int) -> None:
    boxes = boxes_of_every_extent(*size)
    probability = torch.rand(len(boxes), *size, dtype=torch.float64)
    loss = tightbox_loss(probability, torch.tensor(boxes), band_width, 5)
    expected = [
        tightbox_by_bands(p.numpy(), box, band_width, 5)
        for p, box in zip(probability, boxes, strict=True)
    ]
    torch.testing.assert_close(loss, torch.tensor(expected, dtype=torch.float64), rtol=0, atol=1e-9)


def test_tightbox_loss_accepts_boxes_of_floats() -> None:
    probability, boxes = torch.rand(2, 12, 14), torch.tensor([[1, 2, 12, 8], [0, 0, 14, 12]])
    assert torch.equal(
        tightbox_loss(probability, boxes.float(), 5, 5), tightbox_loss(probability, boxes, 5, 5)
    )


@pytest.mark.parametrize("extent", [1, 5, 6, 11])
def test_tightbox_loss_grows_without_mass_on_the_last_line(extent: int) -> None:
    boxes = torch.tensor([[3, 2, 9, 2 + extent]])
    full = box_mask(boxes, 15, 12).double()
    without = full.clone()
    without[:, 2 + extent - 1] = 0
    assert tightbox_loss(without, boxes, 5, 5) > tightbox_loss(full, boxes, 5, 5) + 0.1


def test_tightbox_loss_ignores_pixels_outside_of_the_box() -> None:
    boxes = torch.tensor([[3, 2, 9, 8]])
    inside = torch.rand(1, 12, 12) * box_mask(boxes, 12, 12)
    outside = torch.rand(1, 12, 12) * ~box_mask(boxes, 12, 12)
    assert torch.equal(
        tightbox_loss(inside + outside, boxes, 5, 5), tightbox_loss(inside, boxes, 5, 5)
    )


def test_empty_loss_is_the_mean_of_minus_log_of_one_minus_p_outside() -> None:
    logits = torch.tensor([[[0.3, -1.0, 2.0], [-4.0, 0.0, 1.5]]], dtype=torch.float64)
    outside = [0.3, -4.0, 0.0, 1.5]
    expected = sum(-math.log(1 - 1 / (1 + math.exp(-z))) for z in outside) / 4
    assert empty_loss(logits, torch.tensor([[1, 0, 3, 1]])).item() == pytest.approx(
        expected, abs=1e-12
    )


@pytest.mark.parametrize(("logit", "expected", "slope"), [(100.0, 100.0, 1.0), (-100.0, 0.0, 0.0)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_empty_loss_keeps_value_and_gradient_at_extreme_logits(
    dtype: torch.dtype, logit: float, expected: float, slope: float
) -> None:
    logits = torch.full((1, 1, 40, 40), logit, dtype=dtype, requires_grad=True)
    with torch.autocast("cpu", torch.bfloat16):
        empty = AutoMedSAMLoss()(logits, torch.tensor([[0, 0, 20, 40]])).empty
    empty.backward()
    assert empty.item() == pytest.approx(expected, abs=1e-6)
    assert logits.grad is not None
    torch.testing.assert_close(
        logits.grad[..., 20:], torch.full((1, 1, 40, 20), slope / 800, dtype=dtype)
    )
    assert not logits.grad[..., :20].any()


def test_empty_loss_is_0_for_a_box_over_the_whole_image() -> None:
    logits = torch.randn(1, 1, 9, 7, requires_grad=True)
    loss = AutoMedSAMLoss()(logits, torch.tensor([[0, 0, 7, 9]]))
    loss.total.backward()
    assert loss.empty == 0
    assert loss.tightbox != 0
    assert logits.grad is not None
    assert logits.grad.isfinite().all()


def test_an_absent_object_has_only_the_empty_loss_over_the_image() -> None:
    logits = torch.randn(1, 1, 9, 7, requires_grad=True)
    loss = AutoMedSAMLoss(lambda_tightness=1, lambda_size=1)(
        logits, torch.zeros(1, 4, dtype=torch.long)
    )
    loss.total.backward()
    assert (loss.tightbox, loss.size) == (0, 0)
    assert loss.total.item() == pytest.approx(
        (-torch.log(1 - logits.sigmoid())).mean().item(), rel=1e-5
    )
    assert logits.grad is not None
    torch.testing.assert_close(logits.grad, logits.sigmoid().detach() / 63)


@pytest.mark.parametrize("bounds", [(0.5, 0.9), (0.7, 0.9)])
def test_size_loss_is_the_sum_of_both_barriers_per_area(bounds: tuple[float, float]) -> None:
    boxes = [(2, 1, 9, 7), (0, 0, 1, 1), (0, 0, 12, 10), (4, 4, 6, 10)]
    probability = torch.rand(len(boxes), 10, 12, dtype=torch.float64)
    expected = []
    for p, (x0, y0, x1, y1) in zip(probability, boxes, strict=True):
        volume, area = p.sum().item(), (x1 - x0) * (y1 - y0)
        expected.append(
            (barrier(volume - bounds[1] * area, 5) + barrier(bounds[0] * area - volume, 5)) / area
        )
    assert size_loss(probability, torch.tensor(boxes), bounds, 5).tolist() == pytest.approx(
        expected, abs=1e-9
    )


def test_size_loss_includes_pixels_outside_of_the_box() -> None:
    boxes = torch.tensor([[0, 0, 4, 4]])
    probability = torch.zeros(1, 8, 8)
    probability[:, 4:, 4:] = 0.7
    assert (
        size_loss(probability, boxes, (0.5, 0.9), 5)
        < 0
        < size_loss(0 * probability, boxes, (0.5, 0.9), 5)
    )


def test_gradients_of_all_terms_are_correct() -> None:
    logits = torch.randn(3, 1, 7, 9, dtype=torch.float64, requires_grad=True)
    boxes = torch.tensor([[1, 1, 7, 7], [0, 0, 0, 0], [8, 2, 9, 3]])
    criterion = AutoMedSAMLoss(lambda_tightness=1, lambda_size=1, band_width=2)

    def terms(masks: Tensor) -> tuple[Tensor, ...]:
        loss = criterion(masks, boxes)
        return tuple(getattr(loss, term) for term in TERMS)

    assert torch.autograd.gradcheck(terms, logits)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float32])
def test_the_loss_is_computed_in_fp32_under_autocast(dtype: torch.dtype) -> None:
    logits = 4 * torch.randn(2, 1, 40, 50).to(dtype)
    boxes = torch.tensor([[3, 4, 41, 37], [0, 0, 50, 11]])
    with torch.autocast("cpu", torch.bfloat16):
        loss = AutoMedSAMLoss()(logits, boxes)
    expected = AutoMedSAMLoss()(logits.float(), boxes)
    for term in TERMS:
        assert getattr(loss, term).dtype == torch.float32
        assert torch.equal(getattr(loss, term), getattr(expected, term))


def test_total_is_the_weighted_sum_of_the_terms() -> None:
    logits, boxes = torch.randn(2, 1, 20, 20), torch.tensor([[3, 4, 14, 12], [0, 0, 20, 11]])
    loss = AutoMedSAMLoss(lambda_tightness=0.3, lambda_size=7)(logits, boxes)
    torch.testing.assert_close(loss.total, loss.empty + 0.3 * loss.tightbox + 7 * loss.size)
    assert AutoMedSAMLoss(lambda_tightness=0, lambda_size=0)(logits, boxes).total == loss.empty


def test_the_loss_uses_its_parameters() -> None:
    logits, boxes = torch.randn(1, 1, 20, 20), torch.tensor([[3, 4, 14, 12]])
    loss = AutoMedSAMLoss(barrier_t=3, band_width=4, size_lower=0.2, size_upper=0.6)(logits, boxes)
    probability = logits[:, 0].sigmoid()
    assert loss.tightbox == tightbox_loss(probability, boxes, 4, 3)
    assert loss.size == size_loss(probability, boxes, (0.2, 0.6), 3)


def test_the_loss_of_a_batch_is_the_mean_over_its_images() -> None:
    logits = torch.randn(3, 1, 20, 16)
    boxes = torch.tensor([[3, 4, 14, 12], [0, 0, 0, 0], [0, 0, 16, 20]])
    criterion = AutoMedSAMLoss(lambda_tightness=0.1)
    batch = criterion(logits, boxes)
    singles = mean_loss([criterion(logits[i : i + 1], boxes[i : i + 1]) for i in range(3)])
    for term in TERMS:
        torch.testing.assert_close(getattr(batch, term), getattr(singles, term))


def test_mean_loss_is_the_mean_of_each_term() -> None:
    one = BoxLoss(*torch.tensor([1.0, 2.0, 3.0, 4.0]))
    other = BoxLoss(*torch.tensor([3.0, 6.0, 9.0, 12.0]))
    assert [getattr(mean_loss([one, other]), term).item() for term in TERMS] == [2, 4, 6, 8]


def test_terms_have_the_names_of_table_columns() -> None:
    terms = BoxLoss(*torch.tensor([1.0, 2.0, 3.0, 4.0])).terms()
    assert {name: value.item() for name, value in terms.items()} == {
        "loss": 1,
        "loss_empty": 2,
        "loss_tightbox": 3,
        "loss_size": 4,
    }


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        ((), [[[0, 0, 0, 0]]]),
        (((1, 2, 3, 4),), [[[1, 2, 3, 4]]]),
        (((1, 2, 3, 4), (5, 6, 7, 8)), [[[1, 2, 3, 4], [5, 6, 7, 8]]]),
    ],
)
def test_boxes_tensor_has_an_empty_box_for_an_absent_object(
    boxes: tuple[Box, ...], expected: list[list[list[int]]]
) -> None:
    assert boxes_tensor(boxes, torch.device("cpu")).tolist() == expected


@pytest.mark.parametrize("shift", [(6, 0), (0, -6), (-3, 3)])
def test_a_tight_mask_has_a_smaller_loss_than_a_shifted_one(shift: tuple[int, int]) -> None:
    dx, dy = shift
    x0, y0, x1, y1 = box = (12, 10, 30, 32)
    criterion, boxes = AutoMedSAMLoss(size_upper=1), torch.tensor([box])
    tight = criterion(logits_of(box, (40, 44)), boxes)
    shifted = criterion(logits_of((x0 + dx, y0 + dy, x1 + dx, y1 + dy), (40, 44)), boxes)
    assert tight.empty < shifted.empty
    assert tight.tightbox < shifted.tightbox
    assert tight.total < shifted.total


def test_box_mask_is_half_open() -> None:
    expected = torch.zeros(2, 4, 5, dtype=torch.bool)
    expected[0, 2:3, 1:4] = True
    assert torch.equal(box_mask(torch.tensor([[1, 2, 4, 3], [0, 0, 0, 0]]), 4, 5), expected)


TWO_BOXES = torch.tensor(
    [
        [[3, 2, 12, 9], [15, 11, 22, 20]],
        [[4, 5, 20, 16], [0, 0, 0, 0]],
        [[0, 0, 0, 0], [0, 0, 0, 0]],
    ]
)


def test_several_boxes_add_their_bands_and_their_areas() -> None:
    probability = torch.rand(3, 24, 26, dtype=torch.float64)
    loss = tightbox_loss(probability, TWO_BOXES, 5, 5.0)
    expected = [
        sum(
            tightbox_by_bands(image.numpy(), tuple(box), 5, 5.0) for box in boxes if box[2] > box[0]
        )
        for image, boxes in zip(probability, TWO_BOXES.tolist(), strict=True)
    ]
    assert loss.tolist() == pytest.approx(expected, abs=1e-9)
    area, volume = 9 * 7 + 7 * 9, float(probability[0].sum())
    expected_size = (barrier(volume - 0.9 * area, 5) + barrier(0.5 * area - volume, 5)) / area
    loss = size_loss(probability, TWO_BOXES, (0.5, 0.9), 5.0)
    assert loss[0].item() == pytest.approx(expected_size)


def test_size_loss_counts_the_area_of_an_overlap_once() -> None:
    boxes = torch.tensor([[[2, 2, 10, 10], [6, 6, 14, 14]]])
    probability = torch.full((1, 20, 20), 0.3)
    area = 64 + 64 - 16
    expected = (barrier(120 - 0.9 * area, 5) + barrier(0.5 * area - 120, 5)) / area
    assert size_loss(probability, boxes, (0.5, 0.9), 5.0).item() == pytest.approx(
        expected, rel=1e-5
    )


def test_padding_with_empty_boxes_does_not_change_the_loss() -> None:
    masks, criterion = torch.randn(2, 1, 24, 26), AutoMedSAMLoss(0.1, 0.1, box_margin=2)
    boxes = torch.tensor([[4, 5, 20, 16], [0, 0, 0, 0]])
    alone = criterion(masks, boxes)
    padded = criterion(
        masks, torch.stack([boxes, torch.zeros_like(boxes), torch.zeros_like(boxes)], dim=1)
    )
    assert [getattr(padded, term).item() for term in TERMS] == [
        getattr(alone, term).item() for term in TERMS
    ]


def test_empty_loss_ignores_the_inside_of_all_boxes() -> None:
    logits = torch.full((1, 24, 26), 2.0)
    inside = torch.zeros(24, 26, dtype=torch.bool)
    inside[2:9, 3:12] = inside[11:20, 15:22] = True
    logits[0, inside] = 30.0
    assert empty_loss(logits, TWO_BOXES[:1]).item() == pytest.approx(
        math.log(1 + math.exp(2)), rel=1e-5
    )


def test_tightbox_loss_with_a_margin_has_bands_only_inside_of_it() -> None:
    """Bands start inside of the margin, but their mass counts up to the box's other sides."""
    probability = torch.rand(1, 24, 26, dtype=torch.float64)
    x0, y0, x1, y1, margin, t = 3, 2, 20, 19, 3, 5.0
    expected = 0.0
    for lines, start, stop in (
        (probability[0, :, x0:x1].sum(1), y0 + margin, y1 - margin),
        (probability[0, y0:y1].sum(0), x0 + margin, x1 - margin),
    ):
        for first in range(start, stop, 5):
            last = min(first + 5, stop)
            expected += barrier(last - first - float(lines[first:last].sum()), t)
    assert tightbox_loss(
        probability, torch.tensor([[x0, y0, x1, y1]]), 5, t, margin
    ).item() == pytest.approx(expected)


def test_size_loss_with_a_margin_uses_the_inner_box_as_lower_bound() -> None:
    probability = torch.full((1, 24, 26), 0.2)
    volume, outer, inner = 0.2 * 24 * 26, 17 * 15, 11 * 9
    expected = (barrier(volume - 0.9 * outer, 5) + barrier(0.5 * inner - volume, 5)) / outer
    loss = size_loss(probability, torch.tensor([[3, 2, 20, 17]]), (0.5, 0.9), 5.0, margin=3)
    assert loss.item() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("margin", [4, 5, 50])
def test_a_margin_that_leaves_no_line_gives_a_finite_loss(margin: int) -> None:
    boxes = torch.tensor([[3, 2, 11, 10]])
    assert tightbox_loss(torch.zeros(1, 24, 26), boxes, 5, 5.0, margin).item() == 0
    assert math.isfinite(size_loss(torch.zeros(1, 24, 26), boxes, (0.5, 0.9), 5.0, margin).item())


def test_a_margin_accepts_a_mask_inside_of_a_loose_box() -> None:
    box = torch.tensor([[5, 5, 21, 19]])
    mask = logits_of((7, 7, 19, 17), (24, 26), confidence=20.0)
    strict, lenient = AutoMedSAMLoss(1.0, 0.0), AutoMedSAMLoss(1.0, 0.0, box_margin=2)
    assert lenient(mask, box).tightbox < 0 < strict(mask, box).tightbox
