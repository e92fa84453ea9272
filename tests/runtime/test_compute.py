"""Choice of device and precision on machines with different hardware."""

from collections.abc import Iterator

import pytest
import torch

from automedsam.runtime.compute import Compute, be_deterministic, choose_compute
from automedsam.runtime.errors import InputError


@pytest.fixture
def bare_machine(monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """No accelerator, and a CPU without bf16."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: False)
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    return monkeypatch


@pytest.fixture
def _algorithms_restored() -> Iterator[None]:
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.parametrize("device", ["cuda", "mps"])
def test_choose_compute_rejects_an_absent_device(
    bare_machine: pytest.MonkeyPatch, device: str
) -> None:
    with pytest.raises(
        InputError, match=f"device: {device} is not available; choose auto or one of: cpu$"
    ):
        choose_compute(device, True)


def test_choose_compute_names_the_available_devices(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match=r"device: mps is not available; .*: cpu, cuda$"):
        choose_compute("mps", True)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_prefers_cuda_then_mps_then_cpu(
    bare_machine: pytest.MonkeyPatch, cuda: bool, mps: bool, expected: str
) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: cuda)
    bare_machine.setattr(torch.backends.mps, "is_available", lambda: mps)
    assert choose_compute("auto", False) == Compute(torch.device(expected), torch.float32)


@pytest.mark.parametrize(
    ("capabilities", "dtype"),
    [
        ({"avx512_bf16": True, "amx_bf16": False}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": True}, torch.bfloat16),
        ({"avx512_bf16": False, "amx_bf16": False}, torch.float32),
        ({}, torch.float32),
    ],
)
def test_cpu_uses_bf16_if_supported(
    bare_machine: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: torch.dtype
) -> None:
    bare_machine.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_compute("cpu", True).dtype == dtype
    assert choose_compute("cpu", False).dtype == torch.float32


@pytest.mark.parametrize(("has_bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_cuda_uses_bf16_if_supported_otherwise_fp16(
    bare_machine: pytest.MonkeyPatch, has_bf16: bool, dtype: torch.dtype
) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    bare_machine.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert choose_compute("cuda", True).dtype == dtype
    assert choose_compute("cuda", False).dtype == torch.float32


def test_mps_uses_fp32(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_compute("mps", True).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_computes_in_the_chosen_type(dtype: torch.dtype) -> None:
    ones = torch.ones(2, 2)
    with Compute(torch.device("cpu"), dtype).autocast():
        assert (ones @ ones).dtype == dtype


def test_scaler_is_enabled_for_fp16_only() -> None:
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        is_enabled = Compute(torch.device("cpu"), dtype).scaler().is_enabled()
        assert is_enabled == (dtype == torch.float16)


def test_compute_is_printed_with_device_and_precision() -> None:
    assert str(Compute(torch.device("cpu"), torch.bfloat16)) == "cpu in bfloat16"
    assert Compute(torch.device("cuda", 0), torch.float16).precision == "float16"


@pytest.mark.usefixtures("_algorithms_restored")
def test_be_deterministic_repeats_random_numbers() -> None:
    be_deterministic(3)
    numbers = torch.rand(4)
    be_deterministic(3)
    assert torch.equal(torch.rand(4), numbers)
    be_deterministic(4)
    assert not torch.equal(torch.rand(4), numbers)
    assert torch.are_deterministic_algorithms_enabled()
