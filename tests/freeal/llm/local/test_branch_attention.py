"""Attention by branches gives what one masked attention gives."""

from __future__ import annotations

import types

import pytest
import torch

from freeal.llm.local import branch_attention

HEADS, KEY_HEADS, WIDTH = 6, 2, 8


def _masked(query, key, value, mask):
    """The obvious way: every query against every key, with what is not seen at minus infinity."""
    shared = HEADS // KEY_HEADS
    key, value = key.repeat_interleave(shared, dim=1), value.repeat_interleave(shared, dim=1)
    scores = (query @ key.transpose(-1, -2)) * WIDTH**-0.5
    return (scores.masked_fill(~mask, float("-inf")).softmax(-1) @ value).transpose(1, 2)


@pytest.mark.parametrize("trunk_tokens", [0, 1, 13])
@pytest.mark.parametrize("filling", [0, 5])
def test_branches_see_what_a_mask_would_let_them_see(trunk_tokens, filling):
    """With and without a trunk, short and long branches, a trie at the end of one, tokens that fill the pack up."""
    torch.manual_seed(0)
    visible = [torch.ones(size, size, dtype=torch.bool).tril() for size in (3, 3, 4, 9, 40)]
    visible[2][3, 2] = False  # two labels' tokens that stand beside each other
    tokens = sum(map(len, visible)) + filling
    query = torch.randn(1, HEADS, tokens, WIDTH)
    key, value = (torch.randn(1, KEY_HEADS, trunk_tokens + tokens, WIDTH) for _ in range(2))
    mask = torch.cat(
        [
            torch.ones(tokens, trunk_tokens, dtype=torch.bool),
            torch.block_diag(*visible, torch.eye(filling, dtype=torch.bool)).bool(),
        ],
        dim=1,
    )
    layout = branch_attention.layout_of(
        visible, trunk_tokens=trunk_tokens, filling=filling, heads=HEADS, device=query.device
    )
    found, _ = branch_attention._branch_attention(
        types.SimpleNamespace(), query, key, value, None, branch_layout=layout, scaling=None
    )
    read = tokens - filling
    torch.testing.assert_close(_masked(query, key, value, mask)[:, :read], found[:, :read])
    assert (1, tokens, HEADS, WIDTH) == tuple(found.shape)


def test_branches_of_unlike_length_are_not_padded_to_one_another():
    """Of two short branches and a long one the short ones make a group of their own."""
    visible = [torch.ones(size, size, dtype=torch.bool).tril() for size in (16, 16, 64)]
    layout = branch_attention.layout_of(visible, trunk_tokens=4, filling=0, heads=HEADS, device=torch.device("cpu"))
    assert [(2, 16), (1, 64)] == [tuple(group.tokens.shape) for group in layout.groups]
