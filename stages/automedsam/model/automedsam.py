"""AutoMedSAM: the PromptModule prompts, SAM's frozen prompt encoder and mask decoder answer."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights
from automedsam.model.direct import PromptModule
from automedsam.model.locating import LocatingPrompter
from automedsam.model.locators import SIDE
from automedsam.model.prompts import Prompts
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import Prompting, PromptSource, SparsePrompt


class AutoMedSAM(nn.Module):
    """A trainable PromptModule before a frozen decoder; the image encoder is not part of it."""

    def __init__(
        self,
        weights: Weights,
        prompting: Prompting = "locate",
        prompt_source: PromptSource = "both",
        sparse_prompt: SparsePrompt = "box",
        classes: int = 1,
    ) -> None:
        """Load the frozen parts from `weights`; the PromptModule starts at random.

        Args:
          prompting: `locate` the object and prompt with its box, or predict prompts `direct`ly, as in the paper.
          prompt_source: what the object is located in.
          sparse_prompt: what is predicted directly.
          classes: K, how many are located, each with a mask of its own; what is predicted directly is of one.
        """
        super().__init__()
        backbone = weights.backbone
        self.preprocessing = backbone.preprocessing
        self.embedding_shape = (backbone.channels, backbone.grid, backbone.grid)
        self.decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
        self.prompt_module: PromptModule | LocatingPrompter
        if prompting == "direct" and classes > 1:
            raise ValueError(f"expected one class with direct prompting, found {classes}")
        if prompting == "direct":
            self.prompt_module = PromptModule(
                backbone.channels, self.preprocessing.size, sparse_prompt
            )
        else:
            self.prompt_module = LocatingPrompter(backbone.channels, prompt_source, classes)

    def forward(
        self, image_embeddings: Tensor, thumbnails: Tensor | None = None
    ) -> tuple[Tensor, Prompts]:
        """Mask logits (B, K, 4 grid, 4 grid) in the backbone's input frame, and the prompts that led to them.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.
          thumbnails: (B, 3, side, side) of the same images, if the PromptModule looks at images: see `thumbnail`.

        Raises:
          InputError: embeddings of another shape than this backbone's, or no thumbnails where they are needed.
        """
        expected, found = self.embedding_shape, tuple(image_embeddings.shape)
        if len(found) != 4 or found[1:] != expected:
            shape = ", ".join(map(str, expected))
            raise InputError(f"image_embeddings: expected the shape (B, {shape}), found {found}")
        if thumbnails is None and self.prompt_module.needs_thumbnails:
            raise InputError(
                "thumbnails: expected those of the images, as prompt_source is not embedding; found none"
            )
        return self.prompt_module.predict_masks(self.decoder, image_embeddings, thumbnails)

    def thumbnail(self, image: np.ndarray) -> Tensor:
        """What the PromptModule sees of an image (H, W) or (H, W, 3), uint8: (3, side, side), fp32, 0 to 1."""
        return self.preprocessing.thumbnail(image, SIDE)

    def forward_with_embeddings(
        self,
        image_embeddings: Tensor,
        return_prompts: bool = False,
        image_size: tuple[int, int] | None = None,
        thumbnails: Tensor | None = None,
    ) -> dict[str, Any]:
        """Segment with no prompt from outside.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.
          return_prompts: add what the module says, a Prompts.
          image_size: (height, width) of the images, all alike; None gives masks in the backbone's input frame.
          thumbnails: as for `forward`.

        Returns:
          `masks`: (B, K, H, W) logits, fp32, K being 1 or the classes; over 0 is the object.
          `prompts`: if asked for.
        """
        logits, prompts = self(image_embeddings, thumbnails)
        input_frame = (self.preprocessing.size, self.preprocessing.size)
        output: dict[str, Any] = {
            "masks": self.preprocessing.mask_to_image(logits, image_size or input_frame)
        }
        if return_prompts:
            output["prompts"] = prompts
        return output


def create_model(
    medsam_checkpoint_path: str | Path | None = None,
    backbone: str = "medsam_vit_b",
    sparse_prompt: SparsePrompt = "box",
    device: str | torch.device = "cpu",
    prompting: Prompting = "locate",
    prompt_source: PromptSource = "embedding",
) -> AutoMedSAM:
    """An untrained AutoMedSAM on `device`; `create_model(backbone="sam_tiny")` needs no file.

    Args:
      medsam_checkpoint_path: None takes the backbone's official weights, which are downloaded on first use.

    Raises:
      InputError: the checkpoint is missing and cannot be downloaded, or is not one of this backbone.
    """
    checkpoint = None if medsam_checkpoint_path is None else Path(medsam_checkpoint_path)
    return AutoMedSAM(Weights(backbone, checkpoint), prompting, prompt_source, sparse_prompt).to(
        device
    )
