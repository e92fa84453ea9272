"""Device and precision: what a machine has is used, what it lacks is an error."""

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
def test_an_absent_device_is_an_error(bare_machine: pytest.MonkeyPatch, device: str) -> None:
    with pytest.raises(InputError, match=f"device: expected {device}, found only cpu"):
        choose_compute(device, True)


def test_the_error_names_what_is_there(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(InputError, match="device: expected mps, found only cpu, cuda"):
        choose_compute("mps", True)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"), [(True, True, "cuda"), (False, True, "mps"), (False, False, "cpu")]
)
def test_auto_takes_the_best_there_is(
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
def test_a_cpu_computes_in_bf16_where_it_has_it(
    bare_machine: pytest.MonkeyPatch, capabilities: dict[str, bool], dtype: torch.dtype
) -> None:
    bare_machine.setattr(torch.cpu, "get_capabilities", lambda: capabilities)
    assert choose_compute("cpu", True).dtype == dtype
    assert choose_compute("cpu", False).dtype == torch.float32


@pytest.mark.parametrize(("has_bf16", "dtype"), [(True, torch.bfloat16), (False, torch.float16)])
def test_cuda_computes_in_bf16_where_it_has_it_and_else_in_fp16(
    bare_machine: pytest.MonkeyPatch, has_bf16: bool, dtype: torch.dtype
) -> None:
    bare_machine.setattr(torch.cuda, "is_available", lambda: True)
    bare_machine.setattr(torch.cuda, "is_bf16_supported", lambda including_emulation: has_bf16)
    assert choose_compute("cuda", True).dtype == dtype
    assert choose_compute("cuda", False).dtype == torch.float32


def test_mps_computes_in_fp32(bare_machine: pytest.MonkeyPatch) -> None:
    bare_machine.setattr(torch.backends.mps, "is_available", lambda: True)
    assert choose_compute("mps", True).dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_autocast_computes_in_the_type_chosen(dtype: torch.dtype) -> None:
    ones = torch.ones(2, 2)
    with Compute(torch.device("cpu"), dtype).autocast():
        assert (ones @ ones).dtype == dtype


def test_only_fp16_gradients_are_scaled() -> None:
    scaled = {dtype: Compute(torch.device("cpu"), dtype).scaler().is_enabled() for dtype in
              (torch.float32, torch.bfloat16, torch.float16)}  # fmt: skip
    assert scaled == {torch.float32: False, torch.bfloat16: False, torch.float16: True}


def test_it_says_what_it_is() -> None:
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
