"""What can go wrong with a request, and how a refusal looks on the wire."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

FaultKind = Literal[
    "400", "400 credit", "400 usage limit", "400 effort", "400 logprobs", "401", "402", "403", "404", "413",
    "429", "429 without retry-after", "spend cap", "500", "502", "504", "529",
    "reset", "hang", "slow", "drip", "empty body", "truncated json", "not json", "200 overloaded",
    "refusal", "max_tokens", "outside the set", "sentence", "wrong case", "other language",
    "expired",
]  # fmt: skip
"""In this order: refused by the server; broken on the way, or by a relay; odd answers; only in a batch."""


@dataclasses.dataclass(frozen=True, slots=True)
class Fault:
    """What goes wrong with one request. `seconds`: `retry-after` of a 429, delay of `slow`, of each byte for `drip`."""

    kind: FaultKind
    seconds: float = 0.0


FaultOrKind = Fault | FaultKind | None
"""As scripts say it: a bare kind is a fault of no seconds."""


def fault_of(scripted: FaultOrKind) -> Fault | None:
    """A scripted fault in full."""
    return Fault(scripted) if isinstance(scripted, str) else scripted


@dataclasses.dataclass(frozen=True, slots=True)
class Refusal:
    """An error reply. `code` is the machine-readable cause; `page` is what a proxy sends in place of JSON."""

    status: int
    kind: str
    message: str = "as scripted"
    code: str | None = None
    page: str | None = None

    def anthropic(self) -> dict[str, Any]:
        """The body of the Messages API: anthropic.types.ErrorResponse."""
        error: dict[str, Any] = {"type": self.kind, "message": self.message}
        if self.code is not None:
            error["details"] = {"error_code": self.code}
        return {"type": "error", "error": error, "request_id": "req_test"}

    def openai(self) -> dict[str, Any]:
        """The body of a chat completions server."""
        kind = "insufficient_quota" if self.code is not None else self.kind
        return {"error": {"message": self.message, "type": kind, "param": None, "code": kind}}


REFUSALS: Mapping[str, Refusal] = {
    "400": Refusal(400, "invalid_request_error"),
    # Prepaid credit used up: a 400 without a code (anthropics/anthropic-sdk-python#1646).
    "400 credit": Refusal(400, "invalid_request_error", "Your credit balance is too low to access the Anthropic API."),
    # A limit that the account's owner set: a 400 without a code, too.
    "400 usage limit": Refusal(
        400,
        "invalid_request_error",
        "You have reached your specified API usage limits. You will regain access on 2099-01-01 at 00:00 UTC.",
    ),
    "400 effort": Refusal(400, "invalid_request_error", "This model does not support the effort parameter."),
    "400 logprobs": Refusal(400, "invalid_request_error", "logprobs are not supported with this model."),
    "401": Refusal(401, "authentication_error", "invalid x-api-key"),
    "402": Refusal(402, "billing_error"),
    "403": Refusal(403, "permission_error"),
    "404": Refusal(404, "not_found_error"),
    "413": Refusal(413, "request_too_large", "Request exceeds the maximum size"),
    "429": Refusal(429, "rate_limit_error", "This request would exceed the rate limit of your organization."),
    "429 without retry-after": Refusal(429, "rate_limit_error"),
    "spend cap": Refusal(
        429, "rate_limit_error", "The spend limit of this workspace is reached.", code="enforced_spend_limit_reached"
    ),
    "500": Refusal(500, "api_error", "Internal server error"),
    "502": Refusal(502, "api_error", page="<html><head><title>502 Bad Gateway</title></head></html>"),
    "504": Refusal(504, "timeout_error", "The request timed out."),
    "529": Refusal(529, "overloaded_error", "Overloaded"),
    # What a relay makes of it that passes on the body and not the status (OpenRouter).
    "200 overloaded": Refusal(200, "overloaded_error", "Overloaded"),
}
