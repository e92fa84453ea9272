"""A training step with ViT-B's decoder on four images, against the stock decoder.

    python benchmarks/step.py

The stock decoder processes one image after another, ours all at once. bf16 is
measured only on processors that support it.
"""

import torch
from measure import Way, has_bf16, parse_arguments, peak_gib, report, time_alternating

from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.decoder import PromptableDecoder
from automedsam.model.direct import PromptModule
from automedsam.supervision.box_losses import AutoMedSAMLoss

ROUNDS = 5
BATCH_SIZE = 4
BACKBONE = BACKBONES["medsam_vit_b"]
STOCK, STOCK_AMP = "stock loop, fp32", "stock loop, bf16"
OURS, OURS_AMP = "ours, fp32", "ours, bf16"


def main() -> None:
    parse_arguments(__doc__)
    names = (STOCK, STOCK_AMP, OURS, OURS_AMP) if has_bf16() else (STOCK, OURS)
    seconds = time_alternating({name: make_way(name) for name in names}, ROUNDS)
    rows = [
        {"way": name, "seconds": seconds[name], "peak GiB": peak_gib(make_way, name)}
        for name in names
    ]
    report(f"ViT-B, a training step of {BATCH_SIZE} images", rows)


def make_way(name: str) -> Way:
    """A function that takes one step: forward, loss at 256 x 256, backward, Adam."""
    torch.manual_seed(0)
    decoder = PromptableDecoder(
        BACKBONE.build_prompt_encoder(), BACKBONE.build_mask_decoder()
    ).requires_grad_(False)
    prompter = PromptModule(BACKBONE.channels, BACKBONE.preprocessing.size, "box")
    optimizer = torch.optim.Adam(prompter.parameters(), 1e-3)
    embeddings = torch.randn(BATCH_SIZE, BACKBONE.channels, BACKBONE.grid, BACKBONE.grid)
    boxes_xyxy = torch.tensor([[60, 80, 200, 220]] * BATCH_SIZE)
    criterion = AutoMedSAMLoss()

    def decode_at_once() -> torch.Tensor:
        logits, _ = prompter.predict_masks(decoder, embeddings)
        return logits

    def decode_one_by_one() -> torch.Tensor:
        prompts = prompter(embeddings)
        masks = []
        for embedding, box, dense in zip(
            embeddings, prompts.boxes_xyxy[:, 0], prompts.dense, strict=True
        ):
            sparse, _ = decoder.prompt_encoder(points=None, boxes=box[None], masks=None)
            mask, _ = decoder.mask_decoder(
                image_embeddings=embedding[None],
                image_pe=decoder.prompt_encoder.get_dense_pe(),
                sparse_prompt_embeddings=sparse,
                dense_prompt_embeddings=dense[None],
                multimask_output=False,
            )
            masks.append(mask)
        return torch.cat(masks)

    decode = decode_at_once if name in (OURS, OURS_AMP) else decode_one_by_one

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=name in (STOCK_AMP, OURS_AMP)):
            logits = decode()
        optimizer.zero_grad()
        criterion(logits.float(), boxes_xyxy).total.backward()
        optimizer.step()

    return step


if __name__ == "__main__":
    main()
