"""AutoMedSAM: a trainable prompter, and SAM's frozen prompt encoder and mask decoder."""

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from automedsam.backbone.decoder import PromptableDecoder
from automedsam.backbone.weights import Weights
from automedsam.model.direct import PromptModule
from automedsam.model.image_locator import THUMBNAIL_SIDE
from automedsam.model.locating import LocatingPrompter
from automedsam.model.prompter import Prompter
from automedsam.model.prompts import Prompts
from automedsam.runtime.errors import InputError
from automedsam.runtime.options import Prompting, PromptSource, SparsePrompt


class AutoMedSAM(nn.Module):
    """A trainable prompter in front of a frozen decoder; the image encoder is not part of it."""

    def __init__(
        self,
        weights: Weights,
        prompting: Prompting = "locate",
        prompt_source: PromptSource = "both",
        sparse_prompt: SparsePrompt = "box",
        classes: int = 1,
    ) -> None:
        """Load the frozen parts from `weights`; the prompter starts with random weights.

        Args:
          weights: the backbone and its weights.
          prompting: `locate` finds the object and prompts with its box; `direct` predicts prompts
            from the embedding, as published.
          prompt_source: input of `locate`: the embedding, the image, or both.
          sparse_prompt: kind of prompt that `direct` predicts.
          classes: K, the number of classes, each with a mask of its own; 1 with `direct`.

        Raises:
          ValueError: several classes with `direct`.
        """
        super().__init__()
        backbone = weights.backbone
        self.preprocessing = backbone.preprocessing
        self.embedding_shape = (backbone.channels, backbone.grid, backbone.grid)
        self.decoder = PromptableDecoder(weights.load_prompt_encoder(), weights.load_mask_decoder())
        if prompting == "direct" and classes > 1:
            raise ValueError(f"direct prompting supports one class, got {classes}")
        self.prompter: Prompter
        if prompting == "direct":
            self.prompter = PromptModule(backbone.channels, self.preprocessing.size, sparse_prompt)
        else:
            self.prompter = LocatingPrompter(backbone.channels, prompt_source, classes)

    def forward(
        self, image_embeddings: Tensor, thumbnails: Tensor | None = None
    ) -> tuple[Tensor, Prompts]:
        """Predict masks in the backbone's input frame.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.
          thumbnails: (B, 3, side, side) of the same images, see `thumbnail`; required if the
            prompter uses images.

        Returns:
          Mask logits (B, K, 4 grid, 4 grid), and the prompts that led to them.

        Raises:
          InputError: the embeddings do not have the backbone's shape, or thumbnails are missing.
        """
        shape = tuple(image_embeddings.shape)
        if len(shape) != 4 or shape[1:] != self.embedding_shape:
            expected = ", ".join(map(str, self.embedding_shape))
            raise InputError(f"image_embeddings: expected the shape (B, {expected}), found {shape}")
        if thumbnails is None and self.prompter.needs_thumbnails:
            raise InputError("thumbnails: required, because prompt_source is not embedding")
        return self.prompter.predict_masks(self.decoder, image_embeddings, thumbnails)

    def thumbnail(self, image: np.ndarray) -> Tensor:
        """Thumbnail (3, side, side), fp32, 0 to 1, of an image (H, W) or (H, W, 3), uint8."""
        return self.preprocessing.thumbnail(image, THUMBNAIL_SIDE)

    def forward_with_embeddings(
        self,
        image_embeddings: Tensor,
        return_prompts: bool = False,
        image_size: tuple[int, int] | None = None,
        thumbnails: Tensor | None = None,
    ) -> dict[str, Any]:
        """Segment images without any given prompt.

        Args:
          image_embeddings: (B, C, grid, grid) from the frozen image encoder.
          return_prompts: whether to return the predicted prompts, too.
          image_size: (height, width) of all images; `None` returns masks in the backbone's input
            frame.
          thumbnails: as for `forward`.

        Returns:
          A dict with `masks`, logits (B, K, H, W), fp32, above 0 inside the object, and with
          `prompts`, a `Prompts`, if requested.

        Raises:
          InputError: as for `forward`.
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
    backbone: str = "lite_medsam",
    sparse_prompt: SparsePrompt = "box",
    device: str | torch.device = "cpu",
    prompting: Prompting = "locate",
    prompt_source: PromptSource = "embedding",
) -> AutoMedSAM:
    """Create an untrained model; `create_model(backbone="sam_tiny")` requires no download.

    Args:
      medsam_checkpoint_path: weights of the backbone; `None` uses the official weights, which are
        downloaded on first use.
      backbone: a key of `BACKBONES`.
      sparse_prompt: kind of prompt that `direct` predicts.
      device: the device of the model.
      prompting: `locate` or `direct`.
      prompt_source: input of `locate`.

    Raises:
      InputError: the checkpoint is missing, cannot be downloaded, or belongs to another backbone.
    """
    checkpoint = None if medsam_checkpoint_path is None else Path(medsam_checkpoint_path)
    weights = Weights(backbone, checkpoint)
    return AutoMedSAM(weights, prompting, prompt_source, sparse_prompt).to(device)
