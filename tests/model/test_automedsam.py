"""Tests of AutoMedSAM with both kinds of prompting: outputs, frames, and frozen parts."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.weights import Weights
from automedsam.model.automedsam import AutoMedSAM, create_model
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.prompts import Prompts
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import Prompting, PromptSource, SparsePrompt
from automedsam.supervision.box_losses import AutoMedSAMLoss
from http_server import Server

KINDS = ["box", "point", "tokens"]
PROMPTINGS = ["locate", "direct"]


@pytest.mark.parametrize("kind", KINDS)
def test_masks_have_the_input_frame_or_the_given_image_size(
    tiny_weights: Weights, kind: SparsePrompt
) -> None:
    model = AutoMedSAM(tiny_weights, "direct", sparse_prompt=kind)
    embeddings = torch.randn(3, 32, 8, 8)
    output = model.forward_with_embeddings(embeddings)
    assert list(output) == ["masks"]
    assert output["masks"].shape == (3, 1, 64, 64)
    output = model.forward_with_embeddings(embeddings, image_size=(30, 50))
    assert output["masks"].shape == (3, 1, 30, 50)


def test_prompts_are_returned_on_request(tiny_weights: Weights) -> None:
    model = AutoMedSAM(tiny_weights, "direct")
    embeddings = torch.randn(2, 32, 8, 8)
    output = model.forward_with_embeddings(embeddings, return_prompts=True)
    assert sorted(output) == ["masks", "prompts"]
    assert isinstance(output["prompts"], Prompts)
    assert torch.equal(output["prompts"].boxes_xyxy, model.prompter(embeddings).boxes_xyxy)
    assert torch.equal(output["masks"], model.forward_with_embeddings(embeddings)["masks"])


@pytest.mark.parametrize("kind", KINDS)
def test_masks_are_the_output_of_the_decoder_for_the_prompts(
    tiny_weights: Weights, kind: SparsePrompt
) -> None:
    model = AutoMedSAM(tiny_weights, "direct", sparse_prompt=kind)
    embeddings = torch.randn(2, 32, 8, 8)
    logits, prompts = model(embeddings)
    assert logits.shape == (2, 1, 32, 32)
    boxes = None if prompts.boxes_xyxy is None else prompts.boxes_xyxy[:, 0]
    sparse = {"boxes_xyxy": boxes, "points_xy": prompts.points_xy, "tokens": prompts.tokens}
    assert torch.equal(logits, model.decoder(embeddings, **sparse, dense=prompts.dense))


def test_padding_is_cropped_for_a_backbone_that_pads(
    tiny_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    padded = replace(
        tiny_weights.backbone,
        preprocessing=replace(tiny_weights.backbone.preprocessing, kind="sam"),
    )
    monkeypatch.setitem(BACKBONES, "sam_padded", padded)
    model = AutoMedSAM(Weights("sam_padded", tiny_weights.path), "direct")
    embeddings = torch.randn(1, 32, 8, 8)
    frame = model.forward_with_embeddings(embeddings)["masks"]
    masks = model.forward_with_embeddings(embeddings, image_size=(32, 64))["masks"]
    torch.testing.assert_close(masks, frame[..., :32, :])


@pytest.mark.parametrize("prompting", PROMPTINGS)
def test_masks_are_fp32_under_autocast(tiny_weights: Weights, prompting: Prompting) -> None:
    with torch.autocast("cpu", torch.bfloat16):
        model = AutoMedSAM(tiny_weights, prompting)
        output = model.forward_with_embeddings(
            torch.randn(1, 32, 8, 8), thumbnails=torch.rand(1, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
        )
    assert output["masks"].dtype == torch.float32


@pytest.mark.parametrize("prompting", PROMPTINGS)
def test_only_the_prompter_is_trainable(tiny_weights: Weights, prompting: Prompting) -> None:
    model = AutoMedSAM(tiny_weights, prompting)
    trainable = {name for name, parameter in model.named_parameters() if parameter.requires_grad}
    assert trainable == {f"prompter.{name}" for name, _ in model.prompter.named_parameters()}


@pytest.mark.parametrize("kind", KINDS)
def test_an_optimizer_step_changes_every_weight_of_the_prompter_only(
    tiny_weights: Weights, kind: SparsePrompt
) -> None:
    model = AutoMedSAM(tiny_weights, "direct", sparse_prompt=kind)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    optimizer = torch.optim.Adam(model.parameters(), 1e-3)
    masks = model.forward_with_embeddings(torch.randn(4, 32, 8, 8))["masks"]
    AutoMedSAMLoss()(masks, torch.tensor([[10, 12, 40, 50]] * 4)).total.backward()
    optimizer.step()
    for key, value in model.state_dict().items():
        assert torch.equal(value, before[key]) != key.startswith("prompter."), key


def test_create_model_loads_a_checkpoint(tiny_weights: Weights) -> None:
    model = create_model(
        str(tiny_weights.path), backbone="sam_test", sparse_prompt="point", prompting="direct"
    )
    assert model.prompter.sparse_prompt == "point"
    frozen = torch.load(tiny_weights.path, weights_only=True)
    for key, value in model.decoder.state_dict().items():
        assert torch.equal(value, frozen[key]), key


def test_create_model_reports_a_missing_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"absent\.pth: file not found; .* weights of lite_medsam"):
        create_model(tmp_path / "absent.pth")


def test_create_model_downloads_weights_once(
    tiny_weights: Weights, server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    source = server.known_source("sam_test.pth", tiny_weights.path.read_bytes())
    monkeypatch.setitem(BACKBONES, "sam_test", replace(tiny_weights.backbone, source=source))
    create_model(tiny_weights.path, backbone="sam_test")
    assert server.asked == []
    for _ in range(2):
        create_model(backbone="sam_test")
    assert server.asked == ["/sam_test.pth"]


def test_create_model_requires_only_embeddings_by_default(
    tiny_weights: Weights,
) -> None:
    model = create_model(tiny_weights.path, backbone="sam_test").eval()
    output = model.forward_with_embeddings(torch.randn(2, 32, 8, 8), return_prompts=True)
    assert output["masks"].shape == (2, 1, 64, 64)
    assert output["prompts"].boxes_xyxy.shape == (2, 1, 4)
    assert ((output["prompts"].presence >= 0) & (output["prompts"].presence <= 1)).all()


@pytest.mark.parametrize("source", ["image", "both"])
def test_thumbnails_are_required_if_the_prompter_uses_images(
    tiny_weights: Weights, source: PromptSource
) -> None:
    model, embeddings = AutoMedSAM(tiny_weights, "locate", source).eval(), torch.randn(2, 32, 8, 8)
    with pytest.raises(
        InputError,
        match="thumbnails: required, because prompt_source is not embedding",
    ):
        model(embeddings)
    image = np.random.default_rng(0).integers(0, 256, (40, 90), np.uint8)
    thumbnail = model.thumbnail(image)
    assert thumbnail.shape == (3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    logits, prompts = model(embeddings, torch.stack([thumbnail] * 2))
    assert logits.shape == (2, 1, 32, 32)
    assert prompts.dense is prompts.points_xy is prompts.tokens is None


def test_forward_returns_the_masks_and_prompts_of_the_prompter(tiny_weights: Weights) -> None:
    model = AutoMedSAM(tiny_weights).eval()
    inputs = torch.randn(2, 32, 8, 8), torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    logits, prompts = model(*inputs)
    expected, expected_prompts = model.prompter.predict_masks(model.decoder, *inputs)
    assert torch.equal(logits, expected)
    assert torch.equal(prompts.boxes_xyxy, expected_prompts.boxes_xyxy)


@pytest.mark.parametrize("shape", [(2, 16, 8, 8), (2, 32, 4, 8), (32, 8, 8)])
@pytest.mark.parametrize("prompting", PROMPTINGS)
def test_embeddings_of_another_shape_are_rejected(
    tiny_weights: Weights, shape: tuple[int, ...], prompting: Prompting
) -> None:
    with pytest.raises(
        InputError, match=r"image_embeddings: expected the shape \(B, 32, 8, 8\), found"
    ):
        AutoMedSAM(tiny_weights, prompting)(torch.zeros(shape))


def test_direct_prompting_rejects_several_classes(tiny_weights: Weights) -> None:
    with pytest.raises(ValueError, match="direct prompting supports one class, got 3"):
        AutoMedSAM(tiny_weights, "direct", classes=3)
