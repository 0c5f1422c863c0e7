"""One client in a process of its own: it sends all texts, measures itself, and prints a line of JSON."""

# ruff: noqa: T201 - its output is the interface

from __future__ import annotations

import asyncio
import collections
import contextlib
import dataclasses
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import anthropic
import place
import traffic

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.annotation.reply_parser import read_reply
from freeal.errors import AccountError, SpendCapError
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.rate_limiter import Limiter
from freeal.llm.limits.retry import Retry
from freeal.llm.providers.anthropic import AnthropicModel, reply_of, request_body
from freeal.llm.store.answer_store import NO_BILL, AnswerStore, MemoryStore, SqliteStore
from freeal.llm.store.bill_records import OpenCall
from freeal.money.budget_ledger import Ledger
from freeal.money.prices import price_of
from freeal.settings import LlmSettings
from freeal.types import Bill, Reply, Status

_KEY = "sk-ant-benchmark"
_MOST_STOPS = 50


@dataclasses.dataclass(frozen=True)
class Work:
    """What a client is to do. `timeout_seconds` None: what the client does by itself."""

    way: str
    base_url: str
    rows: int
    concurrency: int
    duplicates: float = 0.0
    timeout_seconds: float | None = None

    @property
    def texts(self) -> list[str]:
        """The texts to be labelled."""
        return traffic.texts(self.rows, duplicates=self.duplicates)


@dataclasses.dataclass(frozen=True)
class Outcome:
    """How it went: statuses per row, seconds by the clock and of the processor, and memory beyond the start's."""

    statuses: dict[str, int]
    wall_seconds: float
    cpu_seconds: float
    memory_mib: float
    distinct: int
    """Texts."""
    stored: int = 0
    """Answers in the store at the end."""
    billed: int = 0
    """Calls on the bill, each paid for once."""
    stops: int = 0
    """How often the job was stopped by its account and gone on with."""
    store_seconds: float = 0.0


class _TimedStore:
    """A store that notes how long it was busy and what was put into it."""

    def __init__(self, inner: AnswerStore) -> None:
        self._inner = inner
        self.busy_seconds = 0.0
        self.keys: set[str] = set()

    def get_many(self, keys: Iterable[str]) -> dict[str, Reply]:
        with self._busy():
            return self._inner.get_many(keys)

    def put_many(
        self,
        replies: Mapping[str, Reply],
        *,
        bill: Bill = NO_BILL,
        opened: Sequence[OpenCall] = (),
        closed: Collection[str] = (),
        given_up: Sequence[str] = (),
    ) -> None:
        self.keys |= set(replies)
        with self._busy():
            self._inner.put_many(replies, bill=bill, opened=opened, closed=closed, given_up=given_up)

    def set_aside(self, keys: Iterable[str]) -> None:
        self._inner.set_aside(keys)

    def begin(self) -> Bill:
        return self._inner.begin()

    def open_batches(self) -> dict[str, float]:
        return self._inner.open_batches()

    def billed(self) -> Bill:
        return self._inner.billed()

    def close(self) -> None:
        self._inner.close()

    @contextlib.contextmanager
    def _busy(self):
        started = time.perf_counter()
        try:
            yield
        finally:
            self.busy_seconds += time.perf_counter() - started


async def freeal_with(work: Work, store: AnswerStore) -> Outcome:
    """Ours, as a job uses it: limiter, ledger, answer store; gone on with whenever the account stops it."""
    settings = LlmSettings(provider="anthropic", concurrency=work.concurrency)
    limiter = Limiter.of(settings)
    model = AnthropicModel(
        ApiKey(_KEY, "the benchmark"),
        retry=Retry(settings.max_attempts, gate=limiter.gate, rng=random.Random(0)),
        model=traffic.MODEL,
        base_url=work.base_url,
        concurrency=settings.concurrency,
        timeout_seconds=work.timeout_seconds or settings.timeout_seconds,
        limiter=limiter,
    )
    timed = _TimedStore(store)
    ledger = Ledger(price_of("anthropic", traffic.MODEL, {}), None, model=traffic.MODEL)
    annotator = Annotator(model, timed, ledger, lambda event: None)
    requests = [LabelRequest(index, text) for index, text in enumerate(work.texts)]
    stops = 0
    async with contextlib.aclosing(model):
        while True:
            try:
                notes = await annotator.annotate(requests, task=traffic.TASK, round_number=1)
                break
            except (AccountError, SpendCapError):
                stops += 1
                if stops > _MOST_STOPS:
                    raise
    statuses = collections.Counter(str(note.statuses[0]) for note in notes)
    return Outcome(
        dict(statuses), 0.0, 0.0, 0.0, len({request.text for request in requests}),
        stored=len(timed.keys), billed=timed.billed().usage.calls, stops=stops, store_seconds=timed.busy_seconds,
    )  # fmt: skip


async def gathered(work: Work, most_at_once: int | None) -> Outcome:
    """`asyncio.gather` over the plain client with its own retries, all at once or behind a semaphore."""
    turn = asyncio.Semaphore(most_at_once or work.rows)
    async with anthropic.AsyncAnthropic(api_key=_KEY, base_url=work.base_url) as client:

        async def one(text: str) -> str:
            prompt = traffic.prompt(text)
            try:
                async with turn:
                    message = await client.messages.create(**request_body(prompt, model=traffic.MODEL))
            except anthropic.AnthropicError:
                return Status.API_ERROR
            return read_reply(reply_of(message), prompt.labels).status

        statuses = await asyncio.gather(*(one(text) for text in work.texts))
    return _plain(statuses, work)


def sequential(work: Work) -> Outcome:
    """One call after the other through the plain client."""
    statuses = []
    with anthropic.Anthropic(api_key=_KEY, base_url=work.base_url) as client:
        for text in work.texts:
            prompt = traffic.prompt(text)
            try:
                message = client.messages.create(**request_body(prompt, model=traffic.MODEL))
            except anthropic.AnthropicError:
                statuses.append(Status.API_ERROR)
            else:
                statuses.append(read_reply(reply_of(message), prompt.labels).status)
    return _plain(statuses, work)


def _plain(statuses: list[str], work: Work) -> Outcome:
    counted = collections.Counter(str(status) for status in statuses)
    return Outcome(dict(counted), 0.0, 0.0, 0.0, len(set(work.texts)))


def _on_disk(work: Work) -> Outcome:
    place.STATE.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=place.STATE) as folder,
        contextlib.closing(SqliteStore(Path(folder) / "answers.sqlite")) as store,
    ):
        return asyncio.run(freeal_with(work, store))


WAYS: Mapping[str, Callable[[Work], Outcome]] = {
    "freeal": _on_disk,
    "freeal in memory": lambda work: asyncio.run(freeal_with(work, MemoryStore())),
    "gather": lambda work: asyncio.run(gathered(work, None)),
    "semaphore": lambda work: asyncio.run(gathered(work, work.concurrency)),
    "sequential": sequential,
}
"""Every client, by the name in `Work`."""


def run(work: Work) -> Outcome:
    """Do it in a process of its own. Raises `CalledProcessError`, what went wrong is printed."""
    command = [sys.executable, str(Path(__file__)), json.dumps(dataclasses.asdict(work))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return Outcome(**json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Do the work of the one argument."""
    work = Work(**json.loads(sys.argv[1]))
    before_mib, before_cpu, started = _most_memory_mib(), _cpu_seconds(), time.perf_counter()
    outcome = WAYS[work.way](work)
    outcome = dataclasses.replace(
        outcome,
        wall_seconds=time.perf_counter() - started,
        cpu_seconds=_cpu_seconds() - before_cpu,
        memory_mib=_most_memory_mib() - before_mib,
    )
    print(json.dumps(dataclasses.asdict(outcome)))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _most_memory_mib() -> float:
    # Not ru_maxrss: Linux hands the parent's down to a child.
    status = Path("/proc/self/status").read_text(encoding="ascii")
    [kib] = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(kib) / 1024.0


if __name__ == "__main__":
    main()
