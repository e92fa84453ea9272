"""Locates each object, then prompts the frozen decoder with its box, as a person would.

The trained part draws a map of each class, from the image's embedding, from the image itself, or from both. The parts
of the map propose boxes; the decoder answers to each; the box that its own mask fills most tightly, where the map is
surest, is the prompt. Map and mask, which err in different ways, are averaged, the map with as much say as
the object is surely there. Each class has its turn by itself.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automedsam.backbone.box_ensemble import decode_with_box_ensemble
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.cases.boxes import box_iou, largest_box
from automedsam.model.locators import EmbeddingLocator, ImageLocator
from automedsam.model.prompts import Prompts
from automedsam.model.proposals import propose_boxes
from automedsam.runtime.options import PromptSource

VOTES = 5  # on a box that is chosen
MIN_PRESENCE_RATIO = 0.5  # of the surest part's presence, that a further part must have


@dataclass(frozen=True)
class Located:
    """The object in one image, or a part of it, as far as the map and the decoder agree."""

    box_xyxy: Tensor  # (4,) px of the input frame
    presence: float  # 0 to 1


class LocatingPrompter(nn.Module):
    """Embeddings and thumbnails to a map of each class, and by way of its box to a mask, class by class."""

    presence_threshold: Tensor
    max_parts: Tensor

    def __init__(self, channels: int, source: PromptSource, classes: int = 1) -> None:
        """
        Args:
          channels: C of the embedding.
          source: which of the locators are there; of `both`, the probabilities are averaged.
          classes: K, how many are looked for.
        """
        super().__init__()
        self.locators = nn.ModuleDict()
        if source != "image":
            self.locators["embedding"] = EmbeddingLocator(channels, classes)
        if source != "embedding":
            self.locators["image"] = ImageLocator(classes)
        self.needs_thumbnails = source != "embedding"
        self.register_buffer("presence_threshold", torch.zeros(classes))
        self.register_buffer("max_parts", torch.ones(classes))  # boxes of one image in training

    def forward(self, image_embeddings: Tensor, thumbnails: Tensor | None) -> Tensor:
        """The maps: probability (B, K, 4 grid, 4 grid), fp32.

        Args:
          image_embeddings: (B, C, grid, grid).
          thumbnails: (B, 3, side, side), 0 to 1; None if the source is the embedding alone.
        """
        inputs = {"embedding": image_embeddings, "image": thumbnails}
        size = [4 * side for side in image_embeddings.shape[-2:]]
        maps = [
            F.interpolate(locator(inputs[name]).float(), size, mode="bilinear")
            for name, locator in self.locators.items()
        ]
        return torch.stack([logits.sigmoid() for logits in maps]).mean(0)

    def predict_masks(
        self, decoder: PromptableDecoder, image_embeddings: Tensor, thumbnails: Tensor | None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, K, 4 grid, 4 grid), fp32, and the boxes that led to them; empty where nothing is found."""
        maps = self(image_embeddings, thumbnails)
        batch, classes = maps.shape[:2]
        embeddings = image_embeddings.repeat_interleave(classes, dim=0).split(
            1
        )  # one for each class, like all below
        singles = maps.flatten(0, 1)[:, None].split(1)  # (1, 1, 4 grid, 4 grid) each
        settings = (
            self.max_parts.repeat(batch).tolist(),
            self.presence_threshold.repeat(batch).tolist(),
        )
        masks, boxes, presences = [], [], []
        for embedding, one, max_parts, threshold in zip(
            embeddings, singles, *settings, strict=True
        ):
            parts = locate(decoder, embedding, one, int(max_parts))
            presence = max((part.presence for part in parts), default=0.0)
            is_there = bool(parts) and presence >= threshold
            # What the map says is kept in sight, where it says that nothing is there.
            masks.append(
                prompt_with(decoder, embedding, one, parts) if is_there else one.clamp(max=0.499)
            )
            boxes.append(enclose(parts) if is_there else one.new_zeros(4))
            presences.append(presence)
        prompts = Prompts(
            boxes_xyxy=torch.stack(boxes).unflatten(0, (batch, classes)),
            presence=maps.new_tensor(presences).unflatten(0, (batch, classes)),
        )
        return torch.cat(masks).view_as(maps).logit(eps=1e-4), prompts


def locate(
    decoder: PromptableDecoder, embedding: Tensor, probability: Tensor, max_parts: int = 1
) -> list[Located]:
    """The proposals of a map (1, 1, h, w) that the decoder bears out best, apart from each other, the surest first.

    Empty if the map proposes nothing; more than one only where objects have several parts, and if those are sure, too.

    Presence is the map's mean probability under the decoder's mask times the overlap of the box of the mask's largest
    part with the prompt: a box that is the object's is filled to its four sides.
    """
    proposals = propose_boxes(probability[0, 0].detach().cpu().numpy(), max_parts)
    if not proposals:
        return []
    cell = (
        decoder.prompt_encoder.input_image_size[0] / probability.shape[-1]
    )  # px of the input frame
    boxes = cell * probability.new_tensor(proposals)  # (N, 4)
    answers = (
        decoder(embedding.expand(len(boxes), -1, -1, -1), boxes_xyxy=boxes)[:, 0] > 0
    )  # (N, h, w)
    presences = [
        (probability[0, 0] * answer).sum().item() / max(answer.sum().item(), 1)
        * box_iou(largest_box(answer.cpu().numpy()), proposal)
        for answer, proposal in zip(answers, proposals, strict=True)
    ]  # fmt: skip
    order = sorted(range(len(proposals)), key=presences.__getitem__, reverse=True)
    chosen: list[int] = []
    for i in order:
        is_sure = presences[i] >= MIN_PRESENCE_RATIO * presences[order[0]]
        if (
            len(chosen) < max_parts
            and is_sure
            and not any(box_iou(proposals[i], proposals[k]) for k in chosen)
        ):
            chosen.append(i)
    return [Located(boxes[i], presences[i]) for i in chosen]


def prompt_with(
    decoder: PromptableDecoder, embedding: Tensor, probability: Tensor, parts: list[Located]
) -> Tensor:
    """The decoder's mask of the parts, averaged with the map: probability (1, 1, h, w).

    Map and mask err in different ways; the map has as much say as the object is surely there.
    """
    answers = torch.stack(
        [decode_with_box_ensemble(decoder, embedding, part.box_xyxy, VOTES) for part in parts]
    )
    weight = max(part.presence for part in parts)
    return (answers.amax(0) + weight * probability) / (1 + weight)


def enclose(parts: list[Located]) -> Tensor:
    """The smallest box (4,) round all parts."""
    boxes = torch.stack([part.box_xyxy for part in parts])
    return torch.cat([boxes[:, :2].amin(0), boxes[:, 2:].amax(0)])
