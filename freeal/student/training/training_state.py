"""How far a robust run is, as bytes: what it needs to go on with the next epoch as if it had never ended."""

from __future__ import annotations

import io
import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch


def saved_training_state(
    weights: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    *,
    epochs: int,
    draws_alone: bool,
) -> bytes:
    """The state after so many epochs: weights, the optimizer's moments, the random numbers to come. A process that
    draws alone keeps torch's too; of several each begins every epoch with numbers of its own."""
    on_gpu = weights[0].device.type == "cuda"
    content = {
        "epochs": epochs,
        "weights": [weight.detach() for weight in weights],
        "optimizer": optimizer.state_dict(),
        "numpy": json.dumps(rng.bit_generator.state),
        "torch": torch.get_rng_state() if draws_alone else None,
        "cuda": torch.cuda.get_rng_state() if draws_alone and on_gpu else None,
    }
    sink = io.BytesIO()
    torch.save(content, sink)
    return sink.getvalue()


def restore_training_state(
    content: bytes,
    weights: Sequence[torch.Tensor],
    optimizer: torch.optim.Optimizer,
    rng: np.random.Generator,
    *,
    draws_alone: bool,
) -> int:
    """Put all of them where `saved_training_state` found them; returns the epochs that are behind."""
    found = _read(content)
    _put(found["weights"], weights)
    optimizer.load_state_dict(found["optimizer"])
    rng.bit_generator.state = json.loads(found["numpy"])
    if draws_alone and found["torch"] is not None:
        torch.set_rng_state(found["torch"])
        if found["cuda"] is not None and weights[0].device.type == "cuda":
            torch.cuda.set_rng_state(found["cuda"])
    return int(found["epochs"])


def saved_weights(weights: Sequence[torch.Tensor]) -> bytes:
    """The weights alone, as `restore_weights` reads them."""
    sink = io.BytesIO()
    torch.save({"weights": [weight.detach() for weight in weights]}, sink)
    return sink.getvalue()


def restore_weights(content: bytes, weights: Sequence[torch.Tensor]) -> None:
    """Those of either kind of bytes."""
    _put(_read(content)["weights"], weights)


def _put(found: Sequence[torch.Tensor], weights: Sequence[torch.Tensor]) -> None:
    with torch.no_grad():
        for weight, kept in zip(weights, found, strict=True):
            weight.copy_(kept)


def _read(content: bytes) -> dict[str, Any]:
    # numbers and tensors alone: nothing of it is run
    found: dict[str, Any] = torch.load(io.BytesIO(content), map_location="cpu", weights_only=True)
    return found
