"""The frozen backbones: segment_anything's architectures, loaded part by part, and files that are none refused."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from segment_anything import sam_model_registry

from automedsam.errors import InputError
from automedsam.sam import BACKBONES, SAM_TINY_WEIGHTS, Weights

STAGES = Path(__file__).parent.parent / "stages"


def shapes(prefix: str, module: torch.nn.Module) -> dict[str, torch.Size]:
    return {f"{prefix}.{key}": value.shape for key, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "original"),
    [("medsam_vit_b", "vit_b"), ("sam_vit_b", "vit_b"), ("sam_vit_l", "vit_l"), ("sam_vit_h", "vit_h")],
)
def test_a_backbone_has_the_architecture_of_segment_anything(name: str, original: str) -> None:
    backbone = BACKBONES[name]
    with torch.device("meta"):
        sam = sam_model_registry[original]()
        encoder, decoder = backbone.build_encoder(), backbone.build_mask_decoder()
        prompt_encoder = backbone.build_prompt_encoder()
    built = shapes("image_encoder", encoder) | shapes("prompt_encoder", prompt_encoder)
    assert built | shapes("mask_decoder", decoder) == {key: value.shape for key, value in sam.state_dict().items()}
    for mine, theirs in zip(encoder.blocks, sam.image_encoder.blocks, strict=True):
        assert (mine.window_size, mine.attn.num_heads) == (theirs.window_size, theirs.attn.num_heads)
    for mine, theirs in zip(decoder.transformer.layers, sam.mask_decoder.transformer.layers, strict=True):
        assert mine.self_attn.num_heads == theirs.self_attn.num_heads
    assert encoder.blocks[0].norm1.eps == sam.image_encoder.blocks[0].norm1.eps
    assert prompt_encoder.input_image_size == sam.prompt_encoder.input_image_size


def test_sam_vit_normalises_as_segment_anything_does() -> None:
    with torch.device("meta"):
        sam = sam_model_registry["vit_b"]()
    preprocessing = BACKBONES["sam_vit_b"].preprocessing
    assert preprocessing.size == sam.image_encoder.img_size
    assert [255 * value for value in preprocessing.mean] == pytest.approx([123.675, 116.28, 103.53])
    assert [255 * value for value in preprocessing.std] == pytest.approx([58.395, 57.12, 57.375])


def test_sam_tiny_has_a_little_over_a_million_parameters() -> None:
    backbone = BACKBONES["sam_tiny"]
    parts = [backbone.build_encoder(), backbone.build_prompt_encoder(), backbone.build_mask_decoder()]
    assert 1.1e6 < sum(parameter.numel() for part in parts for parameter in part.parameters()) < 1.3e6
    assert parts[0](torch.zeros(1, 3, 256, 256)).shape == (1, 64, backbone.grid, backbone.grid)


def test_the_packaged_weights_load_and_are_small() -> None:
    weights = Weights("sam_tiny")
    for part in (weights.load_encoder(), weights.load_prompt_encoder(), weights.load_mask_decoder()):
        assert all(value.isfinite().all() for value in part.state_dict().values())
    assert SAM_TINY_WEIGHTS.stat().st_size <= 3e6


def test_parts_load_frozen_in_fp32_with_the_files_numbers(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({key: value.half() for key, value in state.items()}, tiny_weights.path)
    parts = {
        "image_encoder": tiny_weights.load_encoder(),
        "prompt_encoder": tiny_weights.load_prompt_encoder(),
        "mask_decoder": tiny_weights.load_mask_decoder(),
    }
    for prefix, part in parts.items():
        assert not part.training
        assert not any(parameter.requires_grad for parameter in part.parameters())
        for key, value in part.state_dict().items():
            assert value.dtype == torch.float32
            assert torch.equal(value, state[f"{prefix}.{key}"].half().float()), key


def test_the_decoder_loads_from_a_file_without_an_encoder(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({key: value for key, value in state.items() if key.startswith("mask_decoder.")}, tiny_weights.path)
    assert tiny_weights.load_mask_decoder().iou_token.weight.equal(state["mask_decoder.iou_token.weight"])
    with pytest.raises(InputError, match=r"sam_test\.pth: expected the weights of sam_test, .*image_encoder"):
        tiny_weights.load_encoder()


def test_weights_of_another_architecture_are_refused(tiny_weights: Weights) -> None:
    with pytest.raises(InputError, match=r"sam_test\.pth: expected the weights of sam_tiny, .*mask_decoder\."):
        Weights("sam_tiny", tiny_weights.path).load_mask_decoder()


def test_a_weight_too_many_is_refused(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({**state, "mask_decoder.extra": torch.zeros(2)}, tiny_weights.path)
    with pytest.raises(InputError, match=r"sam_test\.pth: .*mask_decoder\.extra absent, found of shape \(2,\)"):
        tiny_weights.load_mask_decoder()


def test_a_truncated_file_is_refused(tiny_weights: Weights) -> None:
    whole = tiny_weights.path.read_bytes()
    for length in (0, 100, len(whole) // 2, len(whole) - 100):
        tiny_weights.path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=r"sam_test\.pth: expected a PyTorch checkpoint, found a file that cannot"):
            tiny_weights.load_mask_decoder()


@pytest.mark.parametrize("content", [b"<html>Quota exceeded</html>", b"\x80\x02}q\x00.", b"PK\x03\x04" + b"\0" * 64])
def test_a_file_that_is_no_checkpoint_is_refused(tiny_weights: Weights, content: bytes) -> None:
    tiny_weights.path.write_bytes(content)
    with pytest.raises(InputError, match=r"sam_test\.pth: expected"):
        tiny_weights.load_mask_decoder()


@pytest.mark.parametrize(
    "content", [[1, 2], torch.zeros(3), {"epoch": 3}, {0: torch.zeros(3)}, {"code": Path("weights")}]
)
def test_a_checkpoint_of_something_else_is_refused(tiny_weights: Weights, content: object) -> None:
    torch.save(content, tiny_weights.path)
    with pytest.raises(InputError, match=r"sam_test\.pth: expected"):
        tiny_weights.load_mask_decoder()


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"medsam_checkpoint: .*gone\.pth: expected the weights of sam_vit_b"):
        Weights("sam_vit_b", tmp_path / "gone.pth")


def test_a_backbone_without_weights_of_its_own_asks_for_them() -> None:
    with pytest.raises(InputError, match="medsam_checkpoint: backbone sam_vit_h needs the path of its weights"):
        Weights("sam_vit_h")


def test_the_hash_is_of_the_files_content(tiny_weights: Weights, other_weights: Weights, tmp_path: Path) -> None:
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    assert Weights("sam_test", copy).sha256() == tiny_weights.sha256() != other_weights.sha256()


def test_it_imports_beside_any_build_of_torchvision() -> None:
    code = "import automedsam.sam, torchvision, torch; print(torch.ops.torchvision.nms.default)"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], cwd=STAGES, capture_output=True, text=True, check=False
    )
    assert (process.returncode, process.stdout, process.stderr) == (0, "torchvision.nms.default\n", "")
