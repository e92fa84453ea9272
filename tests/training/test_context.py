"""Batches and predictions that all recipes share."""

import pytest
import torch

from automedsam.cases.case import Case
from automedsam.cases.classes import Classes, ObjectClass
from automedsam.model.automedsam import AutoMedSAM
from automedsam.training.context import TrainingContext
from training_fixtures import CPU, TrainingFixtures

TWO_CLASSES = Classes([ObjectClass("liver", 1), ObjectClass("spleen", 7)])


@pytest.fixture
def context(material: TrainingFixtures) -> TrainingContext:
    return material.context(AutoMedSAM(material.weights, "direct").eval(), batch_size=2)


def test_the_last_batch_may_be_smaller(context: TrainingContext, cases: list[Case]) -> None:
    batches = [[case.name for case in batch] for batch in context.batches(cases)]
    assert batches == [["a", "b"], ["c", "d"], ["e"]]
    assert context.batches([]) == []


def test_predictions_have_the_size_of_each_image(
    context: TrainingContext, cases: list[Case]
) -> None:
    with torch.inference_mode():
        masks, prompts = context.predict(cases)
        (mask,), _ = context.predict(cases[3:4])
    assert [mask.shape for mask in masks] == [(1, 1, *case.image_size) for case in cases]
    torch.testing.assert_close(masks[3], mask)
    assert prompts.boxes_xyxy is not None
    assert prompts.boxes_xyxy.shape == (5, 1, 4)


def test_logits_are_resized_to_each_image(context: TrainingContext, cases: list[Case]) -> None:
    logits = torch.arange(5.0)[:, None, None, None].expand(5, 2, 32, 32)
    resized = context.to_images(logits, cases)
    assert [one.shape for one in resized] == [(1, 2, *case.image_size) for case in cases]
    for number, one in enumerate(resized):
        torch.testing.assert_close(one, torch.full_like(one, number))
    with pytest.raises(ValueError, match="longer"):
        context.to_images(logits[:2], cases)


def test_each_class_of_each_case_has_its_mask_and_boxes(material: TrainingFixtures) -> None:
    model = AutoMedSAM(material.weights, classes=2)
    context = material.context(model, CPU, classes=TWO_CLASSES)
    liver, spleen = ((1, 1, 3, 3),), ((0, 0, 2, 2), (4, 4, 5, 5))
    cases = [
        Case("a", "a", "train", 6, 8, {1: liver, 7: ()}),
        Case("b", "b", "train", 5, 5, {1: (), 7: spleen}),
    ]
    masks = [torch.randn(1, 2, *case.image_size) for case in cases]
    pairs = context.per_class(masks, cases)
    assert [boxes_xyxy for _, boxes_xyxy in pairs] == [liver, (), (), spleen]
    expected = [mask[:, k : k + 1] for mask in masks for k in (0, 1)]
    assert all(torch.equal(mask, one) for (mask, _), one in zip(pairs, expected, strict=True))
