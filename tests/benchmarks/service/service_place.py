"""Folders for measuring the service in: many models, much that is done, and one model that can predict."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from daemon.host.clock import Clock
from daemon.journal.job_record import Job, State
from daemon.journal.journal import Journal

MODEL = "worker"
TEXTS = [f"a {word} thing number {number}" for number in range(40) for word in ("good", "bad")]
_READY_SECONDS = 60.0
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


@dataclasses.dataclass(frozen=True)
class Place:
    """The folder of one service."""

    folder: Path

    @property
    def inbox(self) -> Path:
        """Where pairs are dropped."""
        return self.folder / "inbox"

    @property
    def predict(self) -> Path:
        """Where the working model takes CSVs."""
        return self.folder / "models" / MODEL / "predict"

    @property
    def predictions(self) -> Path:
        """Where it puts them."""
        return self.folder / "models" / MODEL / "predictions"

    @property
    def model(self) -> Path:
        """The working model itself."""
        return self.folder / "models" / MODEL / "model"

    def settings(self, text: str) -> None:
        """Write freeal.yaml; `text` is its `watch` section in braces."""
        content = f"watch: {text}\nllm: {{provider: local}}\njobs: {{min_free_disk_mb: 0}}\n"
        (self.folder / "freeal.yaml").write_text(content, encoding="utf-8")

    def drop(self, target: Path, text: str) -> None:
        """A file that appears whole, by rename."""
        hidden = self.folder / "dropped.tmp"
        hidden.write_text(text, encoding="utf-8")
        hidden.replace(target)


def fill(place: Place, *, models: int, done: int) -> None:
    """`models` finished models that are never asked, `done` files in done folders, their jobs in the journal."""
    for number in range(models):
        _publish(place.folder / "models" / f"model{number}")
    state = place.folder / ".state"
    state.mkdir(parents=True, exist_ok=True)
    now = time.time()
    with Journal(state, Clock()) as journal:
        for number in range(done // 2):
            name = f"model{number % max(1, models)}"
            job = Job(
                id=f"{name}-20260101-000000-{number:06x}",
                name=name,
                key=f"{number}",
                csv_name="rows.csv",
                spec_name="rows.yaml",
                csv_sha256="",
                spec="{}",
                origin="[]",
                state=State.DONE,
                created_at=now,
                updated_at=now,
            )
            journal.add(job)
            folder = place.inbox / "done" / job.id
            folder.mkdir(parents=True)
            for file in (job.csv_name, job.spec_name):
                (folder / file).write_bytes(b"text\nx\n")


def _publish(folder: Path) -> Path:
    version = folder / "versions" / "one" / "model"
    version.mkdir(parents=True)
    (folder / "predict").mkdir()
    (folder / "model").symlink_to("versions/one/model")
    return version


def train(place: Place) -> None:
    """The working model: the packaged encoder with a linear head, trained on a handful of texts."""
    from freeal.settings import StudentSettings
    from freeal.student.frozen_trainer import FrozenTrainer
    from freeal.student.labelled_texts import LabelledTexts
    from freeal.student.model_folder import student_metadata

    settings = StudentSettings(model="minilm", mode="frozen", device="cpu")
    labelled = LabelledTexts(TEXTS, [number % 2 for number in range(len(TEXTS))])
    done = FrozenTrainer(settings).fit(labelled, labels=("good", "bad"), seed=0, on_step=lambda done, total: None)
    version = _publish(place.folder / "models" / MODEL)
    done.student.save(version)
    student_metadata.add_extra(version, {"name": MODEL, "job": "one", "text_columns": ["text"]})


@dataclasses.dataclass
class Service:
    """A running service and what it costs; what it had cost when it was ready."""

    process: subprocess.Popen[bytes]
    ready_seconds: float
    ready_cpu_seconds: float = 0.0

    def __post_init__(self) -> None:
        self.ready_cpu_seconds = self.cpu_seconds()

    def cpu_seconds(self) -> float:
        """Of its own process, user and system, since it began."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / _TICKS

    def memory_bytes(self) -> int:
        """Of its own process, resident."""
        return int(Path(f"/proc/{self.process.pid}/statm").read_text(encoding="ascii").split()[1]) * _PAGE


@contextlib.contextmanager
def running(place: Place) -> Iterator[Service]:
    """The service in `place`, from the moment it says READY to systemd's socket; stopped at the end."""
    address = place.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(os.fspath(address))
        channel.settimeout(0.2)
        environment = os.environ | {"NOTIFY_SOCKET": os.fspath(address)}
        began = time.monotonic()
        with (place.folder / "service.log").open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "daemon"], cwd=place.folder, env=environment, stdout=log, stderr=log
            )
        try:
            _wait_for_ready(channel, process, place.folder / "service.log")
            ready = time.monotonic() - began
            channel.close()  # nobody listens any more: the service says so once per message, to its log
            address.unlink()
            yield Service(process, ready)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(timeout=60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            address.unlink(missing_ok=True)


def _wait_for_ready(channel: socket.socket, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _READY_SECONDS
    while True:
        try:
            if b"READY=1" in channel.recv(65_536):
                return
        except TimeoutError:
            if process.poll() is not None or time.monotonic() > end:
                raise RuntimeError(f"the service did not start:\n{log.read_text(encoding='utf-8')[-2000:]}") from None


def empty(place: Place) -> None:
    """Away with it."""
    shutil.rmtree(place.folder, ignore_errors=True)
