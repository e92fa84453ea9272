"""The frozen backbones: segment-anything's own modules, built and loaded part by part.

The only module that imports segment_anything. The encoder and the decoder are loaded apart, so that training
never holds the image encoder.
"""

import hashlib
import pickle
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar
from zipfile import is_zipfile

import torch
from torch import Tensor, nn

from automedsam.errors import InputError
from automedsam.preprocessing import Preprocessing

try:
    import torchvision  # noqa: F401  segment_anything imports it, for one function that is not used here
except RuntimeError:  # a torchvision built for CUDA beside a CPU-only torch lacks the schemas of its own operators
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):  # fmt: skip
        torch.library.define(f"torchvision::{schema.split('(')[0]}", "(" + schema.split("(", 1)[1])

from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer

M = TypeVar("M", bound=nn.Module)

SAM_TINY_WEIGHTS = Path(__file__).parent / "sam_tiny.pth"


@dataclass(frozen=True)
class Backbone:
    """A SAM architecture and the preprocessing that its weights were trained with."""

    preprocessing: Preprocessing
    encoder_dim: int
    encoder_depth: int
    encoder_heads: int
    global_attention: tuple[int, ...]  # indices of the blocks that attend over the whole image
    patch_size: int = 16
    window_size: int = 14
    channels: int = 256  # C of the embedding
    decoder_heads: int = 8
    decoder_mlp_dim: int = 2048

    @property
    def grid(self) -> int:
        """Side of the embedding, in cells."""
        return self.preprocessing.size // self.patch_size

    def build_encoder(self) -> ImageEncoderViT:
        """Image (B, 3, S, S) to embedding (B, C, grid, grid); weights at random."""
        return ImageEncoderViT(
            img_size=self.preprocessing.size,
            patch_size=self.patch_size,
            embed_dim=self.encoder_dim,
            depth=self.encoder_depth,
            num_heads=self.encoder_heads,
            mlp_ratio=4,
            out_chans=self.channels,
            qkv_bias=True,
            norm_layer=partial(nn.LayerNorm, eps=1e-6),
            use_rel_pos=True,
            window_size=self.window_size,
            global_attn_indexes=self.global_attention,
        )

    def build_prompt_encoder(self) -> PromptEncoder:
        """Points and boxes, in pixels of the input frame, to sparse and dense prompt embeddings; weights at random."""
        return PromptEncoder(
            embed_dim=self.channels,
            image_embedding_size=(self.grid, self.grid),
            input_image_size=(self.preprocessing.size, self.preprocessing.size),
            mask_in_chans=16,
        )

    def build_mask_decoder(self) -> MaskDecoder:
        """Image and prompt embeddings to mask logits, four times as fine as the grid; weights at random."""
        return MaskDecoder(
            num_multimask_outputs=3,
            transformer_dim=self.channels,
            transformer=TwoWayTransformer(
                depth=2, embedding_dim=self.channels, mlp_dim=self.decoder_mlp_dim, num_heads=self.decoder_heads
            ),
            iou_head_depth=3,
            iou_head_hidden_dim=self.channels,
        )


SAM_PREPROCESSING = Preprocessing("sam", 1024, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
MEDSAM_PREPROCESSING = Preprocessing("medsam", 1024, mean=(0.0,) * 3, std=(1.0,) * 3)
SAM_TINY_PREPROCESSING = Preprocessing("medsam", 256, mean=(0.4,) * 3, std=(0.25,) * 3)

BACKBONES = {
    "sam_tiny": Backbone(
        SAM_TINY_PREPROCESSING, 128, 4, 4, (1, 3), patch_size=8, window_size=8, channels=64, decoder_heads=4,
        decoder_mlp_dim=256,
    ),
    "medsam_vit_b": Backbone(MEDSAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11)),
    "sam_vit_b": Backbone(SAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11)),
    "sam_vit_l": Backbone(SAM_PREPROCESSING, 1024, 24, 16, (5, 11, 17, 23)),
    "sam_vit_h": Backbone(SAM_PREPROCESSING, 1280, 32, 16, (7, 15, 23, 31)),
}  # fmt: skip


class Weights:
    """A backbone together with one file of its weights."""

    def __init__(self, backbone: str, checkpoint: Path | None = None) -> None:
        """
        Args:
          backbone: a key of BACKBONES.
          checkpoint: a state dict of segment_anything's `Sam`; None takes the file that comes with `sam_tiny`.

        Raises:
          InputError: no file, not a checkpoint, or (on loading a part) one of another architecture.
        """
        if checkpoint is None and backbone != "sam_tiny":
            raise InputError(f"medsam_checkpoint: backbone {backbone} needs the path of its weights, found null")
        self.name = backbone
        self.backbone = BACKBONES[backbone]
        self.path = SAM_TINY_WEIGHTS if checkpoint is None else Path(checkpoint)
        if not self.path.is_file():
            raise InputError(f"medsam_checkpoint: {self.path}: expected the weights of {backbone}, found no such file")

    def sha256(self) -> str:
        """Hash of the weights' file: what makes two embeddings comparable."""
        digest = hashlib.sha256()
        with self.path.open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        return digest.hexdigest()

    def load_encoder(self) -> ImageEncoderViT:
        """The frozen image encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_encoder(), "image_encoder")

    def load_prompt_encoder(self) -> PromptEncoder:
        """The frozen prompt encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_prompt_encoder(), "prompt_encoder")

    def load_mask_decoder(self) -> MaskDecoder:
        """The frozen mask decoder, fp32, on the CPU."""
        return self._load(self.backbone.build_mask_decoder(), "mask_decoder")

    def _load(self, module: M, part: str) -> M:
        prefix = part + "."
        own = {key.removeprefix(prefix): value for key, value in self._state().items() if key.startswith(prefix)}
        wanted = {key: tuple(value.shape) for key, value in module.state_dict().items()}
        found = {key: tuple(value.shape) for key, value in own.items()}
        for key in sorted(wanted.keys() | found.keys()):
            if wanted.get(key) != found.get(key):
                raise InputError(
                    f"{self.path}: expected the weights of {self.name}, with {prefix}{key} "
                    f"{_say(wanted.get(key))}, found {_say(found.get(key))}"
                )
        module.load_state_dict(own)
        return module.eval().requires_grad_(False)

    def _state(self) -> Mapping[str, Tensor]:
        try:  # mmap: a part that is not asked for is not read; files of torch before 1.6 are no zip, and allow none
            state = torch.load(self.path, map_location="cpu", weights_only=True, mmap=is_zipfile(self.path))
        except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
            raise InputError(f"{self.path}: expected a PyTorch checkpoint, found a file that cannot be read") from error
        if not isinstance(state, Mapping) or not all(isinstance(key, str) for key in state):
            raise InputError(f"{self.path}: expected a state dict of SAM, found another {type(state).__name__}")
        return state


def _say(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {shape}"
