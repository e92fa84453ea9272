"""Choice of the device and the precision of a run."""

from dataclasses import dataclass

import torch

from automedsam.runtime.errors import InputError


@dataclass(frozen=True)
class Compute:
    """A device and a precision.

    Attributes:
      device: Device for all computations.
      dtype: Type for mixed precision; float32 disables mixed precision.
    """

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """Return the autocast context in which to run a frozen network."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def scaler(self) -> torch.amp.GradScaler:
        """Return a scaler that protects small fp16 gradients; with other types it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    @property
    def precision(self) -> str:
        """Name of the type: float32, bfloat16 or float16."""
        return str(self.dtype).removeprefix("torch.")

    def __str__(self) -> str:
        return f"{self.device.type} in {self.precision}"


def choose_compute(device: str, use_amp: bool) -> Compute:
    """Choose the device and the precision of a run.

    Args:
      device: cpu, cuda or mps; auto takes cuda if available, then mps, then cpu.
      use_amp: Use bf16 if the hardware supports it, otherwise fp16 on cuda and fp32 elsewhere.
        If False, use fp32.

    Raises:
      InputError: If the device is not available.
    """
    is_available = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if is_available[name])
    if not is_available[device]:
        available = ", ".join(name for name, is_there in is_available.items() if is_there)
        raise InputError(f"device: {device} is not available; choose auto or one of: {available}")
    dtype = _mixed_precision_dtype(device) if use_amp else torch.float32
    return Compute(torch.device(device), dtype)


def be_deterministic(seed: int) -> None:
    """Seed torch and make it use deterministic algorithms only."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    # No memory is read before it is written, so filling it would only cost time.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]


def _mixed_precision_dtype(device: str) -> torch.dtype:
    if device == "cuda":
        has_bf16 = torch.cuda.is_bf16_supported(including_emulation=False)
        return torch.bfloat16 if has_bf16 else torch.float16
    if device == "cpu":
        features = torch.cpu.get_capabilities()
        if features.get("avx512_bf16") or features.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32
