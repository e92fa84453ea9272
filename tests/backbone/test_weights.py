"""The frozen backbones: segment_anything's architectures, their weights fetched once, and files that are none refused.

No official file is at hand: random weights of the same architecture take its place, fetched from this machine.
"""

import re
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch
from segment_anything import sam_model_registry

import embed
import evaluate
from automedsam.backbone.architectures import BACKBONES, SAM_TINY_WEIGHTS
from automedsam.backbone.weights import Weights
from automedsam.runtime.downloads import Source
from automedsam.runtime.errors import InputError
from automedsam.runtime.paths import weights_folder
from http_server import Server, sha256_of
from repository import STAGES
from tiny_sam import TINY, write_weights


def shapes(prefix: str, module: torch.nn.Module) -> dict[str, torch.Size]:
    return {f"{prefix}.{key}": value.shape for key, value in module.state_dict().items()}


@pytest.mark.parametrize(
    ("name", "original"),
    [
        ("medsam_vit_b", "vit_b"),
        ("sam_vit_b", "vit_b"),
        ("sam_vit_l", "vit_l"),
        ("sam_vit_h", "vit_h"),
    ],
)
def test_a_backbone_has_the_architecture_of_segment_anything(name: str, original: str) -> None:
    backbone = BACKBONES[name]
    with torch.device("meta"):
        sam = sam_model_registry[original]()
        encoder, decoder = backbone.build_encoder(), backbone.build_mask_decoder()
        prompt_encoder = backbone.build_prompt_encoder()
    built = shapes("image_encoder", encoder) | shapes("prompt_encoder", prompt_encoder)
    assert built | shapes("mask_decoder", decoder) == {
        key: value.shape for key, value in sam.state_dict().items()
    }
    assert backbone.shapes() == {key: tuple(value.shape) for key, value in sam.state_dict().items()}
    for mine, theirs in zip(encoder.blocks, sam.image_encoder.blocks, strict=True):
        assert (mine.window_size, mine.attn.num_heads) == (
            theirs.window_size,
            theirs.attn.num_heads,
        )
    for mine, theirs in zip(
        decoder.transformer.layers, sam.mask_decoder.transformer.layers, strict=True
    ):
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
    parts = [
        backbone.build_encoder(),
        backbone.build_prompt_encoder(),
        backbone.build_mask_decoder(),
    ]
    assert (
        1.1e6 < sum(parameter.numel() for part in parts for parameter in part.parameters()) < 1.3e6
    )
    assert parts[0](torch.zeros(1, 3, 256, 256)).shape == (1, 64, backbone.grid, backbone.grid)


def test_the_packaged_weights_load_and_are_small() -> None:
    weights = Weights("sam_tiny")
    for part in (
        weights.load_encoder(),
        weights.load_prompt_encoder(),
        weights.load_mask_decoder(),
    ):
        assert all(value.isfinite().all() for value in part.state_dict().values())
    assert SAM_TINY_WEIGHTS.stat().st_size <= 3e6


def test_every_backbone_but_the_packaged_one_has_an_official_source() -> None:
    sources = {name: backbone.source for name, backbone in BACKBONES.items()}
    assert sources.pop("sam_tiny") is None
    assert list(sources) == ["medsam_vit_b", "sam_vit_b", "sam_vit_l", "sam_vit_h"]
    for name, source in sources.items():
        assert source is not None
        assert all(url.startswith("https://") for url in (source.url, *source.mirrors))
        assert re.fullmatch("[0-9a-f]{64}", source.sha256 or "")
        assert source.name.startswith(name)
        assert source.licence.startswith("Apache-2.0, ")
        in_fp32 = 4 * sum(torch.Size(shape).numel() for shape in BACKBONES[name].shapes().values())
        assert 0 < (source.size_bytes or 0) - in_fp32 < 250_000  # the rest is names
    assert len({source.sha256 for source in sources.values() if source}) == 4


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


@pytest.fixture
def official(
    tiny_weights: Weights, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Source, Path]:
    """Where this machine serves the official weights of sam_test, and where they will be."""
    source = server.known_source("sam_official.pth", tiny_weights.path.read_bytes())
    monkeypatch.setitem(BACKBONES, "sam_test", replace(TINY, source=source))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    return source, tmp_path / "project/.cache/weights/sam_official.pth"


def test_official_weights_are_fetched_once_into_the_projects_cache(
    official: tuple[Source, Path],
    server: Server,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    source, path = official
    for workspace in ("one", "two"):
        (tmp_path / workspace).mkdir()
        monkeypatch.chdir(tmp_path / workspace)
        weights = Weights("sam_test")
        assert weights.path == path
        assert weights.sha256() == sha256_of(path.read_bytes()) == source.sha256
    assert server.asked == ["/sam_official.pth"]
    assert capfd.readouterr().err.count("downloading sam_official.pth, ") == 1
    assert list(path.parent.iterdir()) == [path]
    weights.load_encoder()


def test_outside_dvc_weights_lie_in_the_project_wherever_python_was_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DVC_ROOT", raising=False)
    monkeypatch.chdir(tmp_path)
    assert weights_folder() == STAGES.parent.resolve() / ".cache/weights"


def test_a_given_checkpoint_needs_no_network(
    official: tuple[Source, Path], server: Server, tmp_path: Path
) -> None:
    fine_tuned = write_weights(tmp_path / "fine_tuned.pth")
    given = Weights("sam_test", fine_tuned)
    assert (given.path, given.sha256()) == (fine_tuned, sha256_of(fine_tuned.read_bytes()))
    given.load_mask_decoder()
    assert server.asked == []


def test_weights_from_elsewhere_put_into_the_cache_are_taken(
    official: tuple[Source, Path], server: Server, tiny_weights: Weights
) -> None:
    official[1].parent.mkdir(parents=True)
    shutil.copyfile(tiny_weights.path, official[1])
    assert Weights("sam_test").path == official[1]
    assert server.asked == []


@pytest.mark.parametrize("kind", ["hash", "cut", "absent"])
def test_a_failed_download_is_told_in_a_line(
    official: tuple[Source, Path], server: Server, kind: str
) -> None:
    source, path = official
    content, length = server.files["/sam_official.pth"]
    told = {
        "hash": "expected sha256 .*, found ",
        "cut": "found: .*more expected",
        "absent": "found: 404",
    }[kind]
    if kind == "hash":
        server.files["/sam_official.pth"] = content[:-1] + b"x", length
    elif kind == "cut":
        server.files["/sam_official.pth"] = content[:-9], length
    else:
        server.files.clear()
    with pytest.raises(
        InputError,
        match=rf"^{source.url}: .*{told}.*at {path}, or anywhere that medsam_checkpoint.*$",
    ):
        Weights("sam_test")
    assert not path.exists()


def test_medsam_without_a_network_is_told_where_to_get_it_by_hand(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(InputError) as told:
        Weights("medsam_vit_b")
    message = str(told.value)
    assert message.count("\n") == 0
    for part in (
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth: expected to download it, found: ",
        "https://drive.usercontent.google.com/download?",
        "https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
        f"may be put at {tmp_path / '.cache/weights/medsam_vit_b.pth'}, or anywhere that medsam_checkpoint tells",
    ):
        assert part in message


def test_the_official_weights_of_another_backbone_are_refused_by_name(
    official: tuple[Source, Path], tiny_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = replace(TINY, preprocessing=replace(TINY.preprocessing, kind="sam"))
    monkeypatch.setitem(BACKBONES, "sam_twin", twin)
    told = rf"sam_test\.pth: expected the weights of sam_twin, found the official ones of sam_test .*{official[0].sha256}"
    with pytest.raises(InputError, match=told):
        Weights("sam_twin", tiny_weights.path)
    Weights("sam_test", tiny_weights.path)


def test_weights_of_another_architecture_are_refused_by_name(tiny_weights: Weights) -> None:
    with pytest.raises(
        InputError,
        match=r"sam_test\.pth: .*of sam_tiny, found another architecture: that of sam_test$",
    ):
        Weights("sam_tiny", tiny_weights.path)
    with pytest.raises(
        InputError, match=r"of sam_vit_b, found another architecture: that of sam_tiny$"
    ):
        Weights("sam_vit_b", SAM_TINY_WEIGHTS)


def test_other_names_are_told(tmp_path: Path) -> None:
    torch.save({"vision_encoder.pos_embed": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(
        InputError, match=r"start with image_encoder\., .*, found vision_encoder\.pos_embed$"
    ):
        Weights("sam_tiny", tmp_path / "a.pth")


def test_a_weight_too_many_or_too_few_is_refused(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({**state, "mask_decoder.extra": torch.zeros(2)}, tiny_weights.path)
    with pytest.raises(
        InputError, match=r"sam_test\.pth: .*mask_decoder\.extra absent, found of shape \(2,\)"
    ):
        Weights("sam_test", tiny_weights.path)
    del state["image_encoder.pos_embed"]
    torch.save(state, tiny_weights.path)
    with pytest.raises(
        InputError, match=r"sam_test\.pth: .*image_encoder\.pos_embed of shape \(.*\), found absent"
    ):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize("cut", [100, 0.5, -100])
def test_a_truncated_file_is_named_as_such(tiny_weights: Weights, cut: float) -> None:
    whole = tiny_weights.path.read_bytes()
    rest = whole[: int(cut * len(whole)) if 0 < cut < 1 else int(cut)]
    tiny_weights.path.write_bytes(rest)
    with pytest.raises(
        InputError,
        match=rf"sam_test\.pth: .*checkpoint, found one cut short, to {len(rest)} bytes$",
    ):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "an empty file"),
        (b"\n<!DOCTYPE html>Quota exceeded", "a web page"),
        (b"\x80\x02}q\x00.", "a file that cannot be read"),
        (b"PK\x03\x04" + b"\0" * 64, "one cut short, to 68 bytes"),
    ],
)
def test_a_file_that_is_no_checkpoint_is_told(
    tiny_weights: Weights, content: bytes, told: str
) -> None:
    tiny_weights.path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"^.*sam_test\.pth: expected a PyTorch checkpoint, found {told}.*$"
    ):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ([1, 2], "another list"),
        (torch.zeros(3), "another Tensor"),
        ({0: torch.zeros(3)}, "another dict"),
        ({"epoch": 3}, "no tensor"),
        ({"code": Path("weights")}, "one with more in it than tensors"),
    ],
)
def test_a_checkpoint_of_something_else_is_told(
    tiny_weights: Weights, content: object, told: str
) -> None:
    torch.save(content, tiny_weights.path)
    with pytest.raises(InputError, match=rf"^.*sam_test\.pth: expected .* found {told}$"):
        Weights("sam_test", tiny_weights.path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"medsam_checkpoint: .*gone\.pth: expected the weights of sam_vit_b"
    ):
        Weights("sam_vit_b", tmp_path / "gone.pth")


def test_an_unknown_backbone_is_refused_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"^backbone: expected one of sam_tiny, .*sam_vit_h, found vit_b$"
    ):
        Weights("vit_b")


@pytest.mark.parametrize("stage", [embed, evaluate])
def test_a_stage_refuses_a_wrong_file_before_it_reads_anything_else(
    stage: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(STAGES.parent / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "params.yaml").write_text("medsam_checkpoint: cut.pth\n", encoding="utf-8")
    (tmp_path / "cut.pth").write_bytes(SAM_TINY_WEIGHTS.read_bytes()[:-1000])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(
        InputError, match=r"^cut\.pth: expected a PyTorch checkpoint, found one cut short"
    ):
        stage.main()


def test_the_hash_is_of_the_files_content_and_read_once(
    tiny_weights: Weights, other_weights: Weights, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    weights = Weights("sam_test", copy)
    assert weights.sha256() == tiny_weights.sha256() != other_weights.sha256()
    copy.unlink()
    assert weights.sha256() == tiny_weights.sha256()


@pytest.mark.slow
def test_weights_of_the_size_of_medsam(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Fetched over a cut, loaded part by part, and refused for every other backbone."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    medsam = BACKBONES["medsam_vit_b"]
    content = write_weights(tmp_path / "random.pth", medsam).read_bytes()
    source = server.known_source("medsam_vit_b.pth", content)
    assert 374e6 < (source.size_bytes or 0) < 376e6
    monkeypatch.setitem(BACKBONES, "medsam_vit_b", replace(medsam, source=source))
    server.files["/medsam_vit_b.pth"] = content[:200_000_000], len(content)
    with pytest.raises(
        InputError, match=r"medsam_vit_b\.pth: expected to download it, found: .*more expected"
    ):
        Weights("medsam_vit_b")
    server.files["/medsam_vit_b.pth"] = content, len(content)
    weights = Weights("medsam_vit_b")
    assert server.ranges[1] is not None
    assert weights.load_encoder().pos_embed.shape == (1, 64, 64, 768)
    assert weights.load_mask_decoder().iou_token.weight.shape == (1, 256)
    assert weights.load_prompt_encoder().no_mask_embed.weight.shape == (1, 256)
    with pytest.raises(
        InputError,
        match=r"of sam_vit_b, found the official ones of medsam_vit_b .* backbone: medsam",
    ):
        Weights("sam_vit_b", weights.path)
    with pytest.raises(InputError, match=r"of sam_vit_h, found the official ones of medsam_vit_b"):
        Weights("sam_vit_h", weights.path)
    retrained = write_weights(tmp_path / "random.pth", medsam)
    with pytest.raises(
        InputError, match=r"of sam_vit_l, found another .*: that of medsam_vit_b and sam_vit_b$"
    ):
        Weights("sam_vit_l", retrained)


def test_it_imports_beside_any_build_of_torchvision() -> None:
    code = "import automedsam.sam, torchvision, torch; print(torch.ops.torchvision.nms.default)"
    process = subprocess.run(
        [sys.executable, "-W", "error", "-c", code],
        cwd=STAGES,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (process.returncode, process.stdout, process.stderr) == (
        0,
        "torchvision.nms.default\n",
        "",
    )
