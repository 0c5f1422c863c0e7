"""Measured traffic as markdown."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

from traffic import LATENCY_SECONDS, Setting
from traffic_clients import Outcome
from traffic_server import Seen

RAMP_UP_SECONDS = 5.0
"""What comes in before does not count for the share of the permitted rate."""

TITLES = {
    "freeal": "FreeAL: limiter, ledger, answer store",
    "gather": "`asyncio.gather` over `AsyncAnthropic`",
    "semaphore": "the same behind a semaphore",
    "sequential": "one call after the other",
    "freeal in memory": "FreeAL with a store in memory",
}


@dataclasses.dataclass(frozen=True)
class Measured:
    """One client against one server. `rows` it sent; `whole` is what a full run would be, where this was a part."""

    way: str
    outcome: Outcome
    seen: Seen
    rows: int
    whole: int


def of_limits(found: Mapping[Setting, Sequence[Measured]]) -> str:
    """One table per setting of limits."""
    return "\n\n".join(f"### {_title(setting)}\n\n{_limits(setting, ones)}" for setting, ones in found.items())


def of_faults(found: Sequence[Measured], *, share: float) -> str:
    """One table of what became of rows, answers and time, the store on the disk beside the one in memory."""
    on_disk = next(one for one in found if one.way == "freeal")
    in_memory = next(one for one in found if one.way == "freeal in memory")
    head = ["client", "rows", "texts", "statuses", "stops", "faults", "answers that came whole", "of them stored",
            "billed", "twice", "lost, asked again", "seconds", "store busy, seconds"]  # fmt: skip
    more = on_disk.outcome.wall_seconds / in_memory.outcome.wall_seconds - 1.0
    kinds = ", ".join(f"{kind} {count}" for kind, count in on_disk.seen.faults.items())
    said = (
        f"The store on the disk costs {100 * more:+.1f} % of the wall time of the one in memory. Every row has a"
        f" status: {_yes(accounted(found))}. Every distinct request paid for once, not counting lost answers:"
        f" {_yes(paid_once(found))}."
    )
    title = f"### {100 * share:g} % random faults"
    return "\n\n".join(
        [title, _table(head, [_of_faults(one) for one in found]), said, f"Faults met by the first: {kinds}."]
    )


def accounted(found: Sequence[Measured]) -> bool:
    """Whether there are as many statuses as rows."""
    return all(sum(one.outcome.statuses.values()) == one.rows for one in found)


def paid_once(found: Sequence[Measured]) -> bool:
    """Whether no request was answered twice, and what was answered is what was stored and billed."""
    return all(
        one.seen.delivered_again == 0 and one.outcome.stored == one.outcome.billed == one.seen.delivered
        for one in found
    )


def _title(setting: Setting) -> str:
    bound = {
        "requests": f"{60 * setting.per_second:,.0f} requests per minute",
        "tokens": f"{60 * setting.per_second:,.0f} input tokens per minute",
        "concurrency": f"{setting.limits.concurrency} requests at once",
    }
    return f"Limited by {bound[setting.name]}"


def _limits(setting: Setting, ones: Sequence[Measured]) -> str:
    head = ["client", "rows answered", "failed", "429s", "share of the permitted rate", "seconds for all rows",
            "CPU seconds per 1,000 calls", "MiB beyond the start"]  # fmt: skip
    return _table(head, [_of_limits(setting, one) for one in ones])


def _of_limits(setting: Setting, one: Measured) -> list[str]:
    answered = one.outcome.statuses.get("ok", 0)
    rate = one.seen.rate(counts=setting.counts, after_seconds=min(RAMP_UP_SECONDS, one.outcome.wall_seconds / 2))
    seconds = one.outcome.wall_seconds * one.whole / one.rows
    part = "" if one.rows == one.whole else "*"
    return [
        TITLES[one.way],
        f"{answered:,} of {one.rows:,}",
        f"{one.rows - answered:,}",
        f"{one.seen.limited:,}",
        "" if rate is None else f"{100 * rate / setting.per_second:.1f} %",
        f"{seconds:,.0f}{part}",
        f"{1000 * one.outcome.cpu_seconds / max(1, one.seen.requests):.2f}",
        f"{one.outcome.memory_mib:.0f}",
    ]


def _of_faults(one: Measured) -> list[str]:
    outcome, seen = one.outcome, one.seen
    statuses = ", ".join(f"{name} {count:,}" for name, count in sorted(outcome.statuses.items()))
    return [
        TITLES[one.way], f"{one.rows:,}", f"{outcome.distinct:,}", statuses, str(outcome.stops),
        f"{sum(seen.faults.values()):,}", f"{seen.delivered:,}", f"{outcome.stored:,}", f"{outcome.billed:,}",
        f"{seen.delivered_again:,}", f"{seen.generated - seen.delivered:,}", f"{outcome.wall_seconds:.0f}",
        f"{outcome.store_seconds:.1f}",
    ]  # fmt: skip


def _yes(claim: bool) -> str:
    return "yes" if claim else "**no**"


def _table(head: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rule = ["---", *("---:" for _ in head[1:])]
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, rule, *lines))


def legend(*, rows: int, part: int) -> str:
    """What the columns mean."""
    return (
        f"The test server answers after {1000 * LATENCY_SECONDS:.0f} ms, in a process of its own, and its buckets hold"
        f" one second's worth. All send the same {rows:,} requests. *share*: of the permitted rate, what the server"
        f" admitted between second {RAMP_UP_SECONDS:g} (half of the run, where that is less) and the last arrival;"
        f" *429s*: refusals over a limit; *failed*: rows without an answer after the client's own retries (two, those"
        f" of the plain client); *: measured on {part} rows and extrapolated. Memory is the process's peak less what"
        " it was after its imports."
    )
