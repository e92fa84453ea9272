"""Tests of masks and prompts in the frame of each image, of the model and of the bare backbone."""

from collections.abc import Callable

import numpy as np
import pytest
import torch
from torch import Tensor

from automedsam.backbone.embeddings import EmbeddingFolder
from automedsam.backbone.weights import Weights
from automedsam.cases.case import Case
from automedsam.cases.masks import to_mask
from automedsam.model.automedsam import AutoMedSAM
from automedsam.model.locating import LocatingPrompter
from automedsam.model.segmenter import ImagePrompt, Segmenter
from automedsam.runtime.compute import Compute
from automedsam.runtime.options import SparsePrompt
from automedsam.supervision.pseudo_labels import PseudoLabeler

CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture
def make_segmenter(tiny_weights: Weights) -> Callable[[SparsePrompt], Segmenter]:
    return lambda kind: Segmenter(
        AutoMedSAM(tiny_weights, "direct", sparse_prompt=kind).eval(), CPU
    )


@pytest.fixture
def embedding_of(embeddings: EmbeddingFolder) -> Callable[[Case], Tensor]:
    return lambda case: embeddings.load([case], CPU.device)


def locating_segmenter(weights: Weights, classes: int = 1) -> tuple[Segmenter, LocatingPrompter]:
    model = AutoMedSAM(weights, classes=classes).eval()
    assert isinstance(model.prompter, LocatingPrompter)
    return Segmenter(model, CPU), model.prompter


def random_image(case: Case, *channels: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*case.image_size, *channels), np.uint8)


@pytest.mark.parametrize("kind", ["box", "point", "tokens"])
def test_segment_returns_the_mask_of_the_model_in_the_size_of_the_image(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    kind: SparsePrompt,
) -> None:
    segmenter = make_segmenter(kind)
    for case in cases:
        embedding = embedding_of(case)
        logits = segmenter.segment(embedding, random_image(case)).logits
        expected = segmenter.model.forward_with_embeddings(embedding, image_size=case.image_size)
        assert logits.shape == (1, 1, case.height, case.width)
        torch.testing.assert_close(logits, expected["masks"])


@pytest.mark.parametrize(("kind", "name"), [("box", "boxes_xyxy"), ("point", "points_xy")])
def test_prompts_of_direct_prompting_are_in_px_of_the_image(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    kind: SparsePrompt,
    name: str,
) -> None:
    segmenter, case = make_segmenter(kind), cases[4]
    prompts = segmenter.model.prompter(embedding_of(case))
    corners = getattr(prompts, name).reshape(-1, 2) * torch.tensor([71 / 64, 33 / 64])
    (prompt,) = segmenter.segment(embedding_of(case), random_image(case)).prompts
    expected = [*corners[0].tolist(), *corners[-1].tolist()]
    assert prompt.box_xyxy == pytest.approx(expected, rel=1e-5)
    assert prompt.presence is None


def test_tokens_have_no_place_in_the_image(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmentation = make_segmenter("tokens").segment(embedding_of(cases[0]), random_image(cases[0]))
    assert segmentation.prompts == [ImagePrompt(None, None)]


@pytest.mark.parametrize("channels", [(), (3,)])
def test_prompts_of_locating_prompting_are_in_px_of_the_image(
    tiny_weights: Weights,
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
    channels: tuple[int, ...],
) -> None:
    (segmenter, _), case = locating_segmenter(tiny_weights), cases[4]
    model, embedding, image = segmenter.model, embedding_of(case), random_image(case, *channels)
    segmentation = segmenter.segment(embedding, image)
    (prompt,) = segmentation.prompts
    logits, prompts = model(embedding, model.thumbnail(image)[None])
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    torch.testing.assert_close(
        segmentation.logits, model.preprocessing.mask_to_image(logits, case.image_size)
    )
    expected = prompts.boxes_xyxy[0, 0] * torch.tensor([71 / 64, 33 / 64] * 2)
    assert prompt.box_xyxy == pytest.approx(expected.tolist(), rel=1e-5)
    assert prompt.presence == pytest.approx(prompts.presence.item(), rel=1e-5)


def test_an_object_that_is_not_found_has_an_empty_mask_and_no_box(
    tiny_weights: Weights, cases: list[Case], embedding_of: Callable[[Case], Tensor]
) -> None:
    segmenter, prompter = locating_segmenter(tiny_weights)
    prompter.presence_threshold.fill_(2)
    segmentation = segmenter.segment(embedding_of(cases[0]), random_image(cases[0]))
    (prompt,) = segmentation.prompts
    assert not to_mask(segmentation.logits).any()
    assert prompt.box_xyxy is None
    assert prompt.presence is not None


def test_each_class_has_a_mask_and_a_prompt(
    tiny_weights: Weights, cases: list[Case], embedding_of: Callable[[Case], Tensor]
) -> None:
    segmenter, prompter = locating_segmenter(tiny_weights, classes=2)
    prompter.presence_threshold[1] = 2
    segmentation = segmenter.segment(embedding_of(cases[0]), random_image(cases[0]))
    located, missed = segmentation.prompts
    assert segmentation.logits.shape == (1, 2, *cases[0].image_size)
    assert located.box_xyxy is not None
    assert missed.box_xyxy is None
    assert None not in (located.presence, missed.presence)


@pytest.mark.parametrize(
    ("prompt", "row"),
    [
        (
            ImagePrompt((1.0, 2.0, 3.5, 4.0), 0.25),
            {"x_min": 1.0, "y_min": 2.0, "x_max": 3.5, "y_max": 4.0, "presence": 0.25},
        ),
        (
            ImagePrompt((1.0, 2.0, 1.0, 2.0), None),
            {"x_min": 1.0, "y_min": 2.0, "x_max": 1.0, "y_max": 2.0},
        ),
        (ImagePrompt(None, 0.0), {"presence": 0.0}),
        (ImagePrompt(None, None), {}),
    ],
)
def test_row_of_a_prompt_omits_unknown_values(prompt: ImagePrompt, row: dict[str, float]) -> None:
    assert prompt.row() == row
    assert list(prompt.row()) == list(row)


def test_segment_box_prompts_the_bare_backbone_in_its_own_frame(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmenter, case = make_segmenter("box"), cases[4]
    box_xyxy = torch.tensor([20.0, 6.0, 61.0, 27.0])
    mask_logits = segmenter.segment_box(embedding_of(case), case.image_size, box_xyxy)
    input_box = torch.tensor([[20 * 64 / 71, 6 * 64 / 33, 61 * 64 / 71, 27 * 64 / 33]])
    logits = segmenter.model.decoder(embedding_of(case), boxes_xyxy=input_box)
    assert mask_logits.shape == (1, 1, 33, 71)
    torch.testing.assert_close(
        mask_logits, segmenter.model.preprocessing.mask_to_image(logits, case.image_size)
    )


def test_segment_box_does_not_use_the_prompter(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmenter, box_xyxy = make_segmenter("box"), torch.tensor([10.0, 8.0, 40.0, 36.0])
    embedding, image_size = embedding_of(cases[0]), cases[0].image_size
    before = segmenter.segment_box(embedding, image_size, box_xyxy)
    for parameter in segmenter.model.prompter.parameters():
        parameter.data.zero_()
    assert torch.equal(segmenter.segment_box(embedding, image_size, box_xyxy), before)


def test_segment_keeps_no_graph(
    make_segmenter: Callable[[SparsePrompt], Segmenter],
    cases: list[Case],
    embedding_of: Callable[[Case], Tensor],
) -> None:
    segmentation = make_segmenter("box").segment(embedding_of(cases[0]), random_image(cases[0]))
    assert not segmentation.logits.requires_grad


def test_drawn_boxes_are_segmented_as_pseudo_labels_are(
    tiny_weights: Weights, cases: list[Case], embedding_of: Callable[[Case], Tensor]
) -> None:
    case, segmenter = cases[0], locating_segmenter(tiny_weights)[0]
    height, width = case.image_size
    boxes = [(1, 1, width // 2, height // 2), (width // 3, 2, width - 1, height - 2)]
    embedding = embedding_of(case)
    label, _ = PseudoLabeler(tiny_weights, CPU).label_boxes(embedding, boxes, case.image_size)
    logits = segmenter.segment_drawn_boxes(embedding, case.image_size, boxes)
    assert logits.shape == (1, 1, height, width)
    np.testing.assert_allclose(logits.sigmoid()[0, 0].numpy(), label, atol=2e-6)
    assert (logits[0, 0, -1] < -13).all()  # outside of the boxes
