"""Attention of packed branches: each token sees the trunk and its own branch, and nothing else is computed.

One masked product over the whole sequence computes mostly what the mask then hides, and on a CPU it is slow besides:
of SmolLM2-135M's time, 16 rows behind a trunk of 275 tokens, it took 42 % (10.8 ms a layer, 4.0 like this). Here
queries meet the trunk's keys in one product per key head, for all branches and query heads at once, and their own
branch's in a batch of small ones.

It is registered with transformers as an implementation of attention and falls back on `sdpa` where it is not told the
layout: for the trunk, and in models that do not hand unknown arguments down. On a GPU it was not measured.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import torch

NAME = "freeal_branches"
_MOST_SCORES = 4_000_000
"""Numbers of one product with the trunk at most: 16 MB in float32, which a large cache still holds."""
_LENGTH_STEP = 8
"""Groups are padded to a multiple of it (label_scoring.py has the reason)."""
_NOT_HERE = ("softcap", "position_bias", "s_aux")
"""What some models add to attention; `sdpa` knows it, or says that it does not."""
_UNEVEN = 1.25
"""Branches of a group are padded to its longest, which is at most so many times as long as its shortest."""


@dataclasses.dataclass(frozen=True, slots=True)
class _Group:
    """Branches of like length. `tokens` int64 [b, l]: where each token stands in the pack (padding: any); `hidden` bool
    [b, 1, l, l]: which keys of its branch a query does not see."""

    tokens: torch.Tensor
    hidden: torch.Tensor


@dataclasses.dataclass(frozen=True, slots=True)
class Layout:
    """A pack of branches behind `trunk_tokens`. `places` int64 [tokens]: where a token stands among the groups' (what
    fills the pack up: anywhere)."""

    trunk_tokens: int
    groups: list[_Group]
    places: torch.Tensor


def layout_of(
    visible: Sequence[torch.Tensor], *, trunk_tokens: int, filling: int, heads: int, device: torch.device
) -> Layout:
    """The layout of branches packed in this order; `visible` bool [size, size] of each: what its tokens see of it.

    Behind them stand `filling` tokens that nobody reads. `heads` are the model's query heads.
    """
    groups: list[_Group] = []
    places: list[torch.Tensor] = []
    start = filled = 0
    for members in _branches_of_similar_length([len(one) for one in visible], trunk_tokens=trunk_tokens, heads=heads):
        longest = max(len(visible[member]) for member in members)
        longest += -longest % _LENGTH_STEP
        tokens = torch.zeros(len(members), longest, dtype=torch.int64)
        # padding stands behind what it pads and sees what is before it: no query sees it, and none sees nothing
        seen = torch.ones(longest, longest, dtype=torch.bool).tril_().repeat(len(members), 1, 1)
        for row, member in enumerate(members):
            size = len(visible[member])
            tokens[row, :size] = torch.arange(start, start + size)
            seen[row, :size, :size] = visible[member]
            places.append(torch.arange(size) + filled + row * longest)
            start += size
        filled += tokens.numel()
        groups.append(_Group(tokens.to(device), ~seen[:, None].to(device)))
    places.append(torch.zeros(filling, dtype=torch.int64))
    return Layout(trunk_tokens, groups, torch.cat(places).to(device))


def _branches_of_similar_length(sizes: Sequence[int], *, trunk_tokens: int, heads: int) -> list[list[int]]:
    groups: list[list[int]] = []
    for index, size in enumerate(sizes):
        if groups:
            ends = [size, *(sizes[member] for member in groups[-1])]
            scores = len(ends) * heads * max(ends) * (trunk_tokens + max(ends))
            if scores <= _MOST_SCORES and max(ends) <= _UNEVEN * min(ends):
                groups[-1].append(index)
                continue
        groups.append([index])
    return groups


def use_branch_attention(model: Any) -> bool:
    """Have a model attend like this from now on; False, and no change, where transformers cannot."""
    from transformers import AttentionInterface, AttentionMaskInterface
    from transformers.masking_utils import sdpa_mask

    AttentionInterface.register(NAME, _branch_attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)
    try:
        model.set_attn_implementation(NAME)
    except (AttributeError, ImportError, ValueError):
        return False
    return bool(model.config.get_text_config()._attn_implementation == NAME)


def _branch_attention(
    module: torch.nn.Module,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: torch.Tensor | None,
    *,
    branch_layout: Layout | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """`query` [1, heads, tokens, d], `key` and `value` [1, key heads, trunk + tokens, d]; [1, tokens, heads, d]."""
    if branch_layout is None or any(kwargs.get(name) is not None for name in _NOT_HERE):
        from transformers.integrations.sdpa_attention import sdpa_attention_forward

        plain: tuple[torch.Tensor, None] = sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
        return plain
    scaling = kwargs.get("scaling")
    scaled = query[0] * (query.shape[-1] ** -0.5 if scaling is None else scaling)
    found = [
        _attention_of_branch_group(one, branch_layout.trunk_tokens, scaled, key[0], value[0])
        for one in branch_layout.groups
    ]
    return torch.cat(found)[branch_layout.places][None], None


def _attention_of_branch_group(
    group: _Group, trunk_tokens: int, query: torch.Tensor, key: torch.Tensor, value: torch.Tensor
) -> torch.Tensor:
    """Attention of a group's tokens, padding included, [b * l, heads, d]."""
    (branches, longest), (key_heads, _, width) = group.tokens.shape, key.shape
    shared = query.shape[0] // key_heads  # query heads per key head
    flat = group.tokens.flatten()
    asked = query[:, flat].view(key_heads, shared, branches, longest, width).transpose(1, 2)
    asked = asked.reshape(key_heads, -1, width)
    own = asked.view(key_heads * branches, -1, width)
    own_key, own_value = (
        one[:, trunk_tokens:][:, flat].view(key_heads * branches, longest, width) for one in (key, value)
    )
    near = torch.bmm(own, own_key.transpose(1, 2)).view(key_heads, branches, shared, longest, longest)
    near = near.masked_fill_(group.hidden, float("-inf")).view(key_heads, -1, longest)
    far = torch.bmm(asked, key[:, :trunk_tokens].transpose(1, 2))
    weights = torch.softmax(torch.cat([far, near], dim=-1), dim=-1, dtype=torch.float32).to(query.dtype)
    seen = torch.bmm(weights[..., :trunk_tokens], value[:, :trunk_tokens]).view(own.shape)
    seen = seen + torch.bmm(weights[..., trunk_tokens:].reshape(own.shape[0], -1, longest), own_value)
    seen = seen.view(key_heads, branches, shared, longest, width).permute(1, 3, 0, 2, 4)
    return seen.reshape(branches * longest, key_heads * shared, width)
