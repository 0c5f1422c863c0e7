"""The device's faults, and what says that there was no memory, by name."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from freeal.errors import DeviceError, TrainingError

_NO_MEMORY = ("out of memory", "can't allocate memory", "not enough memory", "CUBLAS_STATUS_ALLOC_FAILED")
_FAULTS = ("CUDA error", "cuDNN error", "CUBLAS_STATUS", "HIP error", "device-side assert")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether torch, numpy or Python found no room. On a CPU torch says so in a plain RuntimeError."""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and any(sign in str(error) for sign in _NO_MEMORY)


def named_device_error(error: Exception) -> Exception:
    """The error as one of ours where memory or device are at fault, else itself."""
    if is_out_of_memory(error):
        return TrainingError(
            "out of memory even with one text at a time",
            hint="give it more memory, or lower student.max_length, or choose a smaller model or student.device: cpu",
        )
    if isinstance(error, torch.AcceleratorError) or any(sign in str(error) for sign in _FAULTS):
        return DeviceError(
            f"the device failed: {_first_line(error)}", hint="set student.device: cpu, or see to the GPU and its driver"
        )
    return error


def released(error: Exception) -> Exception:
    """The error without its frames: they would keep the tensors alive that did not fit."""
    return error.with_traceback(None)


def _first_line(error: Exception) -> str:
    lines: Sequence[str] = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__
