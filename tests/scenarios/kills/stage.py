"""A folder the daemon works in, run after run, and what it looks like when all is well."""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from daemon.host.clock import Clock
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.journal import FILE_NAME, Journal
from freeal.llm.store.answer_store import SqliteStore
from freeal.testing.scripted_model import text_of
from freeal.testing.server import MessagesServer
from freeal.testing.server.scripted_replies import prompt_of

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
RUN_SECONDS = 100.0
_ID = re.compile(r"-\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?")
_TIMED = {
    "error.json",
    "ERROR.txt",
    "run.json",
    "job.json",
    "metrics.json",
    "cost.json",
    "report.html",
    "README.md",
    "audit.jsonl",
}
"""Files that hold times, ids, paths, or which answers came from the store: that they are there is compared, no more."""
_SIDE_FILES = ("-wal", "-shm")


@dataclasses.dataclass(frozen=True)
class Picture:
    """What is compared with an undisturbed run: ids of jobs are replaced by `*`."""

    files: dict[str, list[str]]
    """Path -> SHA-256, or `there` for a file that holds times; several where paths differ in an id alone. Folders end
    in `/` and are listed when empty."""
    rows: tuple[Any, ...]
    """The journal: jobs, predictions, reservations."""
    money: tuple[float, float]
    """US dollars that the answer store knows of, and that the days were charged with."""


@dataclasses.dataclass
class Stage:
    """The folders of one daemon. `module` is what `python -m` runs."""

    folder: Path
    server: MessagesServer
    module: str = "scripted_daemon"
    arguments: tuple[str, ...] = ()
    paid_before: int = 0

    def copy_to(self, folder: Path) -> Stage:
        """The same in another folder, with a server nobody has asked yet."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return dataclasses.replace(self, folder=folder, paid_before=len(self.server.requests))

    def remove(self) -> None:
        """Delete its folder and what lies beside it."""
        shutil.rmtree(self.folder)
        for name in ("log", "pids", "fuse", "points"):
            self.beside(name).unlink(missing_ok=True)

    def environment(self, faults: dict[str, Any] | None) -> dict[str, str]:
        paths = [HERE / "programs", ROOT, *([HERE / "hooks"] if faults else [])]
        variables = {
            "PYTHONPATH": os.pathsep.join(map(str, paths)),
            "ANTHROPIC_API_KEY": "sk-ant-test",
            "PYTHONWARNINGS": "default",
            "OMP_NUM_THREADS": "1",
            "HF_HUB_OFFLINE": "1",
        }
        return os.environ | variables | ({"FREEAL_FAULTS": json.dumps(faults)} if faults else {})

    def start(self, faults: dict[str, Any] | None = None) -> subprocess.Popen[str]:
        """Begin a run. A process that lives on in a pipe must not hold us up: what is said goes to a file."""
        if faults:
            faults = {"root": str(self.folder), "pids": str(self.beside("pids"))} | faults
        with self.beside("log").open("a") as log:
            return subprocess.Popen(
                [sys.executable, "-m", self.module, *self.arguments],
                cwd=self.folder,
                env=self.environment(faults),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                text=True,
                start_new_session=True,
            )

    def run(self, faults: dict[str, Any] | None = None) -> int:
        """A run to its end; its exit code."""
        process = self.start(faults)
        try:
            return process.wait(timeout=RUN_SECONDS)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise

    def beside(self, name: str) -> Path:
        """A file that is not the daemon's."""
        return self.folder.with_name(f"{self.folder.name}.{name}")

    def pids(self) -> list[int]:
        """The processes of its disturbed runs, alive or not."""
        written = self.beside("pids")
        return [int(line) for line in written.read_text().split()] if written.exists() else []

    def journal(self) -> Journal:
        return Journal(self.folder / ".state", Clock())

    def try_again(self) -> int:
        """Ask to retry what failed because its process was killed, and drop such predictions anew; how many."""
        asked = 0
        if not (self.folder / ".state" / FILE_NAME).exists():
            return asked
        with self.journal() as journal:
            for job in journal.jobs():
                if job.state == "failed" and (job.error or {}).get("kind") == "ChildError":
                    write_request(journal, job.id, "retry")
                    asked += 1
            for prediction in journal.predictions():
                if prediction.state == "failed" and (prediction.error or {}).get("kind") == "ChildError":
                    asked += 1
                    shelf = self.folder / "models" / prediction.model
                    failed = shelf / "failed" / prediction.id
                    (failed / prediction.csv_name).rename(shelf / "predict" / prediction.csv_name)
                    shutil.rmtree(failed)
                    with journal.transaction() as connection:
                        connection.execute("DELETE FROM predictions WHERE id = ?", (prediction.id,))
        return asked

    def doubled(self, *, in_flight: int) -> int:
        """Calls paid for twice beyond those that were under way at the kill."""
        asked = Counter(text_of(prompt_of(request.body)) for request in self.server.requests[self.paid_before :])
        return max(0, sum(count - 1 for count in asked.values()) - in_flight)

    def picture(self) -> Picture:
        """What there is now."""
        with self.journal() as journal:
            jobs = [(job.name, job.csv_name, str(job.state), _ID.sub("-*", job.reason)) for job in journal.jobs()]
            ended = [(one.model, one.csv_name, one.state, one.rows) for one in journal.predictions()]
            with journal.transaction() as connection:
                charged = connection.execute("SELECT COALESCE(SUM(usd), 0.0) FROM spend").fetchone()[0]
                reserved = connection.execute("SELECT COUNT(*) FROM reservations").fetchone()[0]
            ids = [job.id for job in journal.jobs()]
        return Picture(self._files(), (sorted(jobs), sorted(ended, key=str), reserved), (self._billed(ids), charged))

    def _billed(self, ids: list[str]) -> float:
        total = 0.0
        for job_id in ids:
            store = SqliteStore(self.folder / ".state" / "answers.sqlite", job=job_id)
            total += store.billed().usd
            store.close()
        return round(total, 6)

    def _files(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = {}
        for parent, folders, names in os.walk(self.folder):
            below = os.path.relpath(parent, self.folder)
            for name in names:
                path = Path(parent, name)
                if below.startswith(".state") and name.endswith(_SIDE_FILES):
                    continue
                self._enter(found, f"{below}/{name}", _content(path))
            for name in folders:
                path = Path(parent, name)
                if path.is_symlink():
                    self._enter(found, f"{below}/{name}", f"-> {_ID.sub('-*', os.fspath(path.readlink()))}")
                elif not any(path.iterdir()):
                    self._enter(found, f"{below}/{name}/", "empty")
        return {path: sorted(contents) for path, contents in found.items()}

    @staticmethod
    def _enter(found: dict[str, list[str]], path: str, content: str) -> None:
        found.setdefault(_ID.sub("-*", path), []).append(content)


def _content(path: Path) -> str:
    is_summary = path.parent.name == "predictions" and path.suffix == ".json"
    if is_summary or path.name in _TIMED or ".state" in path.parts:
        return "there"
    content = path.read_bytes()
    if path.suffix == ".json":  # the model's own card names its job
        content = _ID.sub("-*", content.decode()).encode()
    return hashlib.sha256(content).hexdigest()[:16]
