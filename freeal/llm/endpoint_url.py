"""Where the providers over a network are, and the address of a path there."""

from __future__ import annotations

import urllib.parse
from collections.abc import Mapping

ADDRESSES: Mapping[str, str] = {"anthropic": "https://api.anthropic.com", "openai": "https://api.openai.com/v1"}
"""Where the providers over a network are, unless `llm.base_url` says otherwise."""


def endpoint_url(base_url: str, path: str) -> str:
    """The address of `path` below a base address: a query stays at the end, and a path that is there already is not
    added again."""
    url = urllib.parse.urlsplit(base_url.strip())
    below = url.path.rstrip("/")
    if not below.endswith(path):
        below += path
    return urllib.parse.urlunsplit((url.scheme, url.netloc, below, url.query, ""))
