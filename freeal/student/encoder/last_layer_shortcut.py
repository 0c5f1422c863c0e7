"""The last layer of an encoder whose head reads the first token alone: computed for that token only.

The others' queries, output projections and feed-forward parts would be thrown away, of seven layers the better part of
one. The weights stay where they are, so what is saved is the ordinary model.
"""

from __future__ import annotations

import functools
from typing import Any

import torch

_KINDS = {"bert", "roberta", "xlm-roberta", "camembert"}


def shorten_last_layer(model: Any) -> bool:
    """Have a sequence classifier compute its last layer for the first token only; False, and no change, for
    architectures whose head or layers are others."""
    if model.config.model_type not in _KINDS or getattr(model.config, "is_decoder", False):
        return False
    layer = model.base_model.encoder.layer[-1]
    layer.forward = functools.partial(_first_token, layer)
    return True


def _first_token(
    layer: Any, hidden_states: torch.Tensor, attention_mask: torch.Tensor | None = None, *_: Any, **__: Any
) -> torch.Tensor:
    """[batch, 1, d] out of all tokens' [batch, tokens, d]."""
    attention, first = layer.attention.self, hidden_states[:, :1]
    heads = attention.num_attention_heads
    query, key, value = (
        project(states).unflatten(-1, (heads, -1)).transpose(1, 2)
        for project, states in (
            (attention.query, first),
            (attention.key, hidden_states),
            (attention.value, hidden_states),
        )
    )
    if attention_mask is not None and attention_mask.shape[-2] > 1:
        attention_mask = attention_mask[..., :1, :]
    mixed = torch.nn.functional.scaled_dot_product_attention(
        query,
        key,
        value,
        attn_mask=attention_mask,
        dropout_p=attention.dropout.p if layer.training else 0.0,
        scale=attention.scaling,
    )
    attended = layer.attention.output(mixed.transpose(1, 2).flatten(-2), first)
    read: torch.Tensor = layer.feed_forward_chunk(attended)
    return read
