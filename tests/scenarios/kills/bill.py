"""The server's bill beside what we say: after kill -9 of one process or of all, `usd` is never above it, and `usd` and
`unconfirmed_usd` together never below."""

from __future__ import annotations

import dataclasses
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from matrix import _is_ours
from scenes import SPEC, rows
from stage import Stage

from freeal.llm.store import store_maintenance
from freeal.money.prices import KNOWN_PRICES
from freeal.testing.server import MessagesServer

PRICE = KNOWN_PRICES["claude-haiku-5-5"]
ROWS = 60
ROUNDING_USD = 1e-9
_KILLS_IN_A_ROW = 5
_LONGEST_SECONDS = 2.0
_SETTINGS = """\
watch: {{mode: "off", stability_seconds: 0.0, rescan_seconds: 0.2}}
llm: {{provider: anthropic, base_url: "{url}", mode: {mode}, concurrency: 8, daily_budget_usd: 5.0}}
jobs: {{min_free_disk_mb: 0}}
log: {{format: json}}
"""


@dataclasses.dataclass(frozen=True, slots=True)
class Account:
    """What there is after a kill, or at the end: the server's bill and our two figures, in US dollars."""

    when: str
    billed_usd: float
    usd: float
    unconfirmed_usd: float

    @property
    def holds(self) -> bool:
        """Whether nothing is booked that was not billed, and nothing was billed that is in neither figure."""
        most = self.usd + self.unconfirmed_usd
        return self.usd <= self.billed_usd + ROUNDING_USD and self.billed_usd <= most + ROUNDING_USD


def asking(folder: Path, server: MessagesServer, *, mode: str, start: int) -> Stage:
    """A job of texts nobody has asked about, from number `start` on."""
    (folder / "inbox").mkdir(parents=True)
    (folder / "freeal.yaml").write_text(_SETTINGS.format(url=server.base_url, mode=mode))
    (folder / "inbox" / "reviews.csv").write_text(rows(ROWS, start=start))
    (folder / "inbox" / "reviews.yaml").write_text(SPEC)
    return Stage(folder, server, arguments=("asking_train",))


def of_jobs(folder: Path, server: MessagesServer, chance: random.Random, *, kills: int) -> Iterator[Account]:
    """An account of the answer store after each kill of a job's process, and after the run that ends each job.

    Half of the jobs are asked live, half in a batch; each is killed up to five times in a row.
    """
    done, number = 0, 0
    folder.mkdir(parents=True, exist_ok=True)
    with _Forks(folder) as forks:
        while done < kills:
            mode = "live" if number % 2 == 0 else "batch"
            billed_before = server.billed_usd(PRICE)
            answers = folder / str(number) / "answers.sqlite"
            job = _job(answers, server, mode=mode)
            texts = [f"a {'good' if text % 2 else 'bad'} thing, job {number}, text {text}" for text in range(ROWS)]
            for _ in range(min(_KILLS_IN_A_ROW, kills - done)):
                if not forks.killed(job, texts, server, seconds=chance.uniform(0.0, _LONGEST_SECONDS)):
                    break
                done += 1
                yield _of_store(f"a job asked {mode}, killed", answers, server.billed_usd(PRICE) - billed_before)
            forks.killed(job, texts, server, seconds=None)
            yield _of_store(f"a job asked {mode}, done", answers, server.billed_usd(PRICE) - billed_before)
            number += 1


def _job(answers: Path, server: MessagesServer, *, mode: str) -> dict[str, Any]:
    llm = {"provider": "anthropic", "base_url": server.base_url, "mode": mode, "concurrency": 8, "budget_usd": 1.0}
    spec = {"name": "reviews", "description": "Is the customer satisfied?", "labels": ["positive", "negative"]}
    folder = str(answers.parent)
    return {
        "job_id": "job",
        "llm": llm,
        "spec": spec,
        "answers": str(answers),
        "cache": folder,
        "key_folder": folder,
    }


class _Forks:
    """The process of programs/asking_forks.py."""

    def __init__(self, folder: Path) -> None:
        environment = Stage(folder, None).environment(None)  # type: ignore[arg-type]
        self._log = (folder / "log").open("w")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "asking_forks"],
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.communicate()
        self._log.close()

    def killed(self, job: dict[str, Any], texts: list[str], server: MessagesServer, *, seconds: float | None) -> bool:
        """Run a job; whether it was still going on `seconds` after its first call and was killed then. None: not."""
        asked_before = len(server.requests) + len(server.batches.calls)
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps({"job": job, "texts": texts}) + "\n")
        self._process.stdin.flush()
        pid = int(self._process.stdout.readline())
        if seconds is not None:
            while len(server.requests) + len(server.batches.calls) == asked_before and _is_alive(pid):
                time.sleep(0.005)
            time.sleep(seconds)
            _kill(pid)
        status = int(self._process.stdout.readline())
        while server.under_way:
            time.sleep(0.005)
        return os.WIFSIGNALED(status)


def _is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:  # buried between two looks
        return False
    return state not in {"Z", "X"}


def of_service(folder: Path, server: MessagesServer, chance: random.Random, *, kills: int) -> Iterator[Account]:
    """The same with the whole service: of its processes one is killed or all, and the last account of each job is the
    journal's."""
    done, number = 0, 0
    while done < kills:
        mode = "live" if number % 2 == 0 else "batch"
        billed_before = server.billed_usd(PRICE)
        stage = asking(folder / str(number), server, mode=mode, start=1000 * number)
        for _ in range(min(_KILLS_IN_A_ROW, kills - done)):
            whole = chance.random() < 0.5
            if not _killed(stage, chance, whole=whole):
                break
            done += 1
            name = f"the service, {'every process' if whole else 'one process'} killed"
            yield _of_store(name, stage.folder / ".state" / "answers.sqlite", server.billed_usd(PRICE) - billed_before)
        stage.run()
        if stage.try_again():
            stage.run()
        yield _of_journal("the service, done", stage, server.billed_usd(PRICE) - billed_before)
        stage.remove()
        number += 1


def _killed(stage: Stage, chance: random.Random, *, whole: bool) -> bool:
    """Whether a run was still going on when it was killed, some time after its first call: then it asks for more."""
    asked_before = len(stage.server.requests)
    process = stage.start({"act": "kill"})
    while len(stage.server.requests) == asked_before and process.poll() is None:
        time.sleep(0.01)
    try:
        process.wait(timeout=chance.uniform(0.0, _LONGEST_SECONDS))
    except subprocess.TimeoutExpired:
        alive = [pid for pid in stage.pids() if _is_ours(pid, stage.folder)]
        for pid in {process.pid, *alive} if whole else {chance.choice(alive)}:
            _kill(pid)
        process.wait()
        _wait_until_quiet(stage)
        return True
    return False


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def _wait_until_quiet(stage: Stage) -> None:
    """Children of a killed daemon end by themselves, and what a server has begun to answer it bills."""
    for pid in stage.pids():
        while _is_ours(pid, stage.folder):
            time.sleep(0.01)
    while stage.server.under_way:
        time.sleep(0.01)


def _of_store(when: str, answers: Path, billed_usd: float) -> Account:
    bills = store_maintenance.bills_in_store(answers).values()
    return Account(when, billed_usd, sum(one.usd for one in bills), sum(one.unconfirmed_usd for one in bills))


def _of_journal(when: str, stage: Stage, billed_usd: float) -> Account:
    with stage.journal() as journal, journal.transaction() as connection:
        query = "SELECT COALESCE(SUM(usd), 0.0), COALESCE(SUM(unconfirmed_usd), 0.0) FROM spend"
        usd, unconfirmed_usd = connection.execute(query).fetchone()
    return Account(when, billed_usd, usd, unconfirmed_usd)
