"""Foreign failures as our own errors: the one place that decides what a server's HTTP status means."""

from __future__ import annotations

import email.utils
import math
import re
from collections.abc import Mapping

from freeal.errors import AccountError, LlmError, RowRejectedError, SpendCapError, TransientError

_SPEND_CODES = frozenset(
    {
        "billing_error",
        "contract_spend_limit_reached",
        "credits_required",
        "enforced_spend_limit_reached",
        "insufficient_quota",
        "linked_organization_billing_unavailable",
        "linked_organization_spend_limit_reached",
    }
)
# Anthropic answers 400 invalid_request_error when the prepaid credit is used up, and 429 with a retry-after for a
# monthly limit; neither carries a code (anthropics/anthropic-sdk-python#1646).
_SPEND_WORDS = re.compile(
    r"credit balance is too low|(?:monthly|account'?s?) (?:spend|usage) limit|exceeded your current quota",
    re.IGNORECASE,
)

_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 499})
_ACCOUNT_STATUSES = frozenset({401, 403, 404, 405, 431, 501})
_ACCOUNT_HINTS = {
    401: "the API key is not accepted; check where it comes from with `python -m daemon check`",
    403: "the API key may not use this model",
    404: "check llm.model and llm.base_url",
}


def error_for_status(
    status: int, message: str, *, codes: frozenset[str] = frozenset(), retry_after_seconds: float | None = None
) -> LlmError:
    """The error for a reply of HTTP `status` whose body said `message` and carried the machine-readable `codes`."""
    problem = f"the language model server answered {status}: {shortened(message)}"
    if status == 402 or codes & _SPEND_CODES or _SPEND_WORDS.search(message):
        return SpendCapError(problem, hint="raise the spend limit or the credit of the account")
    if status in _ACCOUNT_STATUSES:
        return AccountError(problem, hint=_ACCOUNT_HINTS.get(status))
    if status in _TRANSIENT_STATUSES or status >= 500:
        return TransientError(problem, retry_after_seconds=retry_after_seconds)
    if 300 <= status < 400:
        return AccountError(problem, hint="llm.base_url must be the final address: redirects are not followed")
    return RowRejectedError(problem)


def retry_after_seconds(headers: Mapping[str, str], now: float) -> float | None:
    """The server's own word on how long to wait, from `retry-after-ms` or `retry-after` (seconds or a date).

    `now` is the Unix time; the result is never negative. None when there is no such header, or it makes no sense.
    """
    for name, unit_seconds in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        value = headers.get(name)
        if value is None:
            continue
        try:
            seconds = float(value) * unit_seconds
        except ValueError:
            try:
                seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
            except ValueError:
                continue
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def shortened(message: str, limit: int = 300) -> str:
    """A server's message on one line, fit for a log."""
    line = " ".join(message.split())
    return line if len(line) <= limit else line[: limit - 3] + "..."
