"""What an estimate says, and how people read it."""

from __future__ import annotations

import dataclasses
import math

from freeal.cost_estimate.token_count_range import NOTHING, Span


@dataclasses.dataclass(frozen=True, slots=True)
class AnnotatorEstimate:
    """What one of several language models will be asked; `usd` and `seconds` as those of `Estimate`."""

    provider: str
    model: str
    calls: Span
    input_tokens: Span = NOTHING
    output_tokens: Span = NOTHING
    usd: Span | None = None
    seconds: Span | None = None

    def said(self) -> str:
        """Who, how often, at what cost."""
        cost = "price unknown" if self.usd is None else f"{self.usd.low:.4f} to {self.usd.high:.4f} USD"
        return f"{self.provider}, {self.model}: {shown_amount(self.calls)} answers, {cost}"


@dataclasses.dataclass(frozen=True, slots=True)
class Estimate:
    """From low to high, of all language models together; `annotators` are each of several. `usd` is None where no price
    is known, `seconds`, those of the answers, where no speed is; `training_seconds` are all that the job takes beside
    them, on a machine as busy as this one is now."""

    provider: str
    model: str
    rows: int
    distinct_rows: int
    text_columns: tuple[str, ...]
    known_labels: int
    """Rows with a true label."""
    stored: int
    """Answers of the first round that the answer store holds already: they cost nothing."""
    calls: Span
    input_tokens: Span
    output_tokens: Span
    usd: Span | None
    price_source: str
    seconds: Span | None
    training_seconds: Span
    budget_usd: float | None
    stands_in: bool
    """Whether texts of the pool stand in `first_prompt` for demonstrations the model has yet to write."""
    first_prompt: str
    warnings: tuple[str, ...] = ()
    """What a person should know about CSV and spec (freeal/preflight/preflight_check.py)."""
    annotators: tuple[AnnotatorEstimate, ...] = ()
    llm_use: str = ""
    """How several language models share the job."""

    def estimate_beside(self, other: AnnotatorEstimate, *, use: str) -> Estimate:
        """The estimate of a job that also asks `other`."""
        own = AnnotatorEstimate(
            self.provider, self.model, self.calls, self.input_tokens, self.output_tokens, self.usd, self.seconds
        )
        return dataclasses.replace(
            self,
            calls=self.calls + other.calls,
            input_tokens=self.input_tokens + other.input_tokens,
            output_tokens=self.output_tokens + other.output_tokens,
            usd=None if self.usd is None or other.usd is None else self.usd + other.usd,
            seconds=None if self.seconds is None or other.seconds is None else self.seconds + other.seconds,
            annotators=(*(self.annotators or (own,)), other),
            llm_use=use,
        )

    @property
    def _is_local(self) -> bool:
        return {self.provider, *(one.provider for one in self.annotators)} == {"local"}

    def figures(self) -> list[tuple[str, str]]:
        """(what, value) pairs for people; the first prompt is not among them."""
        paid = [] if self._is_local else self._paid_figures()
        written = "the model writes them; below, numbered texts of the file stand in for them"
        return [
            ("texts", f"{self.rows:,} rows, {self.distinct_rows:,} distinct, of {', '.join(self.text_columns)}"),
            ("true labels", f"{self.known_labels:,}"),
            *self._annotators_in_words(),
            (
                "answers",
                shown_amount(self.calls) + (f", {self.stored:,} more are stored already" if self.stored else ""),
            ),
            *paid,
            ("cost", self._cost_in_words()),
            ("time", self._time_in_words()),
            *([("demonstrations", written)] if self.stands_in else []),
            *(("note", warning) for warning in self.warnings),
        ]

    def _annotators_in_words(self) -> list[tuple[str, str]]:
        if not self.annotators:
            return [("annotated by", f"{self.provider}, {self.model}")]
        how = {"cascade": "what is left open goes to the next", "side_by_side": "each is asked about every text"}
        said = [(f"annotated by ({place})", one.said()) for place, one in enumerate(self.annotators, start=1)]
        return [("language models", f"{len(said)}, {self.llm_use}: {how[self.llm_use]}"), *said]

    def _paid_figures(self) -> list[tuple[str, str]]:
        return [("input tokens", shown_amount(self.input_tokens)), ("output tokens", shown_amount(self.output_tokens))]

    def _time_in_words(self) -> str:
        training = f"training {duration_range(self.training_seconds)}"
        if self.seconds is None:
            return f"answers: unknown for this model; {training}"
        whole = self.seconds + self.training_seconds
        parts = f"answers {duration_range(self.seconds)}, {training}"
        return f"{duration_range(whole)} on this machine as busy as it is now: {parts}"

    def _cost_in_words(self) -> str:
        if self._is_local:
            return "0 USD: nothing leaves this machine"
        cap = "no cap" if self.budget_usd is None else f"at most {self.budget_usd:.2f} USD (budget_usd)"
        if self.usd is None:
            unpriced = [one.model for one in self.annotators if one.usd is None] or [self.model]
            return f"unknown: put the price of {' and '.join(unpriced)} into llm.prices; {cap}"
        return f"{self.usd.low:.4f} to {self.usd.high:.4f} USD, {cap}; {self.price_source}"


def shown_amount(span: Span) -> str:
    """`12` or `12 to 30`."""
    low, high = round(span.low), round(span.high)
    return f"{low:,}" if low == high else f"{low:,} to {high:,}"


def duration_range(span: Span) -> str:
    """`30 s`, or `2 min to 1.5 h`."""
    low, high = _time(span.low), _time(span.high)
    return low if low == high else f"{low} to {high}"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{math.ceil(seconds)} s"
    return f"{math.ceil(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
