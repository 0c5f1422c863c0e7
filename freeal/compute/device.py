"""Where the student computes, and in which precision."""

from __future__ import annotations

import contextlib
import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

import torch

from freeal.compute.cpu_threads import allowed
from freeal.errors import ConfigError
from freeal.settings import StudentSettings


@dataclasses.dataclass(frozen=True, slots=True)
class Compute:
    """A device and the type its matrix products run in; weights themselves stay float32."""

    device: torch.device
    dtype: torch.dtype

    @contextlib.contextmanager
    def autocast(self) -> Iterator[None]:
        """Run what is inside in `dtype` where that loses nothing that matters."""
        with torch.autocast(self.device.type, dtype=self.dtype, enabled=self.dtype is not torch.float32):
            yield

    @contextlib.contextmanager
    def seeded(self, seed: int) -> Iterator[None]:
        """Dropout and fresh weights inside depend on `seed` alone; the global generators are as before afterwards."""
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices=devices):
            torch.manual_seed(seed)
            yield

    def __str__(self) -> str:
        return f"{self.device} {'bf16' if self.dtype is torch.bfloat16 else 'fp32'}"


def choose(settings: StudentSettings) -> Compute:
    """Device and precision for these settings. Raises `ConfigError` for a device that is not there."""
    device = _torch_device(settings.device)
    _use_no_more_threads_than_allowed()
    fast = settings.precision == "bf16" or (settings.precision == "auto" and _computes_bf16(device))
    return Compute(device, torch.bfloat16 if fast else torch.float32)


def _torch_device(name: str) -> torch.device:
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError as cause:
        raise ConfigError(f"student.device: {name!r} is no device", hint="use auto, cpu, cuda or cuda:1") from cause
    if device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count():
        raise ConfigError(f"student.device: {name!r} is not on this machine", hint="use auto or cpu")
    return device


def _computes_bf16(device: torch.device) -> bool:
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    capabilities: Mapping[str, Any] = torch.cpu.get_capabilities() if device.type == "cpu" else {}
    return any(capabilities.get(name, False) for name in ("amx_bf16", "avx512_bf16"))


def _use_no_more_threads_than_allowed() -> None:
    # torch counts the machine's cores; threads that take turns on fewer are slow
    if torch.get_num_threads() > allowed():
        torch.set_num_threads(allowed())
