"""Foreign failures as our own errors: the one place that decides what an HTTP status, a 429 without a word and a broken
connection mean, and whether the call may have been billed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from freeal.errors import AccountError, LlmError, RowRejectedError, SpendCapError, TransientError, Trouble
from freeal.llm.limits.rate_limit_headers import limits_in_headers
from freeal.llm.limits.retry_after import retry_after_seconds, told_in_words
from freeal.llm.network_route import Route

_SPEND_CODES = frozenset({"credits_required", "Arrearage", "AccountOverdueError"})
_SPEND_CODE = re.compile(
    r"^billing_|_billing_|(?:spend|spending|billing(?:_hard)?|budget|credit|credits|balance)_?\w*"
    r"(?:limit|cap|exhausted|exceeded|reached|required|overdue)|insufficient_\w*(?:quota|credit|balance|fund)"
    r"|exceeded_current_quota",
    re.IGNORECASE,
)
"""credit_balance_exhausted, organization_spend_limit_exceeded, billing_hard_limit_reached, budget_exceeded, ..."""

# Anthropic answers 400 invalid_request_error when the prepaid credit or a limit of one's own is used up, and 429 with a
# retry-after for a monthly limit; none carries a code (anthropics/anthropic-sdk-python#1646).
_SPEND_WORDS = re.compile(
    r"credit balance is too low|(?:monthly|account'?s?) (?:spend|usage) limit|exceeded your current quota"
    r"|reached your (?:specified )?(?:\w+ )?(?:api )?(?:usage|spend(?:ing)?) limits?|budget has been exceeded"
    r"|insufficient (?:account )?(?:balance|credit|fund|quota)",
    re.IGNORECASE,
)

_RAMP_CODES = frozenset({"ramp_limit_exceeded"})
_GATEWAY_STATUSES = frozenset({502, 504, 520, 524})
"""A proxy (520 and 524: Cloudflare's) had no or no readable answer of the server behind it, which may have worked."""
_OVERLOAD_STATUSES = frozenset({503, 529})
_TRANSIENT_STATUSES = frozenset({408, 409, 425, 429, 499})
_ACCOUNT_STATUSES = frozenset({401, 403, 404, 405, 431, 501})
_ACCOUNT_HINTS = {
    401: "the API key is not accepted; check where it comes from with `python -m daemon check`",
    403: "the API key may not use this model",
    404: "check llm.model and llm.base_url",
    405: "check llm.base_url",
    501: "check llm.base_url",
}


def error_for_status(
    status: int, message: str, *, codes: frozenset[str] = frozenset(), retry_after_seconds: float | None = None
) -> LlmError:
    """The error for a reply of HTTP `status` whose body said `message` and carried the machine-readable `codes`."""
    error = _error_for_status(status, message, codes, retry_after_seconds)
    error.status, error.said = status, message
    return error


def _error_for_status(status: int, message: str, codes: frozenset[str], retry_after_seconds: float | None) -> LlmError:
    problem = f"the language model server answered {status}: {shortened(message)}"
    if status == 402 or _is_about_money(message, codes, will_pass=status == 429 and retry_after_seconds is not None):
        return _spend_cap(problem)
    if status in _ACCOUNT_STATUSES:
        return AccountError(problem, hint=_ACCOUNT_HINTS.get(status))
    if status in _TRANSIENT_STATUSES or status >= 500:
        trouble: Trouble = "failed"
        if status == 429:
            trouble = "rate_limit"
        elif status in _OVERLOAD_STATUSES:
            trouble = "unavailable"
        elif status in _GATEWAY_STATUSES:
            trouble = "lost_reply"
        return TransientError(problem, trouble=trouble, retry_after_seconds=retry_after_seconds)
    if 300 <= status < 400:
        return AccountError(problem, hint="llm.base_url must be the final address: redirects are not followed")
    return RowRejectedError(problem)


def _is_about_money(message: str, codes: frozenset[str], *, will_pass: bool) -> bool:
    """Whether the account may spend no more. Of a rate limit that `will_pass` some say "quota", too (Gemini)."""
    if codes & _SPEND_CODES or any(_SPEND_CODE.search(code) for code in codes):
        return True
    found = _SPEND_WORDS.search(message)
    return found is not None and not (will_pass and "quota" in found[0].lower())


def error_for_answer(
    status: int,
    message: str,
    *,
    codes: frozenset[str],
    headers: Mapping[str, str],
    now: float,
    silence_is_spend_cap: bool = False,
) -> LlmError:
    """The error for a reply with its headers; `now` is the Unix time.

    A 429 that does not say when to come back is a rate limit where a rate-limit header says that one is used up (then
    until its `reset`), or its code says so; else it is what this server means by silence: at Anthropic a spend limit,
    which alone comes without `retry-after`, elsewhere a rate limit.
    """
    wait_seconds = retry_after_seconds(headers, now)
    if status == 429 and wait_seconds is None:
        wait_seconds = limits_in_headers(headers, now).exhausted_seconds or told_in_words(message)
    error = error_for_status(status, message, codes=codes, retry_after_seconds=wait_seconds)
    silent = status == 429 and wait_seconds is None and not codes & _RAMP_CODES
    if silent and silence_is_spend_cap and not isinstance(error, SpendCapError):
        error = _spend_cap(error.problem)
        error.status, error.said = status, message
    return error


def _spend_cap(problem: str) -> SpendCapError:
    return SpendCapError(
        f"the account's spend limit or credit is used up: {problem}",
        hint="raise the spend limit or the credit of the account",
    )


_NEVER_SENT = frozenset({"ConnectError", "ConnectTimeout", "PoolTimeout", "ProxyError"})
_SILENT = frozenset({"ReadTimeout", "WriteTimeout"})
_WRONG_ADDRESS = frozenset(
    {"UnsupportedProtocol", "LocalProtocolError", "InvalidURL", "TooManyRedirects", "CookieConflict"}
)
_WITHOUT_WORDS = {
    "ConnectTimeout": "no connection in time",
    "PoolTimeout": "no connection in time",
    "ConnectError": "no connection",
    "ReadTimeout": "no answer in time",
    "WriteTimeout": "it took nothing in time",
    "ProxyError": "the proxy refused",
    "DecodingError": "the answer cannot be unpacked",
    "RemoteProtocolError": "it hung up without a whole answer",
}
"""What to say for an exception that says nothing but its name."""

_BARE = {"All connection attempts failed": "nothing answers there"}


def error_for_connection(cause: BaseException, *, route: Route) -> LlmError:
    """The error for an exception of httpx or httpx2, which name theirs alike; neither is imported here.

    A request that found no connection was not billed. Of any other nobody knows how far it came: its reply is lost.
    """
    names = {kind.__name__ for kind in type(cause).__mro__}
    reason = _reason_of_connection_error(cause, names)
    if names & _WRONG_ADDRESS:
        return AccountError(f"the request to {route} cannot be sent: {reason}", hint="check llm.base_url and the key")
    if names & _NEVER_SENT:
        problem = f"the language model server at {route} cannot be reached: {reason}"
        return TransientError(problem, trouble="unavailable", hint=route.advice_on_failure(reason))
    timed_out = bool(names & _SILENT)
    problem = f"the connection to the language model server at {route} broke: {reason}"
    return TransientError(problem, trouble="lost_reply", timed_out=timed_out)


def _reason_of_connection_error(cause: BaseException, names: set[str]) -> str:
    said = shortened(str(cause))
    meaning = next((words for name, words in _WITHOUT_WORDS.items() if name in names), "the connection failed")
    if not said:
        return meaning
    if "DecodingError" in names:
        return f"{meaning} ({said})"
    return _BARE.get(said, said)


_KEY = re.compile(
    r"(\b(?:bearer|x-api-key|api[ _-]?key(?: provided)?)['\"]?\s*[:=]?\s*['\"]?(?=\S*\d)"
    r"|\b(?=(?:sk|pk|rk|gsk|xai|hf)[-_]))"
    r"[\w.~+/-]{8,}=*",
    re.IGNORECASE,
)


def shortened(message: str, limit: int = 300) -> str:
    """A server's message on one line, fit for a log: some repeat the key they refuse, so that is masked."""
    line = _KEY.sub(r"\1****", " ".join(message.split()))
    return line if len(line) <= limit else line[: limit - 3] + "..."
