"""Masks of box prompts on one image, against SAM's own mask decoder.

    python benchmarks/decode.py

The decoder is that of LiteMedSAM, which has the size of MedSAM's. Both ways decode all boxes of the
image in one batch. The error is that of the logits, relative to SAM.
"""

import torch
from measure import Way, compare, parse_arguments, report

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights

ROUNDS = 9
BOX_COUNTS = (1, 5)
STOCK, OURS = "segment-anything", "ours"


def main() -> None:
    parse_arguments(__doc__)
    torch.manual_seed(0)
    weights = Weights("lite_medsam")
    decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
    embedding = torch.randn(1, 256, 64, 64)
    with torch.inference_mode():
        rows = [row for count in BOX_COUNTS for row in measure(decoder, embedding, count)]
    report("Masks of boxes on one image, fp32", rows)


def measure(
    decoder: PromptableDecoder, embedding: torch.Tensor, count: int
) -> list[dict[str, object]]:
    """The rows of a number of boxes."""
    boxes_xyxy = 100 * torch.rand(count, 4) + torch.tensor([0, 0, 128, 128])
    ways: dict[str, Way] = {
        STOCK: lambda: decode_stock(decoder, embedding, boxes_xyxy),
        OURS: lambda: decoder(embedding.expand(count, -1, -1, -1), boxes_xyxy=boxes_xyxy),
    }
    return [{"boxes": count, **row} for row in compare(ways, ROUNDS)]


def decode_stock(
    decoder: PromptableDecoder, embedding: torch.Tensor, boxes_xyxy: torch.Tensor
) -> torch.Tensor:
    """Logits (N, 1, 256, 256) of SAM's own decoder for boxes (N, 4)."""
    sparse, dense = decoder.prompt_encoder(points=None, boxes=boxes_xyxy, masks=None)
    logits, _ = decoder.mask_decoder(
        image_embeddings=embedding,
        image_pe=decoder.prompt_encoder.get_dense_pe(),
        sparse_prompt_embeddings=sparse,
        dense_prompt_embeddings=dense,
        multimask_output=False,
    )
    return logits


if __name__ == "__main__":
    main()
