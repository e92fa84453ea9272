"""Masks and prompts in the frame of each image, from the model and from the bare backbone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.classes import ObjectClass
from automedsam.cases.masks import to_labels, to_mask, to_soft_mask
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locating import LocatingPrompter
from automedsam.model.segmenter import Segmenter
from automedsam.runtime.compute import Compute
from automedsam.runtime.options import SparsePrompt

CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture
def make_segmenter(tiny_weights: Weights) -> Callable[[SparsePrompt], Segmenter]:
    return lambda kind: Segmenter(
        AutoMedSAM(tiny_weights, "direct", sparse_prompt=kind).eval(), CPU
    )


@pytest.fixture
def embedding_of(embeddings: EmbeddingFolder) -> Callable[[Case], Tensor]:
    return lambda case: embeddings.load([case], CPU.device)


def image_of(case: Case) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, case.image_size, np.uint8)


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_a_mask_is_the_models_in_the_images_size(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    kind: SparsePrompt,
) -> None:
    segmenter = make_segmenter(kind)
    for case in cases:
        logits, _ = segmenter.segment(embedding_of(case), image_of(case))
        embedding = embedding_of(case)
        expected = segmenter.model.forward_with_embeddings(embedding, image_size=case.image_size)[
            "masks"
        ]
        assert logits.shape == (1, 1, case.height, case.width)
        torch.testing.assert_close(logits, expected)


@pytest.mark.parametrize(("kind", "name"), [("box", "boxes_xyxy"), ("point", "points_xy")])
def test_a_prompt_is_told_in_pixels_of_the_image(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    kind: SparsePrompt,
    name: str,
) -> None:
    segmenter, case = make_segmenter(kind), cases[4]
    prompts = segmenter.model.prompt_module(embedding_of(case))
    x_and_y = getattr(prompts, name).reshape(-1, 2) * torch.tensor([71 / 64, 33 / 64])
    _, (prompt,) = segmenter.segment(embedding_of(case), image_of(case))
    assert list(prompt) == ["x_min", "y_min", "x_max", "y_max"]
    assert list(prompt.values()) == pytest.approx(
        [*x_and_y[0].tolist(), *x_and_y[-1].tolist()], rel=1e-5
    )


def test_tokens_lie_nowhere(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    assert make_segmenter("tokens").segment(embedding_of(cases[0]), image_of(cases[0]))[1] == [{}]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_where_the_object_was_located_is_told_in_pixels_of_the_image(
    tiny_weights: Weights,
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    channels: tuple[int, ...],
) -> None:
    segmenter, case = Segmenter(AutoMedSAM(tiny_weights).eval(), CPU), cases[4]
    image = np.random.default_rng(0).integers(0, 256, (*case.image_size, *channels), np.uint8)
    logits, (prompt,) = segmenter.segment(embedding_of(case), image)
    small_logits, prompts = segmenter.model(
        embedding_of(case), segmenter.model.thumbnail(image)[None]
    )
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    torch.testing.assert_close(
        logits, segmenter.model.preprocessing.mask_to_image(small_logits, case.image_size)
    )
    expected = prompts.boxes_xyxy[0, 0] * torch.tensor([71 / 64, 33 / 64] * 2)
    assert list(prompt) == ["x_min", "y_min", "x_max", "y_max", "presence"]
    assert list(prompt.values()) == pytest.approx(
        [*expected.tolist(), prompts.presence.item()], rel=1e-5
    )


def test_what_was_not_found_lies_nowhere(
    tiny_weights: Weights, cases: list[Case], embedding_of: Callable[[Case], Tensor]
) -> None:
    segmenter = Segmenter(AutoMedSAM(tiny_weights).eval(), CPU)
    assert isinstance(segmenter.model.prompt_module, LocatingPrompter)
    segmenter.model.prompt_module.presence_threshold.fill_(2)
    logits, (prompt,) = segmenter.segment(embedding_of(cases[0]), image_of(cases[0]))
    assert not to_mask(logits).any()
    assert list(prompt) == ["presence"]


def test_a_box_prompts_the_bare_backbone_in_its_own_frame(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmenter, case = make_segmenter("box"), cases[4]
    found = segmenter.segment_box(
        embedding_of(case), case.image_size, torch.tensor([20.0, 6.0, 61.0, 27.0])
    )
    in_frame = torch.tensor([[20 * 64 / 71, 6 * 64 / 33, 61 * 64 / 71, 27 * 64 / 33]])
    logits = segmenter.model.decoder(embedding_of(case), boxes_xyxy=in_frame)
    assert found.shape == (1, 1, 33, 71)
    torch.testing.assert_close(
        found, segmenter.model.preprocessing.mask_to_image(logits, case.image_size)
    )


def test_the_bare_backbone_does_not_ask_the_prompt_module(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmenter, box = make_segmenter("box"), torch.tensor([10.0, 8.0, 40.0, 36.0])
    before = segmenter.segment_box(embedding_of(cases[0]), cases[0].image_size, box)
    for parameter in segmenter.model.prompt_module.parameters():
        parameter.data.zero_()
    assert torch.equal(
        segmenter.segment_box(embedding_of(cases[0]), cases[0].image_size, box), before
    )


def test_segmenting_leaves_no_graph(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    assert (
        not make_segmenter("box")
        .segment(embedding_of(cases[0]), image_of(cases[0]))[0]
        .requires_grad
    )


def test_a_mask_is_where_the_probability_is_over_a_half() -> None:
    logits = torch.tensor([[[[-3.0, 0.0], [0.01, 30.0]]]])
    assert to_mask(logits).tolist() == [[False, False], [True, True]]


def test_a_soft_mask_is_the_probability_in_255_steps() -> None:
    logits = torch.tensor([[[[-100.0, -1.0, 0.0], [1.0, 2.0, 100.0]]]])
    soft = to_soft_mask(logits)
    assert soft.dtype == np.uint8
    assert soft.tolist() == [[0, 69, 127], [186, 225, 255]]


def test_each_class_has_a_mask_and_a_prompt(
    tiny_weights: Weights, cases: list[Case], embedding_of: Callable[[Case], Tensor]
) -> None:
    segmenter = Segmenter(AutoMedSAM(tiny_weights, classes=2).eval(), CPU)
    assert isinstance(segmenter.model.prompt_module, LocatingPrompter)
    segmenter.model.prompt_module.presence_threshold[1] = 2
    logits, (found, missed) = segmenter.segment(embedding_of(cases[0]), image_of(cases[0]))
    assert logits.shape == (1, 2, *cases[0].image_size)
    assert list(found) == ["x_min", "y_min", "x_max", "y_max", "presence"]
    assert list(missed) == ["presence"]


def test_a_pixel_has_the_label_of_the_smallest_mask_that_it_lies_in() -> None:
    """What is within a ring stays, although the ring's own mask is filled, and surer."""
    rim, within = [-1.0, 2.0, 9.0, 9.0, 0.1, 0.0], [-2.0, -1.0, 1.0, 0.1, -3.0, -5.0]
    classes = [ObjectClass("myocardium", 2), ObjectClass("ventricle", 200)]
    labels = to_labels(torch.tensor([[[rim], [within]]]), classes)
    assert labels.dtype == np.uint8
    assert labels.tolist() == [[0, 2, 200, 200, 2, 0]]
    assert np.array_equal(to_labels(torch.tensor([[[within], [rim]]]), classes[::-1]), labels)


def test_a_soft_mask_is_the_greatest_probability_of_any_class() -> None:
    logits = torch.tensor([[[[-1.0, 2.0, 1.0]], [[-2.0, 1.0, 3.0]]]])
    assert (
        to_soft_mask(logits).tolist() == to_soft_mask(torch.tensor([[[[-1.0, 2.0, 3.0]]]])).tolist()
    )
