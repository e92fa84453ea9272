"""The frozen image encoder with its preprocessing: from pixels to an embedding."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from automedsam.backbone.weights import Weights
from automedsam.runtime.compute import Compute


class Encoder:
    """Computes embeddings of images.

    The embed stage and the prediction both use it, so that an image has the same embedding in both.

    Attributes:
      preprocessing: Preprocessing of the backbone.
      compute: Device and precision.
      network: The frozen image encoder.
    """

    def __init__(self, weights: Weights, compute: Compute) -> None:
        self.preprocessing = weights.backbone.preprocessing
        self.compute = compute
        network = weights.backbone.encoder.accelerate(weights.load_encoder(), compute.dtype)
        self.network = network.to(compute.device)

    def __call__(self, image: np.ndarray) -> Tensor:
        """Return the embedding (C, grid, grid), fp16, on the CPU, of one image.

        Args:
          image: (H, W) or (H, W, 3), uint8.
        """
        return self.encode([self.prepare(image)])[0]

    @property
    def batch_size(self) -> int:
        """Number of images per batch: 1 on a CPU, which one image keeps busy, 4 otherwise."""
        return 1 if self.compute.device.type == "cpu" else 4

    def prepare(self, image: np.ndarray) -> Tensor:
        """Convert an image (H, W) or (H, W, 3), uint8, to an input (3, S, S), fp32, on the CPU."""
        pixels = self.preprocessing(image)
        return pixels.pin_memory() if self.compute.device.type == "cuda" else pixels

    @torch.inference_mode()
    def encode(self, inputs: Sequence[Tensor]) -> Tensor:
        """Return the embeddings (B, C, grid, grid), fp16, on the CPU, of inputs from `prepare`.

        Args:
          inputs: Tensors (3, S, S).
        """
        moved = [
            pixels.to(self.compute.device, non_blocking=pixels.is_pinned()) for pixels in inputs
        ]
        return self.network(torch.stack(moved)).half().cpu().contiguous()
