"""Locates the object, then prompts the frozen decoder with its box, as a person would.

The trained part draws a map of the object, from the image's embedding, from the image itself, or from both. The parts
of the map propose boxes; the decoder answers to each; the box that its own mask fills most tightly, where the map is
surest, is the prompt. Map and mask, which err in different ways, are averaged.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from automedsam.box_votes import decode_loosely
from automedsam.boxes import box_iou, tight_box
from automedsam.decoder import PromptableDecoder
from automedsam.embedding_locator import EmbeddingLocator
from automedsam.image_locator import ImageLocator
from automedsam.prompts import Prompts
from automedsam.proposals import propose_boxes

PromptSource = Literal["embedding", "image", "both"]
SOURCES: tuple[PromptSource, ...] = get_args(PromptSource)
VOTES = 5  # on the box that is chosen


@dataclass(frozen=True)
class Located:
    """The object in one image, as far as the map and the decoder agree."""

    box_xyxy: Tensor  # (4,) px of the input frame
    peak: float  # the greatest probability in the map within the box
    presence: float  # 0 to 1


class LocatingModule(nn.Module):
    """Embeddings and thumbnails to a map of the object, and by way of its box to a mask."""

    presence_threshold: Tensor

    def __init__(self, channels: int, source: PromptSource) -> None:
        """
        Args:
          channels: C of the embedding.
          source: which of the locators are there; of `both`, the probabilities are averaged.
        """
        super().__init__()
        self.locators = nn.ModuleDict()
        if source != "image":
            self.locators["embedding"] = EmbeddingLocator(channels)
        if source != "embedding":
            self.locators["image"] = ImageLocator()
        self.needs_thumbnails = source != "embedding"
        self.register_buffer("presence_threshold", torch.zeros(()))

    def forward(self, image_embeddings: Tensor, thumbnails: Tensor | None) -> Tensor:
        """The map: probability (B, 1, 4 grid, 4 grid), fp32.

        Args:
          image_embeddings: (B, C, grid, grid).
          thumbnails: (B, 3, side, side), 0 to 1; None if the source is the embedding alone.
        """
        inputs = {"embedding": image_embeddings, "image": thumbnails}
        size = [4 * side for side in image_embeddings.shape[-2:]]
        maps = [
            F.interpolate(locate(inputs[name]).float(), size, mode="bilinear") for name, locate in self.locators.items()
        ]
        return torch.stack([logits.sigmoid() for logits in maps]).mean(0)

    def drive(
        self, decoder: PromptableDecoder, image_embeddings: Tensor, thumbnails: Tensor | None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, 1, 4 grid, 4 grid), fp32, and the boxes that led to them; empty where nothing is found."""
        maps = self(image_embeddings, thumbnails)
        masks, boxes, presences = [], [], []
        for embedding, one in zip(image_embeddings.split(1), maps.split(1), strict=True):
            located = locate(decoder, embedding, one)
            presences.append(located.presence if located else 0.0)
            if located is None or located.presence < self.presence_threshold:
                masks.append(one.clamp(max=0.499))  # what the map says, where it says nothing is there
                boxes.append(one.new_zeros(4))
                continue
            answer = decode_loosely(decoder, embedding, located.box_xyxy, VOTES)
            lift = 0.5 - min(0.5, located.peak / 2)  # of a faint map, whose shape counts all the same
            masks.append((answer + one + lift) / 2)
            boxes.append(located.box_xyxy)
        prompts = Prompts(boxes_xyxy=torch.stack(boxes), presence=maps.new_tensor(presences))
        return torch.cat(masks).logit(eps=1e-4), prompts


def locate(decoder: PromptableDecoder, embedding: Tensor, probability: Tensor) -> Located | None:
    """The proposal of a map (1, 1, h, w) that the decoder bears out best; None if the map proposes nothing.

    Presence is the map's mean probability under the decoder's mask times the overlap of the mask's box with the prompt:
    a box that is the object's is filled to its four sides.
    """
    proposals = propose_boxes(probability[0, 0].detach().cpu().numpy())
    if not proposals:
        return None
    cell = decoder.prompt_encoder.input_image_size[0] / probability.shape[-1]  # px of the input frame
    boxes = cell * probability.new_tensor(proposals)  # (N, 4)
    answers = decoder(embedding.expand(len(boxes), -1, -1, -1), boxes_xyxy=boxes)[:, 0] > 0  # (N, h, w)
    presences = [
        (probability[0, 0] * answer).sum().item() / max(answer.sum().item(), 1)
        * box_iou(tight_box(answer.cpu().numpy()), proposal)
        for answer, proposal in zip(answers, proposals, strict=True)
    ]  # fmt: skip
    best = max(range(len(proposals)), key=presences.__getitem__)
    x0, y0, x1, y1 = proposals[best]
    return Located(boxes[best], probability[0, 0, y0:y1, x0:x1].max().item(), presences[best])
