"""Tests of locating prompting with maps drawn by hand, on phantoms and with a real small SAM."""

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor
from torch.nn import functional as F

from automedsam.backbone.box_ensemble import decode_with_box_ensemble
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.encoder import Encoder
from automedsam.backbone.weights import Weights
from automedsam.cases.boxes import box_iou, tight_box
from automedsam.datasets.phantoms import draw_phantom
from automedsam.evaluation.metrics import dice
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.locating import (
    ENSEMBLE_SIZE,
    LocatedPart,
    LocatingPrompter,
    decode_parts,
    enclosing_box_of,
    locate,
)
from automedsam.runtime.compute import Compute
from automedsam.runtime.options import PromptSource

CPU = Compute(torch.device("cpu"), torch.float32)


@pytest.fixture(scope="module")
def decoder() -> PromptableDecoder:
    weights = Weights("sam_tiny")
    return PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder()).eval()


@pytest.fixture(scope="module", params=[4, 5, 6])
def phantom(request: pytest.FixtureRequest) -> tuple[Tensor, np.ndarray]:
    """An embedding (1, C, grid, grid), and the true mask (256, 256)."""
    drawn = draw_phantom(np.random.default_rng([3, request.param]))
    return Encoder(Weights("sam_tiny"), CPU)(drawn.image)[None].float(), drawn.mask


def blurred_map(mask: np.ndarray, peak: float = 0.9) -> Tensor:
    """A blurred map (1, 1, 128, 128) of the mask, with a smaller false part in an empty corner."""
    probability = gaussian_filter(mask[::2, ::2].astype(np.float32), 1)
    corners = {
        (y, x): mask[2 * y : 2 * y + 60, 2 * x : 2 * x + 60].sum() for y in (0, 98) for x in (0, 98)
    }
    y, x = min(corners, key=corners.__getitem__)
    probability[y + 8 : y + 18, x + 8 : x + 18] = 1
    return peak * torch.tensor(probability)[None, None]


class FixedMaps(LocatingPrompter):
    """A prompter with given maps in place of those of the locators."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__(64, "embedding")
        self.maps = maps

    def forward(self, image_embeddings: Tensor, thumbnails: Tensor | None) -> Tensor:
        return self.maps


@pytest.mark.parametrize(
    ("source", "names", "needs_thumbnails"),
    [
        ("embedding", ["embedding"], False),
        ("image", ["image"], True),
        ("both", ["embedding", "image"], True),
    ],
)
def test_locators_are_those_of_the_source(
    source: PromptSource, names: list[str], needs_thumbnails: bool
) -> None:
    prompter = LocatingPrompter(32, source)
    assert list(prompter.locators) == names
    assert prompter.needs_thumbnails == needs_thumbnails


def test_a_map_is_the_mean_probability_of_both_locators() -> None:
    prompter = LocatingPrompter(32, "both").eval()
    embeddings = torch.randn(2, 32, 8, 8)
    thumbnails = torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    from_embedding = F.interpolate(
        prompter.locators["embedding"](embeddings), (32, 32), mode="bilinear"
    ).sigmoid()
    from_image = F.interpolate(
        prompter.locators["image"](thumbnails), (32, 32), mode="bilinear"
    ).sigmoid()
    maps = prompter(embeddings, thumbnails)
    assert maps.shape == (2, 1, 32, 32)
    torch.testing.assert_close(maps, (from_embedding + from_image) / 2)


def test_large_embeddings_are_reduced_and_maps_keep_their_size() -> None:
    """Embeddings of LiteMedSAM: 256 channels and 64 x 64 cells."""
    prompter = LocatingPrompter(256, "embedding").eval()
    embeddings = torch.randn(1, 256, 64, 64)
    prompter.reduction.fit([embeddings])
    reduced = prompter.reduction(embeddings)
    assert reduced.shape == (1, 64, 32, 32)
    maps = prompter(embeddings, None)
    assert maps.shape == (1, 1, 256, 256)
    assert torch.equal(maps, prompter.predict_maps({"embedding": reduced}, 256))
    expected = F.interpolate(prompter.locators["embedding"](reduced), (256, 256), mode="bilinear")
    torch.testing.assert_close(maps, expected.sigmoid())


def test_size_of_the_embedding_locator_is_bounded() -> None:
    """Behind every large backbone, it has as many parameters as behind 64 channels."""
    small, large = (
        sum(parameter.numel() for parameter in LocatingPrompter(channels, "embedding").parameters())
        for channels in (64, 256)
    )
    assert small == large


def test_the_reduction_is_part_of_the_state() -> None:
    prompter, other = (LocatingPrompter(80, "embedding").eval() for _ in range(2))
    embeddings = torch.randn(2, 80, 16, 16) * torch.linspace(1, 3, 80)[:, None, None]
    prompter.reduction.fit([embeddings])
    other.load_state_dict(prompter.state_dict())
    assert torch.equal(other(embeddings, None), prompter(embeddings, None))


@pytest.mark.parametrize("source", ["embedding", "image"])
def test_the_map_of_one_source_ignores_the_other_input(source: PromptSource) -> None:
    prompter = LocatingPrompter(32, source).eval()
    inputs: dict[str, Tensor] = {
        "embedding": torch.randn(1, 32, 8, 8),
        "image": torch.rand(1, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE),
    }
    maps = prompter(inputs["embedding"], inputs["image"] if source == "image" else None)
    other = {key: value if key == source else value + 1 for key, value in inputs.items()}
    assert torch.equal(prompter(other["embedding"], other["image"]), maps)


def test_maps_are_fp32_under_autocast() -> None:
    prompter = LocatingPrompter(32, "both").eval()
    with torch.autocast("cpu", torch.bfloat16):
        maps = prompter(torch.randn(1, 32, 8, 8), torch.rand(1, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE))
    assert maps.dtype == torch.float32


def test_a_blurred_map_gives_the_mask_and_the_box_of_the_object(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, true_mask = phantom
    with torch.inference_mode():
        logits, prompts = FixedMaps(blurred_map(true_mask)).predict_masks(decoder, embedding, None)
    mask = F.interpolate(logits, (256, 256), mode="bilinear")[0, 0].numpy() > 0
    assert logits.shape == (1, 1, 128, 128)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    assert box_iou(tuple(prompts.boxes_xyxy[0, 0].tolist()), tight_box(true_mask)) > 0.8
    assert 0.5 < prompts.presence.item() <= 1
    assert dice(mask, true_mask) > 0.9


def test_the_weight_of_the_map_is_the_presence_of_the_object(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, true_mask = phantom
    probability = blurred_map(true_mask, peak=0.6)
    with torch.inference_mode():
        (part,) = locate(decoder, embedding, probability)
        decoded = decode_with_box_ensemble(decoder, embedding, part.box_xyxy, ENSEMBLE_SIZE)
        combined = decode_parts(decoder, embedding, probability, [part])
    assert 0 < part.presence < 0.6
    weight = part.presence
    torch.testing.assert_close(combined, (decoded + weight * probability) / (1 + weight))


def test_a_map_below_a_half_everywhere_gives_a_mask(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, true_mask = phantom
    with torch.inference_mode():
        prompter = FixedMaps(blurred_map(true_mask, peak=0.35))
        logits, _ = prompter.predict_masks(decoder, embedding, None)
    mask = F.interpolate(logits, (256, 256), mode="bilinear")[0, 0].numpy() > 0
    assert dice(mask, true_mask) > 0.8


def test_a_part_that_the_decoder_does_not_confirm_has_less_presence(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, true_mask = phantom
    with torch.inference_mode():
        (located,) = locate(decoder, embedding, blurred_map(true_mask))
        false_map = blurred_map(true_mask)
        false_map[blurred_map(true_mask, peak=1) < 1] = 0
        (false_part,) = locate(decoder, embedding, false_map)
    assert 0 <= false_part.presence < located.presence <= 1


def test_an_empty_map_gives_an_empty_mask_and_no_box(decoder: PromptableDecoder) -> None:
    logits, prompts = FixedMaps(torch.full((2, 1, 128, 128), 1e-3)).predict_masks(
        decoder, torch.randn(2, 64, 32, 32), None
    )
    assert (logits < 0).all()
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    assert not prompts.boxes_xyxy.any()
    assert prompts.presence.tolist() == [[0], [0]]


@pytest.mark.parametrize("is_below", [True, False])
def test_a_mask_below_the_presence_threshold_is_empty(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray], is_below: bool
) -> None:
    embedding, true_mask = phantom
    prompter = FixedMaps(blurred_map(true_mask))
    with torch.inference_mode():
        presence = prompter.predict_masks(decoder, embedding, None)[1].presence
        assert presence is not None
        prompter.presence_threshold.fill_(presence.item() + (1e-3 if is_below else -1e-3))
        logits, prompts = prompter.predict_masks(decoder, embedding, None)
    assert prompts.presence == presence
    assert prompts.boxes_xyxy is not None
    assert bool((logits > 0).any()) != is_below
    assert bool(prompts.boxes_xyxy.any()) != is_below


def test_images_of_a_batch_are_independent(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    """One image shows an object, the other does not."""
    embedding, true_mask = phantom
    empty_map = torch.zeros(1, 1, 128, 128)
    with torch.inference_mode():
        single, _ = FixedMaps(blurred_map(true_mask)).predict_masks(decoder, embedding, None)
        both, prompts = FixedMaps(torch.cat([empty_map, blurred_map(true_mask)])).predict_masks(
            decoder, torch.cat([embedding] * 2), None
        )
    assert (both[0] < 0).all()
    torch.testing.assert_close(both[1:], single)
    assert prompts.presence is not None
    assert prompts.presence[0] == 0 < prompts.presence[1]


def test_enclosing_box_of_parts() -> None:
    boxes = ([3.0, 4.0, 9.0, 12.0], [1.0, 6.0, 5.0, 20.0])
    parts = [LocatedPart(torch.tensor(box), 0.5) for box in boxes]
    assert enclosing_box_of(parts).tolist() == [1, 4, 9, 20]


def test_the_presence_threshold_is_part_of_the_state() -> None:
    prompter = LocatingPrompter(32, "embedding")
    prompter.presence_threshold.fill_(0.25)
    other = LocatingPrompter(32, "embedding")
    other.load_state_dict(prompter.state_dict())
    assert other.presence_threshold.item() == 0.25


def test_objects_of_several_parts_keep_all_parts(decoder: PromptableDecoder) -> None:
    rng = np.random.default_rng(5)
    phantoms = [draw_phantom(rng), draw_phantom(rng)]
    image = np.hstack([phantom.image for phantom in phantoms])
    true_mask = np.hstack([phantom.mask for phantom in phantoms])
    weights = Weights("sam_tiny")
    embedding = Encoder(weights, CPU)(image)[None].float()
    small_mask = F.interpolate(torch.tensor(true_mask)[None, None].float(), (128, 128), mode="area")
    prompter = FixedMaps(0.95 * small_mask)
    shares = []
    for parts in (1, 2):
        prompter.max_parts.fill_(parts)
        with torch.inference_mode():
            logits, _ = prompter.predict_masks(decoder, embedding, None)
        mask = F.interpolate(logits, true_mask.shape, mode="bilinear")[0, 0].numpy() > 0
        shares.append(sorted((mask & half).sum() / half.sum() for half in halves(true_mask)))
    assert shares[0][0] < 0.1
    assert shares[1][0] > 0.7


def halves(mask: np.ndarray) -> list[np.ndarray]:
    left = np.arange(mask.shape[1]) < mask.shape[1] // 2
    return [mask & left, mask & ~left]


def test_each_class_is_located_independently_in_its_own_map(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    """The first class is in one image, the second in the other, and the third nowhere certain."""
    embedding, true_mask = phantom
    empty_map, faint = torch.zeros(1, 1, 128, 128), blurred_map(true_mask, peak=0.35)
    maps = torch.cat(
        [
            torch.cat([blurred_map(true_mask), empty_map, faint], dim=1),
            torch.cat([empty_map, blurred_map(true_mask), faint], dim=1),
        ]
    )
    prompter = FixedMaps(maps)
    prompter.presence_threshold, prompter.max_parts = torch.tensor([0, 0, 0.9]), torch.ones(3)
    with torch.inference_mode():
        single, expected = FixedMaps(blurred_map(true_mask)).predict_masks(decoder, embedding, None)
        logits, prompts = prompter.predict_masks(decoder, torch.cat([embedding] * 2), None)
    assert logits.shape == (2, 3, 128, 128)
    assert prompts.boxes_xyxy is not None
    assert prompts.boxes_xyxy.shape == (2, 3, 4)
    assert prompts.presence is not None
    for image, number in ((0, 0), (1, 1)):
        torch.testing.assert_close(logits[image, number], single[0, 0])
        assert torch.equal(prompts.boxes_xyxy[image, number], expected.boxes_xyxy[0, 0])
        assert prompts.presence[image, number] == expected.presence[0, 0]
    assert (logits[0, 1:] < 0).all()
    assert (logits[1, [0, 2]] < 0).all()
    assert not prompts.boxes_xyxy[0, 1:].any()


def test_each_class_has_a_map_a_threshold_and_a_number_of_parts() -> None:
    prompter = LocatingPrompter(32, "both", classes=3).eval()
    thumbnails = torch.rand(2, 3, THUMBNAIL_SIDE, THUMBNAIL_SIDE)
    assert prompter(torch.randn(2, 32, 8, 8), thumbnails).shape == (2, 3, 32, 32)
    assert prompter.presence_threshold.tolist() == [0, 0, 0]
    assert prompter.max_parts.tolist() == [1, 1, 1]
