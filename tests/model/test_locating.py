"""From a map to a mask: maps by hand on phantoms, answered by the real small SAM."""

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
from automedsam.model.locating import VOTES, LocatingPrompter, locate, prompt_with
from automedsam.model.locators import SIDE
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


def blob(mask: np.ndarray, height: float = 0.9) -> Tensor:
    """A blurred map (1, 1, 128, 128) of the mask, and a smaller, as sure, wrong part in the corner that is empty."""
    probability = gaussian_filter(mask[::2, ::2].astype(np.float32), 1)
    corners = {
        (y, x): mask[2 * y : 2 * y + 60, 2 * x : 2 * x + 60].sum() for y in (0, 98) for x in (0, 98)
    }
    y, x = min(corners, key=corners.__getitem__)
    probability[y + 8 : y + 18, x + 8 : x + 18] = 1
    return height * torch.tensor(probability)[None, None]


class Drawn(LocatingPrompter):
    """With a map by hand in place of the locators'."""

    def __init__(self, maps: Tensor) -> None:
        super().__init__(64, "embedding")
        self.maps = maps

    def forward(self, image_embeddings: Tensor, thumbnails: Tensor | None) -> Tensor:
        return self.maps


@pytest.mark.parametrize(
    ("source", "names", "needs"),
    [
        ("embedding", ["embedding"], False),
        ("image", ["image"], True),
        ("both", ["embedding", "image"], True),
    ],
)
def test_the_locators_are_those_of_the_source(
    source: PromptSource, names: list[str], needs: bool
) -> None:
    module = LocatingPrompter(32, source)
    assert list(module.locators) == names
    assert module.needs_thumbnails == needs


def test_a_map_is_the_mean_of_the_sources_probabilities() -> None:
    module = LocatingPrompter(32, "both").eval()
    embeddings, thumbnails = torch.randn(2, 32, 8, 8), torch.rand(2, 3, SIDE, SIDE)
    from_embedding = F.interpolate(
        module.locators["embedding"](embeddings), (32, 32), mode="bilinear"
    ).sigmoid()
    from_image = F.interpolate(
        module.locators["image"](thumbnails), (32, 32), mode="bilinear"
    ).sigmoid()
    found = module(embeddings, thumbnails)
    assert found.shape == (2, 1, 32, 32)
    torch.testing.assert_close(found, (from_embedding + from_image) / 2)


@pytest.mark.parametrize("source", ["embedding", "image"])
def test_the_map_of_one_source_looks_at_nothing_else(source: PromptSource) -> None:
    module = LocatingPrompter(32, source).eval()
    given: dict[str, Tensor] = {
        "embedding": torch.randn(1, 32, 8, 8),
        "image": torch.rand(1, 3, SIDE, SIDE),
    }
    found = module(given["embedding"], given["image"] if source == "image" else None)
    other = {key: value if key == source else value + 1 for key, value in given.items()}
    assert torch.equal(module(other["embedding"], other["image"]), found)


def test_maps_are_fp32_under_autocast() -> None:
    module = LocatingPrompter(32, "both").eval()
    with torch.autocast("cpu", torch.bfloat16):
        found = module(torch.randn(1, 32, 8, 8), torch.rand(1, 3, SIDE, SIDE))
    assert found.dtype == torch.float32


def test_a_blob_leads_to_the_objects_mask(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, truth = phantom
    with torch.inference_mode():
        logits, prompts = Drawn(blob(truth)).predict_masks(decoder, embedding, None)
    mask = F.interpolate(logits, (256, 256), mode="bilinear")[0, 0].numpy() > 0
    assert logits.shape == (1, 1, 128, 128)
    assert logits.dtype == torch.float32
    assert logits.isfinite().all()
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    assert box_iou(tuple(prompts.boxes_xyxy[0, 0].tolist()), tight_box(truth)) > 0.8
    assert 0.5 < prompts.presence.item() <= 1
    assert dice(mask, truth) > 0.9


def test_the_map_has_as_much_say_as_the_object_is_present(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, truth = phantom
    one = blob(truth, height=0.6)
    with torch.inference_mode():
        (part,) = locate(decoder, embedding, one)
        answer = decode_with_box_ensemble(decoder, embedding, part.box_xyxy, VOTES)
        found = prompt_with(decoder, embedding, one, [part])
    assert 0 < part.presence < 0.6
    torch.testing.assert_close(
        found, answer / (1 + part.presence) + one * part.presence / (1 + part.presence)
    )


def test_a_faint_map_leads_to_a_mask(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    """Though its probability is nowhere a half."""
    embedding, truth = phantom
    with torch.inference_mode():
        logits, _ = Drawn(blob(truth, height=0.35)).predict_masks(decoder, embedding, None)
    assert dice(F.interpolate(logits, (256, 256), mode="bilinear")[0, 0].numpy() > 0, truth) > 0.8


def test_the_object_is_preferred_to_a_part_that_the_decoder_does_not_bear_out(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    embedding, truth = phantom
    with torch.inference_mode():
        (located,) = locate(decoder, embedding, blob(truth))
        nowhere = blob(truth)
        nowhere[blob(truth, height=1) < 1] = 0
        (elsewhere,) = locate(decoder, embedding, nowhere)
    assert 0 <= elsewhere.presence < located.presence <= 1


def test_an_empty_map_is_an_empty_mask_and_no_box(decoder: PromptableDecoder) -> None:
    logits, prompts = Drawn(torch.full((2, 1, 128, 128), 1e-3)).predict_masks(
        decoder, torch.randn(2, 64, 32, 32), None
    )
    assert (logits < 0).all()
    assert prompts.boxes_xyxy is not None
    assert prompts.presence is not None
    assert not prompts.boxes_xyxy.any()
    assert prompts.presence.tolist() == [[0], [0]]


@pytest.mark.parametrize("above", [True, False])
def test_what_is_less_present_than_the_threshold_is_left_empty(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray], above: bool
) -> None:
    embedding, truth = phantom
    module = Drawn(blob(truth))
    with torch.inference_mode():
        presence = module.predict_masks(decoder, embedding, None)[1].presence
        assert presence is not None
        module.presence_threshold.fill_(presence.item() + (1e-3 if above else -1e-3))
        logits, prompts = module.predict_masks(decoder, embedding, None)
    assert prompts.presence == presence
    assert prompts.boxes_xyxy is not None
    assert bool((logits > 0).any()) != above
    assert bool(prompts.boxes_xyxy.any()) != above


def test_images_of_a_batch_are_answered_one_by_one(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    """One with an object, one without."""
    embedding, truth = phantom
    nothing = torch.zeros(1, 1, 128, 128)
    with torch.inference_mode():
        alone, _ = Drawn(blob(truth)).predict_masks(decoder, embedding, None)
        both, prompts = Drawn(torch.cat([nothing, blob(truth)])).predict_masks(
            decoder, torch.cat([embedding] * 2), None
        )
    assert (both[0] < 0).all()
    torch.testing.assert_close(both[1:], alone)
    assert prompts.presence is not None
    assert prompts.presence[0] == 0 < prompts.presence[1]


def test_the_threshold_is_saved_and_loaded_with_the_locators() -> None:
    module = LocatingPrompter(32, "embedding")
    module.presence_threshold.fill_(0.25)
    other = LocatingPrompter(32, "embedding")
    other.load_state_dict(module.state_dict())
    assert other.presence_threshold.item() == 0.25


def test_objects_of_several_parts_keep_each_of_them(decoder: PromptableDecoder) -> None:
    rng = np.random.default_rng(5)
    phantoms = [draw_phantom(rng), draw_phantom(rng)]
    image = np.hstack([phantom.image for phantom in phantoms])
    truth = np.hstack([phantom.mask for phantom in phantoms])
    weights = Weights("sam_tiny")
    embedding = Encoder(weights, CPU)(image)[None].float()
    small = F.interpolate(torch.tensor(truth)[None, None].float(), (128, 128), mode="area") * 0.95
    module = Drawn(small)
    shares = []
    for parts in (1, 2):
        module.max_parts.fill_(parts)
        with torch.inference_mode():
            logits, _ = module.predict_masks(decoder, embedding, None)
        found = F.interpolate(logits, truth.shape, mode="bilinear")[0, 0].numpy() > 0
        shares.append(sorted((found & half).sum() / half.sum() for half in halves(truth)))
    assert shares[0][0] < 0.1
    assert shares[1][0] > 0.7


def halves(mask: np.ndarray) -> list[np.ndarray]:
    left = np.arange(mask.shape[1]) < mask.shape[1] // 2
    return [mask & left, mask & ~left]


def test_each_class_is_located_in_its_own_map_as_if_it_were_alone(
    decoder: PromptableDecoder, phantom: tuple[Tensor, np.ndarray]
) -> None:
    """Two images; the first class is in one of them, the second in the other, and the third nowhere sure enough."""
    embedding, truth = phantom
    nothing, faint = torch.zeros(1, 1, 128, 128), blob(truth, height=0.35)
    maps = torch.cat(
        [
            torch.cat([blob(truth), nothing, faint], dim=1),
            torch.cat([nothing, blob(truth), faint], dim=1),
        ]
    )
    module = Drawn(maps)
    module.presence_threshold, module.max_parts = torch.tensor([0, 0, 0.9]), torch.ones(3)
    with torch.inference_mode():
        alone, expected = Drawn(blob(truth)).predict_masks(decoder, embedding, None)
        logits, prompts = module.predict_masks(decoder, torch.cat([embedding] * 2), None)
    assert logits.shape == (2, 3, 128, 128)
    assert prompts.boxes_xyxy is not None
    assert prompts.boxes_xyxy.shape == (2, 3, 4)
    assert prompts.presence is not None
    for image, number in ((0, 0), (1, 1)):
        torch.testing.assert_close(logits[image, number], alone[0, 0])
        assert torch.equal(prompts.boxes_xyxy[image, number], expected.boxes_xyxy[0, 0])
        assert prompts.presence[image, number] == expected.presence[0, 0]
    assert (logits[0, 1:] < 0).all()
    assert (logits[1, [0, 2]] < 0).all()
    assert not prompts.boxes_xyxy[0, 1:].any()


def test_a_module_of_several_classes_has_a_map_and_settings_of_each() -> None:
    module = LocatingPrompter(32, "both", classes=3).eval()
    assert module(torch.randn(2, 32, 8, 8), torch.rand(2, 3, SIDE, SIDE)).shape == (2, 3, 32, 32)
    assert module.presence_threshold.tolist() == [0, 0, 0]
    assert module.max_parts.tolist() == [1, 1, 1]
