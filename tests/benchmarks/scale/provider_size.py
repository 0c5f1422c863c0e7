"""What annotating by a provider holds of each row, by ordinary calls and by message batches.

Short texts, each shown ten demonstrations: the same for all rows, as in a first round, or chosen for each, as in a
later one. Each measurement is a process of its own, the server of the batches, on the loopback, another one. An
ordinary call is answered in memory: a client and its sockets hold the same for any number of rows. Called by
`make bench-scale`.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import contextlib
import itertools
import json
import random
import subprocess
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import place
import predict_size

if TYPE_CHECKING:
    from freeal.annotation.annotator import Annotator, LabelRequest
    from freeal.types import Demonstration, Task

LABELS = ("good", "bad", "none")
WAYS = ("calls", "batches")
SHOWN = ("shared", "own")
SHOTS, CANDIDATES = 10, 50
_LOOK_SECONDS = 0.02
_CALLS_AT_ONCE = 64


def provider(rows: Sequence[int]) -> list[str]:
    """The table of rounds of these sizes, with what each row more takes between two of them."""
    found = []
    for way, shown, count in itertools.product(WAYS, SHOWN, rows):
        print(f"{count:,} rows by {way}, demonstrations {shown}", file=sys.stderr)
        found.append(_in_process({"way": way, "shown": shown, "rows": count}))
    lines = [
        "A round of short texts through a provider, requests and annotations with it: processor seconds, the most MB",
        "that no file stands behind, beyond those at the start, and the kB of each row more than in the line above.",
        "",
        "| way | demonstrations | rows | s | MB beyond the start | kB for each row more |",
        "| --- | --- | ---: | ---: | ---: | ---: |",
    ]
    before: dict[str, Any] | None = None
    for one in found:
        is_next = before is not None and (before["way"], before["shown"]) == (one["way"], one["shown"])
        more = f"{(one['beyond'] - before['beyond']) / (one['rows'] - before['rows']) / 1e3:.2f}" if is_next else ""
        lines.append(
            f"| {one['way']} | {one['shown']} | {one['rows']:,} | {one['seconds']:.0f} | {one['beyond'] / 1e6:,.0f} "
            f"| {more} |"
        )
        before = one
    return lines


def _in_process(told: dict[str, Any]) -> dict[str, Any]:
    command = [sys.executable, __file__, json.dumps(told)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=place.ROOT)
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


class _Held:
    """The most memory that no file stands behind while the block lasts, in bytes, beyond that at its beginning."""

    def __enter__(self) -> Self:
        self._began = self._most = self._now()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()
        self._most = max(self._most, self._now())

    @property
    def beyond(self) -> int:
        return self._most - self._began

    def _look(self) -> None:
        while not self._is_over.wait(_LOOK_SECONDS):
            self._most = max(self._most, self._now())

    @staticmethod
    def _now() -> int:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("RssAnon"))


def _label(text: str) -> str:
    return LABELS[zlib.crc32(text.encode()) % len(LABELS)]


def _texts(rows: int) -> Iterator[str]:
    rng = random.Random(0)
    for number in range(rows):
        yield f"{' '.join(rng.choices(predict_size._WORDS, k=rng.randint(3, 12)))} {number}"


def _requests(rows: int, candidates: Sequence[Demonstration], *, own: bool) -> list[LabelRequest]:
    from freeal.annotation.annotator import LabelRequest

    rng = random.Random(1)
    return [
        LabelRequest(index, text, own=tuple(rng.sample(candidates, SHOTS)) if own else ())
        for index, text in enumerate(_texts(rows))
    ]


async def _measured(*, way: str, shown: str, rows: int, folder: Path) -> dict[str, Any]:
    from freeal.types import Demonstration, Label, Task

    task = Task("Is it good?", tuple(Label(name, f"what is {name}") for name in LABELS))
    candidates = [Demonstration(text, _label(text), "student") for text in _texts(CANDIDATES)]

    async def annotated(annotator: Annotator, count: int) -> float:
        requests = _requests(count, candidates, own=shown == "own")
        shared = () if shown == "own" else candidates[:SHOTS]
        began = time.process_time()
        notes = await annotator.annotate(requests, task=task, shared=shared, round_number=2)
        wrong = sum(note.label != _label(one.text) for note, one in zip(notes, requests, strict=True))
        assert not wrong, f"{wrong} rows have another label than they were given"
        return time.process_time() - began

    async with _annotator(way, folder / "warm", task) as annotator:  # what first calls load for good
        await annotated(annotator, 200)
    async with _annotator(way, folder / "measured", task) as annotator:
        with _Held() as held:
            seconds = await annotated(annotator, rows)
    return {"way": way, "shown": shown, "rows": rows, "seconds": seconds, "beyond": held.beyond}


@contextlib.asynccontextmanager
async def _annotator(way: str, folder: Path, task: Task) -> Any:
    from freeal.annotation.annotator import Annotator
    from freeal.llm.batches.open_batch_sender import open_batch_sender
    from freeal.llm.credentials import ApiKey
    from freeal.llm.limits.retry import Retry
    from freeal.llm.providers.anthropic import AnthropicModel
    from freeal.llm.store.answer_store import SqliteStore
    from freeal.money.budget_ledger import Ledger
    from freeal.settings import LlmSettings, Price
    from freeal.testing.scripted_model import ScriptedModel, text_of

    def unheard(event: object) -> None:
        del event

    ledger = Ledger(Price(input=1.0, output=5.0, cached_input=0.1), None)
    with contextlib.ExitStack() as closing:
        store = closing.enter_context(contextlib.closing(SqliteStore(folder / "answers.sqlite", job="size")))
        if way == "calls":
            model: Any = ScriptedModel(
                lambda prompt: json.dumps({"label": _label(text_of(prompt.specific)), "confidence": 0.9}),
                concurrency=_CALLS_AT_ONCE,
                remembers=False,
            )
        else:
            model = AnthropicModel(
                ApiKey("sk-ant-test", "a test"), retry=Retry(3), base_url=closing.enter_context(_server())
            )
        settings = LlmSettings(mode="live" if way == "calls" else "batch")
        record = folder / "batches.sqlite"
        batches = closing.enter_context(
            open_batch_sender(model, settings, record=record, job="size", store=store, ledger=ledger, emit=unheard)
        )
        yield Annotator(model, store, ledger, unheard, batches=batches)
        await model.aclose()


@contextlib.contextmanager
def _server() -> Iterator[str]:
    """The address of a server in a process of its own, which lasts as long as the block."""
    with subprocess.Popen(
        [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as served:
        assert served.stdout is not None
        assert served.stdin is not None
        yield served.stdout.readline().strip()
        served.stdin.close()


def _serve() -> None:
    from freeal.testing.server import MessagesServer

    with MessagesServer(_label) as server:
        print(server.base_url, flush=True)
        sys.stdin.read()


def main(arguments: Sequence[str]) -> int:
    """Measure what the first argument asks for; without one, serve until stdin ends."""
    import anyio

    if not arguments:
        _serve()
        return 0
    with tempfile.TemporaryDirectory() as folder:
        told = json.loads(arguments[0])
        print(json.dumps(anyio.run(lambda: _measured(**told, folder=Path(folder)))))
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
