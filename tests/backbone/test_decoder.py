"""Batched decoding, compared with SAM's own decoder called one image at a time."""

import pytest
import torch
from torch import Tensor

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights

Prompt = dict[str, Tensor]


@pytest.fixture
def decoder(tiny_weights: Weights) -> PromptableDecoder:
    return PromptableDecoder(tiny_weights.load_prompt_encoder(), tiny_weights.load_mask_decoder())


def prompts(kind: str, batch: int) -> Prompt:
    if kind == "boxes":
        return {"boxes_xyxy": torch.rand(batch, 4) * 32 + torch.tensor([0.0, 0.0, 32.0, 32.0])}
    if kind == "points":
        return {"points_xy": torch.rand(batch, 2, 2) * 64}
    return {"tokens": torch.randn(batch, 2, 32)}


def decode_one_by_one(
    decoder: PromptableDecoder,
    images: Tensor,
    boxes_xyxy: Tensor | None = None,
    points_xy: Tensor | None = None,
    tokens: Tensor | None = None,
    dense: Tensor | None = None,
) -> Tensor:
    logits = []
    for i in range(len(images)):
        sparse, no_mask = decoder.prompt_encoder(
            points=None
            if points_xy is None
            else (points_xy[i : i + 1], torch.ones(1, points_xy.shape[1])),
            boxes=None if boxes_xyxy is None else boxes_xyxy[i : i + 1],
            masks=None,
        )
        one, _ = decoder.mask_decoder(
            image_embeddings=images[i : i + 1],
            image_pe=decoder.prompt_encoder.get_dense_pe(),
            sparse_prompt_embeddings=sparse if tokens is None else tokens[i : i + 1],
            dense_prompt_embeddings=no_mask if dense is None else dense[i : i + 1],
            multimask_output=False,
        )
        logits.append(one)
    return torch.cat(logits)


@pytest.mark.parametrize("with_dense", [False, True])
@pytest.mark.parametrize("kind", ["boxes", "points", "tokens"])
@pytest.mark.parametrize("batch", [1, 2, 3])
def test_batch_is_decoded_like_its_images_one_by_one(
    decoder: PromptableDecoder, batch: int, kind: str, with_dense: bool
) -> None:
    images = torch.randn(batch, 32, 8, 8, requires_grad=True)
    inputs = prompts(kind, batch) | ({"dense": torch.randn(batch, 32, 8, 8)} if with_dense else {})
    for value in inputs.values():
        value.requires_grad_()
    weight = torch.randn(batch, 1, 32, 32)

    found = decoder(images, **inputs)
    expected = decode_one_by_one(decoder, images, **inputs)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)

    leaves = [images, *inputs.values()]
    gradients = torch.autograd.grad((weight * found).sum(), leaves)
    expected_gradients = torch.autograd.grad((weight * expected).sum(), leaves)
    for gradient, target in zip(gradients, expected_gradients, strict=True):
        assert target.any()
        atol = 1e-5 * float(target.abs().max())
        torch.testing.assert_close(gradient, target, rtol=1e-4, atol=atol)


def test_each_image_is_decoded_with_its_own_prompt(decoder: PromptableDecoder) -> None:
    images = torch.randn(1, 32, 8, 8).repeat(2, 1, 1, 1)
    one, other = decoder(
        images, boxes_xyxy=torch.tensor([[2.0, 2.0, 20.0, 20.0], [30.0, 40.0, 60.0, 62.0]])
    )
    assert (one - other).abs().max() > 1e-3


@pytest.mark.parametrize("kind", ["boxes", "points"])
def test_coordinates_are_encoded_in_fp32_under_autocast(
    decoder: PromptableDecoder, kind: str
) -> None:
    encoded: list[Tensor] = []
    encoder = decoder.prompt_encoder
    encoder.register_forward_hook(lambda _, inputs, outputs: encoded.append(outputs[0]))
    encoder.pe_layer.register_forward_hook(lambda _, inputs, output: encoded.append(output))
    images, prompt = torch.randn(2, 32, 8, 8), prompts(kind, 2)
    decoder(images, **prompt)
    with torch.autocast("cpu", torch.bfloat16):
        logits = decoder(images, **prompt)
    assert logits.dtype == torch.bfloat16
    sparse, image_pe, sparse_under_autocast, image_pe_under_autocast = encoded
    assert torch.equal(sparse, sparse_under_autocast)
    assert torch.equal(image_pe, image_pe_under_autocast)
