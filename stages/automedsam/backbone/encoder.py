"""The frozen image encoder behind its preprocessing: the one way from pixels to an embedding."""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from automedsam.backbone.fast_encoder import FastImageEncoder
from automedsam.backbone.weights import Weights
from automedsam.runtime.compute import Compute


class Encoder:
    """Used by `embed` and `predict` alike, so that no image is ever seen in two ways."""

    def __init__(self, weights: Weights, compute: Compute) -> None:
        self.preprocessing = weights.backbone.preprocessing
        self.compute = compute
        self.network = FastImageEncoder(weights.load_encoder(), compute.dtype).to(compute.device)

    def __call__(self, image: np.ndarray) -> Tensor:
        """Image (H, W) or (H, W, 3), uint8, to its embedding (C, grid, grid), fp16, on the CPU."""
        return self.encode([self.prepare(image)])[0]

    @property
    def batch_size(self) -> int:
        """How many images at once are worth it: one on a CPU, which is busy with that, a few on an accelerator."""
        return 1 if self.compute.device.type == "cpu" else 4

    def prepare(self, image: np.ndarray) -> Tensor:
        """Image (H, W) or (H, W, 3), uint8, to the network's input (3, S, S), fp32, on the CPU."""
        pixels = self.preprocessing(image)
        return pixels.pin_memory() if self.compute.device.type == "cuda" else pixels

    @torch.inference_mode()
    def encode(self, inputs: Sequence[Tensor]) -> Tensor:
        """Inputs (3, S, S) from `prepare` to their embeddings (B, C, grid, grid), fp16, on the CPU."""
        moved = [
            pixels.to(self.compute.device, non_blocking=pixels.is_pinned()) for pixels in inputs
        ]
        return self.network(torch.stack(moved)).half().cpu().contiguous()
