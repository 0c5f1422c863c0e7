"""What a table of many rows will take, by stage: extrapolated from two small jobs measured on this machine.

A straight line through two sizes for each step's processor time, its memory and its files; calls, tokens and dollars
in proportion to the estimate of a sample; waiting for a provider by its limits.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from freeal.cost_estimate.call_cost_range import BATCH_SECONDS
from freeal.cost_estimate.estimate_figures import Estimate
from freeal.cost_estimate.measured_job import STEPS, Measured
from freeal.cost_estimate.token_count_range import Span
from freeal.settings import LlmSettings

SIZES = (1_200, 4_800)
"""Rows of the two jobs that are measured. Both above `linear_probe.SMALL_POOL`: a smaller pool is cut into twice as
many folds, each of them larger, so that a line from there foretold half of what training takes."""
OF_PREDICTION = ("cut", "predict", "join")
STREAMED = ("read", "cut", "predict", "join")
"""Steps that begin with nothing that is theirs: what was measured of the larger job, row by row. Between the two sizes
their noise, and the smaller job's smaller shards, would weigh more than their growth."""
MEMORY_PER_ROW = 4_000.0
"""Bytes that a row of a training job takes at most: embedding (1.5 kB with the packaged encoder), tokens, text and
answers. Small jobs do not show it beside the batches they compute."""
SPREAD = ("predict",)
"""Steps that several processes or machines share; the others are one process."""


@dataclasses.dataclass(frozen=True, slots=True)
class Line:
    """`fixed` + `per_row` * rows."""

    fixed: float
    per_row: float

    @classmethod
    def through(cls, points: Sequence[tuple[int, float]]) -> Line:
        """The line through two measurements, never falling and never below nothing."""
        (few, least), (many, most) = sorted(points)
        per_row = max(0.0, (most - least) / (many - few))
        return cls(max(0.0, least - per_row * few), per_row)

    @classmethod
    def from_nothing(cls, rows: int, value: float) -> Line:
        """All of what was measured, row by row."""
        return cls(0.0, value / rows)

    def at(self, rows: int) -> float:
        """Its value."""
        return self.fixed + self.per_row * rows


@dataclasses.dataclass(frozen=True, slots=True)
class Rates:
    """How each step grows on this machine: processor seconds, memory and files in bytes."""

    seconds: dict[str, Line]
    memory: dict[str, Line]
    disk: dict[str, Line]

    @classmethod
    def of(cls, small: Measured, large: Measured) -> Rates:
        """From the same job at two sizes."""

        def lines(few: dict[str, int], many: dict[str, int]) -> dict[str, Line]:
            return {name: Line.through([(small.rows, few[name]), (large.rows, many[name])]) for name in few}

        seconds = {
            step: Line.from_nothing(large.rows, large.seconds[step])
            if step in STREAMED
            else Line.through([(small.rows, small.seconds[step]), (large.rows, large.seconds[step])])
            for step in STEPS
        }
        memory = {
            step: Line(
                float(max(small.memory[step], large.memory[step])), 0.0 if step in OF_PREDICTION else MEMORY_PER_ROW
            )
            for step in STEPS
        }
        return cls(seconds, memory, lines(small.disk, large.disk))

    def job_seconds(self, rows: int) -> float:
        """Processor time of a training job with an annotator that answers at once."""
        return sum(self.seconds[step].at(rows) for step in STEPS if step not in OF_PREDICTION)

    def prediction_seconds(self, rows: int) -> float:
        """Processor time of labelling so many rows with a finished student, all its parts."""
        return sum(self.seconds[step].at(rows) for step in OF_PREDICTION)


@dataclasses.dataclass(frozen=True, slots=True)
class Stage:
    """`seconds` from low to high as a clock shows them, `None` where the speed of the model is unknown; `usd` is None
    where it costs nothing; `assumes` says what the figures rest on."""

    name: str
    rows: int
    seconds: Span | None
    calls: Span | None
    usd: Span | None
    disk_bytes: float
    memory_bytes: float
    assumes: str


@dataclasses.dataclass(frozen=True, slots=True)
class Wanted:
    """`rows` in all, `annotate` of them by the language model, the rest by the student over `workers`, each like one
    process here. Each of the `rounds` waits for a batch, where batches are used."""

    rows: int
    annotate: int
    workers: int
    rounds: int = 1


def plan_stages(wanted: Wanted, rates: Rates, sample: Estimate, llm: LlmSettings) -> list[Stage]:
    """The plan, stage by stage."""
    found = [
        _reading_stage(wanted, rates),
        _annotation_stage(wanted, sample, rates, llm),
        _training_stage(wanted, rates),
    ]
    if wanted.rows > wanted.annotate:
        found += _prediction_stages(wanted.rows, wanted.workers, rates)
    return found


def _exactly(value: float) -> Span:
    return Span(value, value)


def _reading_stage(wanted: Wanted, rates: Rates) -> Stage:
    rows = wanted.annotate
    return Stage(
        "read the training table",
        rows,
        _exactly(rates.seconds["read"].at(rows)),
        None,
        None,
        0.0,
        rates.memory["read"].at(rows),
        "the whole training table is in memory",
    )


def _annotation_stage(wanted: Wanted, sample: Estimate, rates: Rates, llm: LlmSettings) -> Stage:
    share = wanted.annotate / max(1, sample.rows)
    calls = sample.calls * share
    own = rates.seconds["annotate"].at(wanted.annotate)
    seconds = (
        None
        if sample.seconds is None
        else _waiting_for_answers(sample, share, llm, rounds=wanted.rounds) + _exactly(own)
    )
    distinct = f"{sample.distinct_rows / max(1, sample.rows):.0%} of the rows are distinct texts, as in the sample"
    return Stage(
        f"annotate ({sample.provider}, {sample.model})",
        wanted.annotate,
        seconds,
        calls,
        None if sample.provider == "local" or sample.usd is None else sample.usd * share,
        rates.disk["answers"].at(wanted.annotate),
        rates.memory["annotate"].at(wanted.annotate),
        f"{distinct}; later rounds ask 5 to 60 % again; {sample.price_source or 'no price'}",
    )


def _waiting_for_answers(sample: Estimate, share: float, llm: LlmSettings, *, rounds: int) -> Span:
    """For answers: as batches take, whatever is in them; else in proportion to the sample's, or as the limits that are
    set allow."""
    in_batches = llm.mode == "batch" or (llm.mode == "auto" and sample.calls.low * share >= llm.batch_from_rows)
    if sample.provider == "anthropic" and in_batches:
        return Span(BATCH_SECONDS.low, BATCH_SECONDS.high * rounds)
    waiting = (sample.seconds or _exactly(0.0)) * share
    limits = (
        (llm.requests_per_minute, sample.calls),
        (llm.input_tokens_per_minute, sample.input_tokens),
        (llm.output_tokens_per_minute, sample.output_tokens),
    )
    for limit, amount in limits:
        if limit is not None:
            least = amount * (share * 60.0 / limit)
            waiting = Span(max(waiting.low, least.low), max(waiting.high, least.high))
    return waiting


def _training_stage(wanted: Wanted, rates: Rates) -> Stage:
    rows = wanted.annotate
    seconds = sum(rates.seconds[step].at(rows) for step in ("start", "train", "write"))
    return Stage(
        "train the student (frozen) and write the results",
        rows,
        _exactly(seconds),
        None,
        None,
        rates.disk["rounds"].at(rows) + rates.disk["output"].at(rows),
        max(rates.memory[step].at(rows) for step in ("train", "write")),
        "all rounds of the settings; embeddings of all annotated rows in memory",
    )


def _prediction_stages(rows: int, workers: int, rates: Rates) -> list[Stage]:
    disk = {"cut": "shards", "predict": "results", "join": "predictions"}
    names = {"cut": "cut into shards", "predict": f"predict, {workers} workers", "join": "join into one file"}
    said = {
        "cut": "one process reads the table; memory does not grow with it",
        "predict": "each worker as fast as one process here, nothing lost between them",
        "join": "one process; left out where the results stay as shards",
    }
    found = []
    for step in OF_PREDICTION:
        seconds = rates.seconds[step].at(rows) / (workers if step in SPREAD else 1)
        memory = rates.memory[step].fixed
        found.append(
            Stage(names[step], rows, _exactly(seconds), None, None, rates.disk[disk[step]].at(rows), memory, said[step])
        )
    return found
