"""The ensemble of boxes: its first box, its enlarged boxes, and their average."""

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor

from automedsam.backbone.box_ensemble import MAX_ENLARGEMENT, decode_with_box_ensemble
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights

BOX = torch.tensor([12.0, 10.0, 40.0, 50.0])


@pytest.fixture
def decoder(tiny_weights: Weights) -> PromptableDecoder:
    return PromptableDecoder(
        tiny_weights.load_prompt_encoder(), tiny_weights.load_mask_decoder()
    ).eval()


@pytest.fixture
def embedding() -> Tensor:
    return torch.randn(1, 32, 8, 8)


@pytest.fixture
def decoded_boxes(decoder: PromptableDecoder, monkeypatch: pytest.MonkeyPatch) -> list[Tensor]:
    """The box prompts of each call of the decoder from now on."""
    boxes: list[Tensor] = []
    forward: Callable[..., Tensor] = decoder.forward

    def record(embeddings: Tensor, **prompts: Any) -> Tensor:
        boxes.append(prompts["boxes_xyxy"])
        return forward(embeddings, **prompts)

    monkeypatch.setattr(decoder, "forward", record)
    return boxes


def test_an_ensemble_of_one_is_the_plain_decoder(
    decoder: PromptableDecoder, embedding: Tensor
) -> None:
    plain = decoder(embedding, boxes_xyxy=BOX[None]).sigmoid()
    assert plain.shape == (1, 1, 32, 32)
    torch.testing.assert_close(decode_with_box_ensemble(decoder, embedding, BOX, 1), plain)


def test_ensemble_averages_probabilities(
    decoder: PromptableDecoder, embedding: Tensor, decoded_boxes: list[Tensor]
) -> None:
    found = decode_with_box_ensemble(decoder, embedding, BOX, 4)
    (boxes,) = decoded_boxes
    answers = [decoder(embedding, boxes_xyxy=box[None]).sigmoid() for box in boxes]
    torch.testing.assert_close(found, sum(answers) / 4, atol=1e-5, rtol=1e-4)


def test_first_box_is_unchanged_and_the_others_are_enlarged(
    decoder: PromptableDecoder, embedding: Tensor, decoded_boxes: list[Tensor]
) -> None:
    decode_with_box_ensemble(decoder, embedding, BOX, 6)
    (boxes,) = decoded_boxes
    assert torch.equal(boxes[0], BOX)
    wider = (boxes[1:] - BOX) * torch.tensor([-1, -1, 1, 1])
    assert (wider >= 0).all()
    assert (wider <= MAX_ENLARGEMENT * 64).all()
    assert len({tuple(box) for box in boxes.tolist()}) == 6


def test_boxes_stay_inside_the_frame(
    decoder: PromptableDecoder, embedding: Tensor, decoded_boxes: list[Tensor]
) -> None:
    decode_with_box_ensemble(decoder, embedding, torch.tensor([0.0, 0.0, 64.0, 64.0]), 5)
    assert torch.equal(decoded_boxes[0], torch.tensor([[0.0, 0.0, 64.0, 64.0]] * 5))


def test_ensemble_is_deterministic_and_keeps_the_random_state(
    decoder: PromptableDecoder, embedding: Tensor
) -> None:
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    one = decode_with_box_ensemble(decoder, embedding, BOX, 5)
    assert torch.equal(torch.rand(3), expected)
    assert torch.equal(decode_with_box_ensemble(decoder, embedding, BOX, 5), one)


def test_ensemble_returns_fp32_under_autocast(
    decoder: PromptableDecoder, embedding: Tensor
) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        found = decode_with_box_ensemble(decoder, embedding, BOX, 3)
    assert found.dtype == torch.float32
    torch.testing.assert_close(
        found, decode_with_box_ensemble(decoder, embedding, BOX, 3), atol=0.02, rtol=0
    )
