"""The frozen backbones: segment-anything's own modules, built and loaded part by part, and where their weights are.

The only module that imports segment_anything. The encoder and the decoder are loaded apart, so that training
never holds the image encoder.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TypeVar

import pooch
import torch
from torch import nn

from automedsam.downloads import Source, fetch
from automedsam.errors import InputError
from automedsam.paths import weights_folder
from automedsam.preprocessing import Preprocessing
from automedsam.state_dicts import read_state

try:
    import torchvision  # noqa: F401  segment_anything imports it, for one function that is not used here
except RuntimeError:  # a torchvision built for CUDA beside a CPU-only torch lacks the schemas of its own operators
    for schema in ("nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
                   "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"):  # fmt: skip
        torch.library.define(f"torchvision::{schema.split('(')[0]}", "(" + schema.split("(", 1)[1])

from segment_anything.modeling import ImageEncoderViT, MaskDecoder, PromptEncoder, TwoWayTransformer

M = TypeVar("M", bound=nn.Module)

SAM_TINY_WEIGHTS = Path(__file__).parent / "sam_tiny.pth"
PARTS = ("image_encoder.", "prompt_encoder.", "mask_decoder.")


@dataclass(frozen=True)
class Backbone:
    """A SAM architecture, the preprocessing that its weights were trained with, and where those are to be had."""

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
    source: Source | None = None  # None: they lie in this repository

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

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of every weight, under its key in segment_anything's `Sam`."""
        builders: dict[str, Callable[[], nn.Module]] = {
            "image_encoder": self.build_encoder,
            "prompt_encoder": self.build_prompt_encoder,
            "mask_decoder": self.build_mask_decoder,
        }
        with torch.device("meta"):  # shapes without numbers, nor the time and the randomness that those would take
            states = {part: build().state_dict() for part, build in builders.items()}
        return {f"{part}.{key}": tuple(value.shape) for part, state in states.items() for key, value in state.items()}


SAM_PREPROCESSING = Preprocessing("sam", 1024, mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
MEDSAM_PREPROCESSING = Preprocessing("medsam", 1024, mean=(0.0,) * 3, std=(1.0,) * 3)
SAM_TINY_PREPROCESSING = Preprocessing("medsam", 256, mean=(0.4,) * 3, std=(0.25,) * 3)

MEDSAM_LICENCE = "Apache-2.0, Ma et al. 2024, https://github.com/bowang-lab/MedSAM"
SAM_LICENCE = "Apache-2.0, Kirillov et al. 2023, https://github.com/facebookresearch/segment-anything"
SAM_FILES = "https://dl.fbaipublicfiles.com/segment_anything/"

BACKBONES = {
    "sam_tiny": Backbone(
        SAM_TINY_PREPROCESSING, 128, 4, 4, (1, 3), patch_size=8, window_size=8, channels=64, decoder_heads=4,
        decoder_mlp_dim=256,
    ),
    "medsam_vit_b": Backbone(MEDSAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11), source=Source(
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth",
        "34b34b78c1d18cb8c6bf84cf9c00e135d6d6c965699f3c0e31ef1bc9dcb5be74", 375_049_145, MEDSAM_LICENCE,
        # The authors' own place. No program may list the folder, but the file has an address of its own.
        mirrors=(
            "https://drive.usercontent.google.com/download?id=1UAmWL88roYR7wKlnApw5Bcuzf2iQgk6_&export=download"
            "&confirm=t",
        ),
        by_hand="https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
    )),
    "sam_vit_b": Backbone(SAM_PREPROCESSING, 768, 12, 12, (2, 5, 8, 11), source=Source(
        f"{SAM_FILES}sam_vit_b_01ec64.pth",
        "ec2df62732614e57411cdcf32a23ffdf28910380d03139ee0f4fcbe91eb8c912", 375_042_383, SAM_LICENCE,
    )),
    "sam_vit_l": Backbone(SAM_PREPROCESSING, 1024, 24, 16, (5, 11, 17, 23), source=Source(
        f"{SAM_FILES}sam_vit_l_0b3195.pth",
        "3adcc4315b642a4d2101128f611684e8734c41232a17c648ed1693702a49a622", 1_249_524_607, SAM_LICENCE,
    )),
    "sam_vit_h": Backbone(SAM_PREPROCESSING, 1280, 32, 16, (7, 15, 23, 31), source=Source(
        f"{SAM_FILES}sam_vit_h_4b8939.pth",
        "a7bf3b02f3ebf1267aba913ff637d9a2d5c33d3173bb679e46d9f338c26f262e", 2_564_550_879, SAM_LICENCE,
    )),
}  # fmt: skip


class Weights:
    """A backbone together with one file of its weights."""

    def __init__(self, backbone: str, checkpoint: Path | None = None) -> None:
        """
        Args:
          backbone: a key of BACKBONES.
          checkpoint: a state dict of segment_anything's `Sam`, the official one or another; None takes the backbone's
            own file, which is downloaded, once, unless it comes with this repository.

        Raises:
          InputError: no such backbone, no file to be had, no checkpoint, or one of another backbone.
        """
        if backbone not in BACKBONES:
            raise InputError(f"backbone: expected one of {', '.join(BACKBONES)}, found {backbone}")
        self.name = backbone
        self.backbone = BACKBONES[backbone]
        self._sha256: str | None = None
        if checkpoint is None:
            self.path = self._own_file()
        else:
            self.path = Path(checkpoint)
            if not self.path.is_file():
                raise InputError(f"medsam_checkpoint: {self.path}: expected the weights of {backbone}, found no file")
            self._refuse_official_others()
        self._check_architecture()

    def sha256(self) -> str:
        """Hash of the weights' file: what makes two embeddings comparable."""
        if self._sha256 is None:
            self._sha256 = pooch.file_hash(str(self.path))
        return self._sha256

    def load_encoder(self) -> ImageEncoderViT:
        """The frozen image encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_encoder(), "image_encoder")

    def load_prompt_encoder(self) -> PromptEncoder:
        """The frozen prompt encoder, fp32, on the CPU."""
        return self._load(self.backbone.build_prompt_encoder(), "prompt_encoder")

    def load_mask_decoder(self) -> MaskDecoder:
        """The frozen mask decoder, fp32, on the CPU."""
        return self._load(self.backbone.build_mask_decoder(), "mask_decoder")

    def _own_file(self) -> Path:
        source = self.backbone.source
        if source is None:
            return SAM_TINY_WEIGHTS
        try:
            path = fetch(source, weights_folder())
        except InputError as error:
            raise InputError(f"{error}, or anywhere that medsam_checkpoint tells") from error
        self._sha256 = source.sha256  # as has just been checked
        return path

    def _refuse_official_others(self) -> None:
        """MedSAM and SAM ViT-B differ in nothing but their numbers, and in how their images must be prepared."""
        size = self.path.stat().st_size
        for name, other in BACKBONES.items():
            if name == self.name or other.source is None or other.source.size_bytes != size:
                continue  # a file of another size need not be hashed
            if other.source.sha256 == self.sha256():
                raise InputError(
                    f"{self.path}: expected the weights of {self.name}, found the official ones of {name} "
                    f"(sha256 {self.sha256()}), which want backbone: {name}"
                )

    def _check_architecture(self) -> None:
        wanted = self.backbone.shapes()
        state = {key: tuple(value.shape) for key, value in read_state(self.path).items()}
        found = {key: shape for key, shape in state.items() if key.startswith(PARTS)}
        if found == wanted:
            return
        expected = f"{self.path}: expected the weights of {self.name}"
        if alike := [name for name, other in BACKBONES.items() if other.shapes() == found]:
            raise InputError(f"{expected}, found another architecture: that of {' and '.join(alike)}")
        if not found:
            names = ", ".join(sorted(state)[:3]) or "no tensor"
            raise InputError(f"{expected}, with names that start with {', '.join(PARTS)}, found {names}")
        key = next(key for key in sorted(wanted.keys() | found.keys()) if wanted.get(key) != found.get(key))
        raise InputError(f"{expected}, with {key} {_say(wanted.get(key))}, found {_say(found.get(key))}")

    def _load(self, module: M, part: str) -> M:
        prefix = part + "."
        state = read_state(self.path)
        module.load_state_dict(
            {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
        )
        return module.eval().requires_grad_(False)


def _say(shape: tuple[int, ...] | None) -> str:
    return "absent" if shape is None else f"of shape {shape}"
