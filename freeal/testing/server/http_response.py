"""Replies on their way out, still whole."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from typing import Any, Literal

from freeal.testing.server.faults import Refusal

Form = Literal["anthropic", "openai"]
"""Whose protocol: `/v1/messages` and what is below it, or `/v1/chat/completions`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Response:
    """Status, headers and all of the body."""

    status: int
    content: bytes
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    content_type: str = "application/json"


def answered(body: Any) -> Response:
    """A reply that went well."""
    return Response(200, json.dumps(body).encode())


def refused_response(
    refusal: Refusal, form: Form = "anthropic", *, retry_after_seconds: float | None = None
) -> Response:
    """An error reply; a proxy's page speaks neither protocol."""
    headers = {} if retry_after_seconds is None else {"retry-after": f"{retry_after_seconds:g}"}
    if refusal.page is not None:
        return Response(refusal.status, refusal.page.encode(), headers, "text/html")
    body = refusal.anthropic() if form == "anthropic" else refusal.openai()
    return Response(refusal.status, json.dumps(body).encode(), headers)
