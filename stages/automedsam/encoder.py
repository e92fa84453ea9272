"""The frozen image encoder behind its preprocessing: the one way from pixels to an embedding."""

import numpy as np
import torch
from torch import Tensor

from automedsam.device import Compute
from automedsam.sam import Weights
from automedsam.vit import FastImageEncoder


class Encoder:
    """Used by `embed` and `predict` alike, so that no image is ever seen in two ways."""

    def __init__(self, weights: Weights, compute: Compute) -> None:
        self.preprocessing = weights.backbone.preprocessing
        self.compute = compute
        self.network = FastImageEncoder(weights.load_encoder(), compute.dtype).to(compute.device)

    @torch.inference_mode()
    def __call__(self, image: np.ndarray) -> Tensor:
        """Image (H, W) or (H, W, 3), uint8, to its embedding (C, grid, grid), fp16, on the CPU."""
        pixels = self.preprocessing(image)[None].to(self.compute.device)  # (1, 3, S, S)
        return self.network(pixels)[0].half().cpu().contiguous()
