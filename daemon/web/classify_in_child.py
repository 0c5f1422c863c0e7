"""Ask a model about single rows, in a process of its own: a sentence to try, and what programs send.

It stays warm for a while, so that only the first sentence waits for torch, and a long file in the predict lane does not
hold it up.
"""

from __future__ import annotations

import collections
import dataclasses
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import anyio
import structlog

from daemon.errors import ChildError
from daemon.host.fault_guard import Guard
from daemon.outbox.model_shelf import Shelf
from daemon.processes.message_protocol import Answer, Failure, Result
from daemon.processes.process_supervisor import Child, child, converse
from freeal.errors import CorruptModelError, FreealError, Where
from freeal.events import Event
from freeal.settings import PredictSettings
from freeal.student.model_folder import student_metadata

_log = structlog.get_logger(__name__)

MODULE = "daemon.processes.entry_points.classify_sentence"
IDLE_SECONDS = 120.0
TIMEOUT_SECONDS = 300.0
MOST_WAITING = 5
MOST_CHARACTERS = 20_000


class TrialBusyError(Exception):
    """Too many sentences wait already."""


@dataclasses.dataclass(frozen=True, slots=True)
class Opinion:
    """What a model says of one text: the probability of each label, the likeliest first; `label` is None where it gives
    none, for the reason in `status`. `node` is, of labels that are a tree, the deepest node that is probable enough and
    its probability (freeal/prediction/predict_rows.py)."""

    probabilities: tuple[tuple[str, float], ...]
    label: str | None
    status: str
    node: tuple[str, float] | None = None


@dataclasses.dataclass(slots=True)
class _Question:
    request: str
    answered: anyio.Event
    answer: Answer | None = None


class Trial:
    """Asks models about single texts. `run` must be under way for questions to be answered."""

    def __init__(self, *, module: str = MODULE, idle_seconds: float = IDLE_SECONDS) -> None:
        self._module, self._idle_seconds = module, idle_seconds
        self._queue: collections.deque[_Question] = collections.deque()
        self._more = anyio.Event()

    @property
    def waiting(self) -> int:
        """Sentences no process has taken yet."""
        return len(self._queue)

    def text_columns(self, shelf: Shelf) -> tuple[str, ...]:
        """The text columns a model reads. Raises `CorruptModelError`."""
        found = student_metadata.read_card(shelf.model).extra.get("text_columns")
        if not found:
            raise CorruptModelError("the model does not say which columns it reads", where=Where(file=shelf.model))
        return tuple(str(name) for name in found)

    async def classify_row(self, shelf: Shelf, values: dict[str, str], settings: PredictSettings) -> Opinion:
        """The model's opinion of one row (column -> value). Raises `FreealError`, `TrialBusyError`."""
        [found] = await self.classify_rows(shelf.model, [values], settings)
        probabilities: dict[str, float] = found["probabilities"]
        ranked = tuple(sorted(probabilities.items(), key=lambda pair: -pair[1]))
        node = (found["node"], found["node_confidence"]) if found.get("node") is not None else None
        return Opinion(ranked, label=found["label"], status=found["status"], node=node)

    async def classify_rows(
        self, model: Path, rows: Sequence[Mapping[str, str]], settings: PredictSettings
    ) -> list[dict[str, Any]]:
        """What the model in a folder says of rows (column -> value), each as a `PredictedRow`'s fields. Raises
        `FreealError`, `TrialBusyError`."""
        if self.waiting >= MOST_WAITING:
            raise TrialBusyError
        request = {"model": str(model), "rows": list(rows), "settings": settings.model_dump(mode="json")}
        question = _Question(json.dumps(request), anyio.Event())
        self._queue.append(question)
        self._more.set()
        await question.answered.wait()
        if not isinstance(question.answer, Result):
            raise _error_of(question.answer)
        found: list[dict[str, Any]] = question.answer.content["rows"]
        return found

    async def run(self) -> None:
        """Serve for ever. The process starts with the first sentence and ends when idle."""
        while True:
            question = await self._next()
            with Guard("trying a sentence") as guard:
                await self._serve_questions(question)
            if guard.fault is not None:  # no process can be had just now, most likely
                question.answer = Failure.of_fault(guard.fault)
                question.answered.set()

    async def _next(self) -> _Question:
        while not self._queue:
            self._more = anyio.Event()
            await self._more.wait()
        return self._queue.popleft()

    async def _serve_questions(self, first: _Question) -> None:
        """This question and those that follow it soon enough, in one process."""
        question: _Question | None = first
        async with child(self._module) as process:
            while question is not None and await self._serve_question(process, question):
                question = None
                with anyio.move_on_after(self._idle_seconds):
                    question = await self._next()

    async def _serve_question(self, process: Child, question: _Question) -> bool:
        try:
            question.answer = await converse(
                process,
                question.request,
                on_event=_ignore,
                stop=anyio.Event(),
                silence_seconds=TIMEOUT_SECONDS,
                grace_seconds=0.0,
            )
            if question.answer is None:
                code = await process.finish_process()
                question.answer = Failure.of(process.how_it_died(code))
                _log.error("the process that tries sentences died", problem=question.answer.problem)
                return False
            return not (isinstance(question.answer, Failure) and question.answer.kind == ChildError.__name__)
        finally:
            question.answered.set()


def _error_of(answer: Answer | None) -> FreealError:
    return answer.as_error() if isinstance(answer, Failure) else ChildError("stopped before it answered")


def _ignore(event: Event) -> None:
    """One row has no progress to show."""
