"""How many tokens the server counts in a request, and how many of them its prompt cache holds."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from freeal.types import Usage

_MINIMUM_CACHED_TOKENS = 512
_FRAME_TOKENS = 20


def input_usage_of(body: Mapping[str, Any], cached_prefixes: Collection[str]) -> Usage:
    """Input tokens of a request: a quarter of its characters, read from the cache where its prefix is known there."""
    turns = "".join(text_in(turn["content"]) for turn in body["messages"])
    total = len(text_in(body.get("system", "")) + turns) // 4 + _FRAME_TOKENS
    prefix = cacheable_prefix(body)
    tokens = len(prefix) // 4
    read, written = (tokens, 0) if prefix in cached_prefixes else (0, tokens if prefix else 0)
    return Usage(input_tokens=total, cached_tokens=read, cache_write_tokens=written)


def cacheable_prefix(body: Mapping[str, Any]) -> str:
    """What stands up to the last `cache_control`; empty when that is too little to be cached."""
    blocks = [block for block in body.get("system", []) if isinstance(block, dict)]
    blocks += [block for block in body["messages"][-1]["content"] if isinstance(block, dict)]
    marked = [position for position, block in enumerate(blocks) if "cache_control" in block]
    prefix = text_in(blocks[: marked[-1] + 1]) if marked else ""
    return prefix if len(prefix) // 4 >= _MINIMUM_CACHED_TOKENS else ""


def text_in(content: Any) -> str:
    return content if isinstance(content, str) else "".join(str(block.get("text", "")) for block in content)
