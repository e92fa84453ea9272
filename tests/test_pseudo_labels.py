"""Pseudo-labels: close to the truth on phantoms, nothing outside of the boxes, dropped where they do not fit them."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.boxes import Box, fill_boxes, tight_box
from automedsam.cases import Case
from automedsam.decoder import PromptableDecoder
from automedsam.device import Compute
from automedsam.embeddings import EmbeddingFolder
from automedsam.encoder import Encoder
from automedsam.images import write_image
from automedsam.metrics import dice
from automedsam.object_classes import ObjectClass
from automedsam.phantoms import draw_phantom
from automedsam.preprocessing import Preprocessing
from automedsam.pseudo_labels import (
    find_fault,
    label_folders,
    make_pseudo_label,
    pseudo_label_loss,
    read_supervision,
    set_apart,
    sort_out,
)
from automedsam.sam import Weights

CPU = Compute(torch.device("cpu"), torch.float32)


def case_with(*boxes: Box, size: tuple[int, int] = (20, 30)) -> Case:
    return Case("a", "a", "train", *size, boxes)


def decoder_of(weights: Weights) -> PromptableDecoder:
    return PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder()).eval()


@pytest.mark.parametrize("seed", range(3))
def test_on_a_phantom_with_its_true_box_it_is_nearly_the_truth(seed: int) -> None:
    weights, phantom = Weights("sam_tiny"), draw_phantom(np.random.default_rng([4, seed]))
    case = case_with(tight_box(phantom.mask), size=(256, 256))
    embedding = Encoder(weights, CPU)(phantom.image)[None].float()
    label = make_pseudo_label(decoder_of(weights), weights.backbone.preprocessing, CPU, embedding, case)
    assert (label.shape, label.dtype) == ((256, 256), np.float32)
    assert dice(label > 0.5, phantom.mask) > 0.9
    assert find_fault(label, case.boxes_xyxy) is None


@pytest.mark.parametrize("kind", ["medsam", "sam"])
def test_it_is_a_probability_inside_of_the_boxes_and_nothing_outside(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder, kind: str
) -> None:
    preprocessing: Preprocessing = replace(tiny_weights.backbone.preprocessing, kind=kind)
    for case in cases:
        embedding = embeddings.load([case], CPU.device)
        label = make_pseudo_label(decoder_of(tiny_weights), preprocessing, CPU, embedding, case)
        inside = fill_boxes(case.boxes_xyxy, case.image_size)
        assert label.shape == case.image_size
        assert not label[~inside].any()
        assert ((label[inside] > 0) & (label[inside] < 1)).all()


def test_of_boxes_that_overlap_the_greater_answer_counts(
    tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder
) -> None:
    left, right = (20, 6, 46, 27), (40, 10, 61, 30)
    given = decoder_of(tiny_weights), tiny_weights.backbone.preprocessing, CPU, embeddings.load(cases[4:], CPU.device)
    of_left, of_right, of_both = (
        make_pseudo_label(*given, replace(cases[4], boxes_xyxy=boxes)) for boxes in ((left,), (right,), (left, right))
    )
    np.testing.assert_array_equal(of_both, np.maximum(of_left, of_right))


def test_a_label_is_the_same_each_time(tiny_weights: Weights, cases: list[Case], embeddings: EmbeddingFolder) -> None:
    given = decoder_of(tiny_weights), tiny_weights.backbone.preprocessing, CPU, embeddings.load(cases[:1], CPU.device)
    assert np.array_equal(make_pseudo_label(*given, cases[0]), make_pseudo_label(*given, cases[0]))


def filled(*boxes: Box, size: tuple[int, int] = (100, 120)) -> np.ndarray:
    return fill_boxes(boxes, size).astype(np.float32)


BOX = (10, 20, 90, 80)  # 80 px wide, 60 high


@pytest.mark.parametrize(
    ("label", "fault"),
    [
        pytest.param(filled(BOX), None, id="all of it"),
        pytest.param(filled((12, 22, 88, 78)), None, id="almost to each side"),
        pytest.param(0.6 * filled(BOX), None, id="just sure"),
        pytest.param(filled(), "fills 0% of its box", id="empty"),
        pytest.param(0.4 * filled(BOX), "fills 0% of its box", id="not sure"),
        pytest.param(filled((10, 20, 12, 80), (10, 20, 90, 22)), "fills 6% of its box", id="two thin lines"),
        pytest.param(filled((50, 20, 90, 80)), "ends 50% short of a side", id="left"),
        pytest.param(filled((10, 53, 90, 80)), "ends 55% short of a side", id="top"),
        pytest.param(filled((10, 20, 42, 80)), "ends 60% short of a side", id="right"),
        pytest.param(filled((10, 20, 90, 41)), "ends 65% short of a side", id="bottom"),
    ],
)
def test_a_label_must_fill_its_box_to_its_sides(label: np.ndarray, fault: str | None) -> None:
    assert find_fault(label, [BOX]) == fault


def test_each_box_is_looked_at() -> None:
    boxes = [(10, 20, 40, 80), (60, 20, 100, 80)]
    assert find_fault(filled(*boxes), boxes) is None
    assert find_fault(filled(boxes[0]), boxes) == "fills 0% of its box"
    assert find_fault(filled(boxes[0], (60, 20, 80, 80)), boxes) == "ends 50% short of a side"


def test_a_box_of_few_pixels_forgives_one_a_side() -> None:
    assert find_fault(filled((11, 20, 13, 23)), [(10, 20, 13, 23)]) is None
    assert find_fault(filled((12, 20, 13, 23)), [(10, 20, 13, 23)]) == "ends 67% short of a side"


def test_without_boxes_there_is_no_fault() -> None:
    assert find_fault(filled(), []) is None


def test_a_kept_label_is_known_as_surely_as_it_is_far_from_a_half(tmp_path: Path) -> None:
    case, pixels = case_with((4, 5, 24, 15)), np.zeros((20, 30), np.uint8)
    pixels[5:15, 4:24] = 51
    pixels[8, 8], pixels[9, 9] = 255, 128
    write_image(tmp_path / "a.png", pixels)
    probability, sureness = read_supervision(tmp_path, case)
    assert probability.dtype == sureness.dtype == torch.float32
    assert (probability[5, 4].item(), sureness[5, 4].item()) == pytest.approx((0.2, 0.6))
    assert (probability[8, 8].item(), sureness[8, 8].item()) == (1, 1)
    assert sureness[9, 9].item() == pytest.approx(1 / 255, rel=1e-3)
    outside = torch.tensor(~fill_boxes(case.boxes_xyxy, case.image_size))
    assert not probability[outside].any()
    assert (sureness[outside] == 1).all()


def test_a_dropped_label_leaves_the_inside_of_its_boxes_unknown(tmp_path: Path) -> None:
    case = case_with((4, 5, 24, 15), (26, 0, 30, 4))
    probability, sureness = read_supervision(tmp_path, case)
    assert not probability.any()
    assert np.array_equal(sureness.numpy(), ~fill_boxes(case.boxes_xyxy, case.image_size))


def test_without_an_object_there_is_nothing_for_sure(tmp_path: Path) -> None:
    probability, sureness = read_supervision(tmp_path, case_with())
    assert not probability.any()
    assert (sureness == 1).all()


def by_numpy(logits: Tensor, known: Tensor) -> float:
    """The loss, case by case, in double precision."""
    losses = []
    for one, (probability, sureness) in zip(logits.double().numpy()[:, 0], known.double().numpy(), strict=True):
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
    assert pseudo_label_loss(logits, known).item() == pytest.approx(by_numpy(logits, known), rel=1e-5)


def test_the_loss_of_a_perfect_map_is_almost_nothing_and_of_its_reverse_much() -> None:
    probability = torch.tensor(filled((3, 3, 9, 9), size=(12, 16)))
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


def test_a_pixel_is_left_to_the_class_of_the_smaller_box() -> None:
    """A ring round a disc is filled by the backbone: of its label, what is the disc's is taken away."""
    boxes: dict[int, tuple[Box, ...]] = {1: ((0, 0, 6, 4),), 2: ((1, 1, 3, 3),), 5: ((2, 2, 4, 4), (5, 0, 6, 1))}
    labels = {value: 0.8 * filled(*of, size=(4, 6)) for value, of in boxes.items()}
    apart = set_apart(labels, boxes)
    np.testing.assert_array_equal(apart[2], labels[2])
    both = labels[5] * (labels[2] > 0)
    np.testing.assert_allclose(apart[5], labels[5] - 0.8 * both, rtol=1e-5)
    np.testing.assert_allclose(apart[1], np.where(np.maximum(labels[2], labels[5]) > 0, 0.8 * 0.2, 0.8), rtol=1e-5)


def test_the_label_of_a_class_that_is_alone_stays_as_it_is() -> None:
    label = np.random.default_rng(0).random((4, 6), np.float32)
    assert np.array_equal(set_apart({255: label}, {255: (BOX,)})[255], label)


DISC, CORE = (10, 10, 30, 30), (14, 14, 26, 26)


def test_a_label_that_a_smaller_object_swallows_is_dropped_and_shown_as_it_was() -> None:
    """Two names on nearly one box; and a ring, which keeps its rim."""
    disc, within, core = (0.95 * filled(box, size=(40, 40)) for box in (DISC, (10, 10, 29, 30), CORE))
    found = sort_out({1: disc, 3: within}, {1: (DISC,), 3: ((10, 10, 29, 30),)})
    assert found[1][1] == "is lost to a smaller object's"
    assert np.array_equal(found[1][0], disc)
    assert found[3][1] is None
    found = sort_out({1: disc, 3: core}, {1: (DISC,), 3: (CORE,)})
    assert [fault for _, fault in found.values()] == [None, None]
    assert found[1][0][20, 20] < 0.05
    assert found[1][0][12, 12] == disc[12, 12]


def test_a_label_that_does_not_fit_its_box_takes_nothing_from_others() -> None:
    disc, speck = (0.95 * filled(box, size=(40, 40)) for box in (DISC, (14, 14, 17, 17)))
    found = sort_out({1: disc, 3: speck}, {1: (DISC,), 3: (CORE,)})
    assert found[3][1] == "fills 6% of its box"
    assert found[1][1] is None
    assert np.array_equal(found[1][0], disc)
