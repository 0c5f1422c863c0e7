"""What the benchmark of the language model edge sends, to servers of which limits, and with which faults."""

from __future__ import annotations

import dataclasses
import random
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.annotation.prompts import label_prompt
from freeal.llm.providers.anthropic import request_body
from freeal.testing.scripted_model import text_of
from freeal.testing.server import Fault, FaultKind, Limits
from freeal.testing.server.message_service import counted_tokens
from freeal.testing.server.scripted_replies import prompt_of
from freeal.testing.server.token_usage import input_usage_of
from freeal.types import Label, Prompt, Task

LATENCY_SECONDS = 0.2
MODEL = "claude-haiku-5-5"
TASK = Task(
    "Classify the sentiment of product reviews.",
    (Label("positive", "the customer is satisfied"), Label("negative", "the customer is not satisfied")),
)
_WORDS = [
    "the",
    "a",
    "this",
    "that",
    "box",
    "cable",
    "arrived",
    "works",
    "broke",
    "after",
    "two",
    "weeks",
    "price",
    "paid",
    "again",
    "screen",
    "loud",
    "quiet",
    "very",
]

_RATE = 60
"""Calls per second that every setting permits: 2,000 rows in half a minute."""


@dataclasses.dataclass(frozen=True)
class Setting:
    """A server's limits, the concurrency the clients are told, and what counts against the limit that binds."""

    name: str
    limits: Limits
    concurrency: int
    per_second: float
    """Of what counts: requests or input tokens."""
    counts: str


def settings(texts: Sequence[str]) -> list[Setting]:
    """The three settings, for calls as large as those for `texts`.

    A bucket holds one second's worth: Anthropic enforces 60 requests per minute as one per second where it likes.
    """
    tokens = sum(input_tokens(text) for text in texts) / len(texts)
    in_flight = round(_RATE * LATENCY_SECONDS)
    return [
        Setting(
            "requests", Limits(requests_per_minute=60.0 * _RATE, burst_seconds=1.0), 32, float(_RATE), counts="requests"
        ),
        Setting(
            "tokens",
            Limits(input_tokens_per_minute=60.0 * _RATE * tokens, burst_seconds=1.0),
            32,
            _RATE * tokens,
            counts="input tokens",
        ),
        Setting(
            "concurrency",
            Limits(concurrency=in_flight, burst_seconds=1.0),
            in_flight,
            in_flight / LATENCY_SECONDS,
            counts="requests",
        ),
    ]


def texts(count: int, *, duplicates: float = 0.0, seed: int = 0) -> list[str]:
    """Texts of 10 to 80 words, numbered so that they differ; the share `duplicates` repeats earlier ones."""
    rng = random.Random(seed)
    made: list[str] = []
    for number in range(count):
        if made and rng.random() < duplicates:
            made.append(rng.choice(made))
            continue
        words = rng.choices(_WORDS, k=rng.randint(10, 80))
        made.append(f"{rng.choice(('good', 'bad'))} {number} {' '.join(words)}")
    return made


def prompt(text: str) -> Prompt:
    """The request every client sends for a text."""
    return label_prompt(TASK, text, style="chat")


def input_tokens(text: str) -> int:
    """What the server counts for a text's request."""
    body = request_body(prompt(text), model=MODEL)
    return counted_tokens(body, input_usage_of(body, ()), "anthropic")


def verdict(text: str) -> str:
    """The answer to a text."""
    return "positive" if text.startswith("good") else "negative"


TIMEOUT_SECONDS = 2.0
"""Of the clients, where faults are tried."""

ENDS_JOB: tuple[FaultKind, ...] = (
    "400 credit", "401", "402", "403", "404", "429 without retry-after", "spend cap",
)  # fmt: skip
"""These stop a job until somebody has mended the account: once each in a run."""

_FAULTS: tuple[Fault, ...] = (
    *map(Fault, ("400", "400 effort", "413", "500", "502", "504", "529", "reset", "hang", "empty body")),
    *map(Fault, ("truncated json", "not json", "refusal", "max_tokens", "outside the set", "sentence", "wrong case")),
    Fault("other language"),
    Fault("429", 0.5),
    Fault("slow", 0.5),
    Fault("drip", 0.05),  # a body takes half a minute: lost
)


class RandomFaults:
    """What goes wrong with a text's n-th request depends on the seed, the text and n only: two runs meet the same.

    `share` of the requests go wrong, and each kind of `ENDS_JOB` once, evenly over `rows` requests.
    """

    def __init__(self, share: float, *, rows: int, seed: int) -> None:
        self._share = share
        self._seed = seed
        self._asked: dict[str, int] = {}
        step = max(1, rows // (len(ENDS_JOB) + 1))
        self._endings = {step * (place + 1): kind for place, kind in enumerate(ENDS_JOB)} if share else {}
        self._requests = 0

    def __call__(self, body: Mapping[str, Any]) -> Fault | None:
        """What goes wrong with this request."""
        self._requests += 1
        if self._requests in self._endings:
            return Fault(self._endings[self._requests])
        text = text_of(prompt_of(body))
        attempt = self._asked[text] = self._asked.get(text, 0) + 1
        rng = random.Random(f"{self._seed}/{attempt}/{text}")
        fault = rng.choice(_FAULTS) if rng.random() < self._share else None
        refuses_nothing = fault == Fault("400 effort") and "effort" not in body.get("output_config", {})
        return None if refuses_nothing else fault
