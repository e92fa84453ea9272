"""Which device and which precision a run uses, decided in one place and said once."""

from dataclasses import dataclass

import torch

from automedsam.runtime.errors import InputError


@dataclass(frozen=True)
class Compute:
    """A device and the type that mixed precision computes in (float32: none)."""

    device: torch.device
    dtype: torch.dtype

    def autocast(self) -> torch.autocast:
        """The context to run a frozen network in."""
        return torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32)

    def scaler(self) -> torch.amp.GradScaler:
        """Scales gradients where fp16 would lose the small ones; elsewhere it does nothing."""
        return torch.amp.GradScaler(self.device.type, enabled=self.dtype == torch.float16)

    @property
    def precision(self) -> str:
        """The type's name: float32, bfloat16 or float16."""
        return str(self.dtype).removeprefix("torch.")

    def __str__(self) -> str:
        return f"{self.device.type} in {self.precision}"


def choose_compute(device: str, use_amp: bool) -> Compute:
    """Resolve `auto`, and pick bf16 where the hardware has it, else fp16 (cuda) or fp32.

    Raises:
      InputError: a device is asked for that this machine lacks.
    """
    present = {
        "cpu": True,
        "cuda": torch.cuda.is_available(),
        "mps": torch.backends.mps.is_available(),
    }
    if device == "auto":
        device = next(name for name in ("cuda", "mps", "cpu") if present[name])
    if not present[device]:
        found = ", ".join(name for name, there in present.items() if there)
        raise InputError(f"device: expected {device}, found only {found}")
    return Compute(torch.device(device), _amp_dtype(device) if use_amp else torch.float32)


def be_deterministic(seed: int) -> None:
    """Seed torch, and have it take only algorithms that give the same result each time."""
    torch.manual_seed(seed)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]  # all is written before it is read


def _amp_dtype(device: str) -> torch.dtype:
    if device == "cuda":
        return (
            torch.bfloat16
            if torch.cuda.is_bf16_supported(including_emulation=False)
            else torch.float16
        )
    if device == "cpu":
        features = torch.cpu.get_capabilities()
        if features.get("avx512_bf16") or features.get("amx_bf16"):
            return torch.bfloat16
    return torch.float32
