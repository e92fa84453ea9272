"""AutoMedSAM: the PromptModule prompts, SAM's frozen prompt encoder and mask decoder answer."""

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from automedsam.decoder import PromptableDecoder
from automedsam.errors import InputError
from automedsam.prompt_module import PromptModule, Prompts, SparsePrompt
from automedsam.sam import Weights


class AutoMedSAM(nn.Module):
    """A trainable PromptModule before a frozen decoder; the image encoder is not part of it."""

    def __init__(self, weights: Weights, sparse_prompt: SparsePrompt = "box") -> None:
        """Load the frozen parts from `weights`; the PromptModule starts at random."""
        super().__init__()
        self.preprocessing = weights.backbone.preprocessing
        self.embedding_shape = (weights.backbone.channels, weights.backbone.grid, weights.backbone.grid)
        self.decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
        self.prompt_module = PromptModule(weights.backbone.channels, self.preprocessing.size, sparse_prompt)

    def forward(self, image_embeddings: Tensor) -> tuple[Tensor, Prompts]:
        """Mask logits (B, 1, 4 grid, 4 grid) in the backbone's input frame, and the prompts that led to them.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.

        Raises:
          InputError: embeddings of another shape than this backbone's.
        """
        expected, found = self.embedding_shape, tuple(image_embeddings.shape)
        if len(found) != 4 or found[1:] != expected:
            shape = ", ".join(map(str, expected))
            raise InputError(f"image_embeddings: expected the shape (B, {shape}), found {found}")
        prompts = self.prompt_module(image_embeddings)
        logits = self.decoder(
            image_embeddings,
            boxes_xyxy=prompts.boxes_xyxy,
            points_xy=prompts.points_xy,
            tokens=prompts.tokens,
            dense=prompts.dense,
        )
        return logits, prompts

    def forward_with_embeddings(
        self, image_embeddings: Tensor, return_prompts: bool = False, image_size: tuple[int, int] | None = None
    ) -> dict[str, Any]:
        """Segment with no prompt from outside.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.
          return_prompts: add what the module says, a Prompts.
          image_size: (height, width) of the images, all alike; None gives masks in the backbone's input frame.

        Returns:
          `masks`: (B, 1, H, W) logits, fp32; over 0 is the object.
          `prompts`: if asked for.
        """
        logits, prompts = self(image_embeddings)
        input_frame = (self.preprocessing.size, self.preprocessing.size)
        output: dict[str, Any] = {"masks": self.preprocessing.mask_to_image(logits, image_size or input_frame)}
        if return_prompts:
            output["prompts"] = prompts
        return output


def create_model(
    medsam_checkpoint_path: str | Path | None = None,
    backbone: str = "medsam_vit_b",
    sparse_prompt: SparsePrompt = "box",
    device: str | torch.device = "cpu",
) -> AutoMedSAM:
    """An untrained AutoMedSAM on `device`; `create_model(backbone="sam_tiny")` needs no file.

    Args:
      medsam_checkpoint_path: None takes the backbone's official weights, which are downloaded on first use.

    Raises:
      InputError: the checkpoint is missing and cannot be downloaded, or is not one of this backbone.
    """
    checkpoint = None if medsam_checkpoint_path is None else Path(medsam_checkpoint_path)
    return AutoMedSAM(Weights(backbone, checkpoint), sparse_prompt).to(device)
