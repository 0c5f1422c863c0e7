"""What a training step keeps for its backward pass, bounded: of long batches some layers are computed twice instead.

A layer of all-MiniLM-L6-v2 keeps 30 KB a token, and attention weights beside: 32 texts of 122 tokens took 1.2 GB, the
peak of a whole job. A layer that is computed again in the backward pass keeps its input alone. It draws the same
dropout both times, so gradients are the same to the last bit; it costs a forward pass of that layer (a step with all
layers computed twice took 1.2 times as long). So training cuts a long batch first (robust_training.py), and this is for
pieces of few, very long texts.
"""

from __future__ import annotations

import functools
from typing import Any

from torch.utils import checkpoint

KEPT_TOKENS = 2048
"""Of batches up to so many tokens all layers are kept (32 texts of 64); of longer ones fewer, in proportion."""


def bounded_layers(model: Any) -> list[Any]:
    """The layers of an encoder that can be computed again, first to last; none where transformers cannot."""
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers = [part for part in model.modules() if isinstance(part, GradientCheckpointingLayer)]
    for layer in layers:
        layer._gradient_checkpointing_func = functools.partial(checkpoint.checkpoint, use_reentrant=False)
    return layers


def bound_activation_memory(layers: list[Any], *, tokens: int) -> int:
    """Have the first of the layers computed twice in the next step, over a batch of `tokens` with its padding, and the
    others kept; how many are. The first, because what the last ones keep is free again before they are computed."""
    twice = max(0, len(layers) - len(layers) * KEPT_TOKENS // max(1, tokens))
    for position, layer in enumerate(layers):
        layer.gradient_checkpointing = position < twice
    return twice
