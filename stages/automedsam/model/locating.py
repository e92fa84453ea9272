"""Locating prompting: find each object, then prompt the frozen decoder with its box.

The prompter predicts one map per class, from the image's embedding, from a thumbnail of the image,
or from both. The parts of a map propose boxes, and the decoder predicts a mask for each. The prompt
is the box that its own mask fills best where the map is most certain. Map and mask err in different
ways, so they are averaged; the weight of the map is the presence score of the object.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automedsam.backbone.box_ensemble import decode_with_box_ensemble
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.cases.boxes import box_iou, largest_box
from automedsam.model.embedding_locator import EmbeddingLocator
from automedsam.model.embedding_reduction import EmbeddingReduction
from automedsam.model.image_locator import ImageLocator
from automedsam.model.prompter import Prompter
from automedsam.model.prompts import Prompts
from automedsam.model.proposals import propose_boxes
from automedsam.runtime.options import PromptSource

ENSEMBLE_SIZE = 5  # boxes around each located part
MIN_PRESENCE_RATIO = 0.5  # of a further part's presence to that of the most certain part
EMPTY_PROBABILITY = 0.499  # just below the threshold of a mask


@dataclass(frozen=True)
class LocatedPart:
    """An object, or one part of it, on which the map and the decoder agree."""

    box_xyxy: Tensor  # (4,) px of the input frame
    presence: float  # 0 to 1


class LocatingPrompter(Prompter):
    """Embeddings and thumbnails to one map per class, and from each map to a box and a mask."""

    presence_threshold: Tensor
    max_parts: Tensor

    def __init__(self, channels: int, source: PromptSource, classes: int = 1) -> None:
        """Create the locators that `source` selects.

        Args:
          channels: C of the embedding.
          source: input of the locators; with `both`, the probabilities are averaged.
          classes: K.
        """
        super().__init__()
        self.locators = nn.ModuleDict()
        self.reduction = EmbeddingReduction(channels)
        if source != "image":
            self.locators["embedding"] = EmbeddingLocator(self.reduction.channels, classes)
        if source != "embedding":
            self.locators["image"] = ImageLocator(classes)
        self.needs_thumbnails = source != "embedding"
        # Of each class: the presence below which a mask is left empty, and the largest number of
        # boxes of a training image.
        self.register_buffer("presence_threshold", torch.zeros(classes))
        self.register_buffer("max_parts", torch.ones(classes))

    def forward(self, image_embeddings: Tensor, thumbnails: Tensor | None) -> Tensor:
        """The maps: probability (B, K, 4 grid, 4 grid), fp32.

        Args:
          image_embeddings: (B, C, grid, grid).
          thumbnails: (B, 3, side, side), 0 to 1; `None` if the source is the embedding only.
        """
        inputs = {}
        if "embedding" in self.locators:
            inputs["embedding"] = self.reduction(image_embeddings)
        if thumbnails is not None and "image" in self.locators:
            inputs["image"] = thumbnails
        return self.predict_maps(inputs, 4 * image_embeddings.shape[-1])

    def predict_maps(self, inputs: Mapping[str, Tensor], side: int) -> Tensor:
        """The maps: probability (B, K, side, side), fp32.

        Args:
          inputs: the input of each locator: `embedding`, reduced, and `image`, thumbnails.
          side: side of the maps.
        """
        maps = [
            F.interpolate(locator(inputs[name]).float(), (side, side), mode="bilinear").sigmoid()
            for name, locator in self.locators.items()
        ]
        return torch.stack(maps).mean(0)

    def predict_masks(
        self, decoder: PromptableDecoder, image_embeddings: Tensor, thumbnails: Tensor | None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, K, 4 grid, 4 grid), fp32, and the boxes; a class not found has no box."""
        maps = self(image_embeddings, thumbnails)  # (B, K, 4 grid, 4 grid)
        # Read once, because each read of a buffer waits for the device.
        settings = list(zip(self.max_parts.tolist(), self.presence_threshold.tolist(), strict=True))
        masks, boxes, presences = [], [], []
        for embedding, image_maps in zip(image_embeddings.split(1), maps, strict=True):
            for probability, (max_parts, threshold) in zip(image_maps, settings, strict=True):
                mask, box, presence = predict_mask(
                    decoder, embedding, probability[None, None], int(max_parts), threshold
                )
                masks.append(mask)
                boxes.append(box)
                presences.append(presence)
        prompts = Prompts(
            boxes_xyxy=torch.stack(boxes).unflatten(0, maps.shape[:2]),
            presence=maps.new_tensor(presences).unflatten(0, maps.shape[:2]),
        )
        return torch.cat(masks).view_as(maps).logit(eps=1e-4), prompts


def predict_mask(
    decoder: PromptableDecoder,
    embedding: Tensor,
    probability: Tensor,
    max_parts: int,
    presence_threshold: float,
) -> tuple[Tensor, Tensor, float]:
    """Mask (1, 1, h, w), box (4,) and presence of one class in one image, from its map."""
    parts = locate(decoder, embedding, probability, max_parts)
    presence = max((part.presence for part in parts), default=0.0)
    if not parts or presence < presence_threshold:
        # Keep the map for the soft mask, but below the threshold, so that the mask is empty.
        return probability.clamp(max=EMPTY_PROBABILITY), probability.new_zeros(4), presence
    mask = decode_parts(decoder, embedding, probability, parts)
    return mask, enclosing_box_of(parts), presence


def locate(
    decoder: PromptableDecoder, embedding: Tensor, probability: Tensor, max_parts: int = 1
) -> list[LocatedPart]:
    """The parts of a map that the decoder confirms best, the most certain first.

    The presence of a part is the mean probability of the map under the decoder's mask, times the
    overlap (IoU) of the prompt with the box of the mask's largest part: the box of an object is
    filled to its four sides.

    Args:
      decoder: the frozen decoder.
      embedding: (1, C, grid, grid).
      probability: the map (1, 1, h, w).
      max_parts: maximum number; a further part must be certain, and apart from the others.

    Returns:
      No part if the map proposes no box.
    """
    proposals = propose_boxes(probability[0, 0].detach().cpu().numpy(), max_parts)
    if not proposals:
        return []
    cell_px = decoder.prompt_encoder.input_image_size[0] / probability.shape[-1]
    boxes = cell_px * probability.new_tensor(proposals)  # (N, 4)
    logits = decoder(embedding.expand(len(boxes), -1, -1, -1), boxes_xyxy=boxes)
    masks = logits[:, 0] > 0  # (N, h, w)
    presences = []
    for mask, proposal in zip(masks, proposals, strict=True):
        certainty = (probability[0, 0] * mask).sum().item() / max(mask.sum().item(), 1)
        presences.append(certainty * box_iou(largest_box(mask.cpu().numpy()), proposal))
    ranking = sorted(range(len(proposals)), key=presences.__getitem__, reverse=True)
    min_presence = MIN_PRESENCE_RATIO * presences[ranking[0]]
    chosen: list[int] = []
    for i in ranking:
        is_apart = not any(box_iou(proposals[i], proposals[k]) for k in chosen)
        if len(chosen) < max_parts and presences[i] >= min_presence and is_apart:
            chosen.append(i)
    return [LocatedPart(boxes[i], presences[i]) for i in chosen]


def decode_parts(
    decoder: PromptableDecoder, embedding: Tensor, probability: Tensor, parts: list[LocatedPart]
) -> Tensor:
    """Probability (1, 1, h, w): the decoder's masks of the parts, averaged with the map.

    The map weighs as much as the presence of the most certain part.
    """
    decoded = torch.stack(
        [
            decode_with_box_ensemble(decoder, embedding, part.box_xyxy, ENSEMBLE_SIZE)
            for part in parts
        ]
    )
    weight = max(part.presence for part in parts)
    return (decoded.amax(0) + weight * probability) / (1 + weight)


def enclosing_box_of(parts: list[LocatedPart]) -> Tensor:
    """The smallest box (4,) around all parts."""
    boxes = torch.stack([part.box_xyxy for part in parts])
    return torch.cat([boxes[:, :2].amin(0), boxes[:, 2:].amax(0)])
