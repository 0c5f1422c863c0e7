"""`make bench-soak`: a service under everything at once, for minutes; then nothing is lost and no cent is missing.

Drops, corrections, cancels, retries, SIGHUPs, kills of one process and of all, full disks, folders that are away for a
while, descriptors at their limit, as a seed draws them; `models/` on another file system than the rest, where there is
one. The children are scripted (no torch), their files, stores and calls are real; the language model is the test
server. ARGS="--minutes 20 --seed 1 --write docs/benchmarks.md".
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import contextlib
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scenarios" / "kills"))  # shared with the tests

import provenance
import scenes
import sections

from daemon.errors import DaemonError, UnknownJobError
from daemon.jobs.cancel_and_retry import write_request
from daemon.journal.journal import FILE_NAME
from freeal.llm.store import store_maintenance
from freeal.testing.server import MessagesServer

USD_PER_CALL = 0.01
"""What the scripted job books for a call."""
START_SECONDS = 60.0
END_SECONDS = 900.0
"""How long the rest may take that is worked off at the end."""
TROUBLE_SECONDS = 1.5
"""How long a disk is full, a folder away, a limit low."""
OTHER_DISKS = (Path("/dev/shm"), Path("/tmp"), Path("/var/tmp"))  # noqa: S108 - one of them is another than ours


class Soak:
    """One service, what is done to it, and what it made of it."""

    def __init__(self, folder: Path, server: MessagesServer, seed: int, *, other_disk: Path | None) -> None:
        """`other_disk` is an empty folder on another file system, for `models/`."""
        self.stage = scenes.first(folder, server, kept=2)
        self.other_disk = other_disk
        if other_disk is not None:
            shutil.copytree(folder / "models", other_disk, dirs_exist_ok=True)
            shutil.rmtree(folder / "models")
            (folder / "models").symlink_to(other_disk)
        self.stage.arguments = ("--serve",)
        self.chance = random.Random(seed)
        self.full = self.stage.beside("full")
        self.dropped: list[str] = []
        self.done: Counter[str] = Counter()
        self.samples: list[tuple[int, int]] = []
        self.process = self._start()

    def _start(self) -> subprocess.Popen[str]:
        """Begin, and wait for its first sign of life: what is done to it is done to a service, not to an interpreter
        that still imports."""
        process = self.stage.start({"act": "ENOSPC", "lasting": str(self.full)})
        until = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < until and self._pid_of_last_sign() != process.pid:
            time.sleep(0.1)
        return process

    def _pid_of_last_sign(self) -> int | None:
        if not (self.stage.folder / ".state" / FILE_NAME).exists():
            return None
        try:
            with self.stage.journal() as journal:
                beat = journal.heartbeat()
        except DaemonError:
            return None
        return beat[0] if beat else None

    def act(self) -> None:
        """One thing, as it is drawn."""
        names = ["drop_pair", "drop_csv", "drop_csv", "correct", "cancel", "retry", "hang_up"]
        names += ["kill_one", "kill_all", "fill_disk", "move_away", "starve"]
        name = self.chance.choices(names, weights=[6, 4, 4, 2, 3, 2, 1, 1, 1, 1, 1, 1])[0]
        if self.process.poll() is not None:
            self.done["ended by itself"] += 1
            self.process = self._start()
        getattr(self, name)()
        self.done[name] += 1

    def _name(self) -> str:
        self.dropped.append(f"s{len(self.dropped)}")
        return self.dropped[-1]

    def drop_pair(self) -> None:
        name = self._name()
        text = scenes.rows(3, start=1000 * len(self.dropped))
        self._put(self.stage.folder / "inbox", f"{name}.csv", text)
        self._put(self.stage.folder / "inbox", f"{name}.yaml", scenes.SPEC + f"name: m{len(self.dropped) % 4}\n")

    def drop_csv(self) -> None:
        self._put(self._lane("predict"), f"{self._name()}.csv", scenes.rows(2, start=len(self.dropped)))

    def correct(self) -> None:
        text = f"text,freeal_corrected\na bad thing number {len(self.dropped)},negative\n"
        self._put(self._lane("corrections"), f"{self._name()}.csv", text)

    def _lane(self, name: str) -> Path:
        folder = self.stage.folder / "models" / "reviews" / name
        folder.mkdir(parents=True, exist_ok=True)
        return folder

    @staticmethod
    def _put(folder: Path, name: str, text: str) -> None:
        (folder / f"{name}.part").write_text(text)
        (folder / f"{name}.part").rename(folder / name)

    def cancel(self) -> None:
        self._ask("cancel", {"claimed", "annotating", "training", "paused"})

    def retry(self) -> None:
        self._ask("retry", {"failed", "cancelled"})

    def _ask(self, request: str, states: set[str]) -> None:
        try:
            with self.stage.journal() as journal:
                found = [job.id for job in journal.jobs() if job.state in states]
                if found:
                    write_request(journal, self.chance.choice(found), request)
        except (UnknownJobError, DaemonError):
            self.done["asked too late"] += 1

    def hang_up(self) -> None:
        self.process.send_signal(signal.SIGHUP)

    def kill_one(self) -> None:
        children = _children(self.process.pid)
        if children:
            _kill(self.chance.choice(children))

    def kill_all(self) -> None:
        for pid in (self.process.pid, *_children(self.process.pid)):
            _kill(pid)
        self.process.wait()
        self.process = self._start()

    def fill_disk(self) -> None:
        self.full.touch()
        time.sleep(TROUBLE_SECONDS)
        self.make_room()

    def make_room(self) -> None:
        """A write that fails just now says once more that the disk is full."""
        while self.full.exists():
            self.full.unlink(missing_ok=True)
            time.sleep(0.2)

    def move_away(self) -> None:
        folder = self.stage.folder / self.chance.choice(["inbox", "models"])
        away = folder.with_name(f"{folder.name}.away")
        folder.rename(away)
        time.sleep(TROUBLE_SECONDS)
        for made in _put_back(away, folder):  # made anew meanwhile, for what was on its way there
            for path in [path for path in made.rglob("*") if path.is_file()]:
                target = folder / path.relative_to(made)
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.move(path, target)
            shutil.rmtree(made)

    def starve(self) -> None:
        used = len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))
        _, hard = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE)
        before = resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, (used, hard))
        time.sleep(TROUBLE_SECONDS)
        if self.process.poll() is None:
            resource.prlimit(self.process.pid, resource.RLIMIT_NOFILE, before)

    def sample(self) -> None:
        """Memory in kB and descriptors of the service as it runs now."""
        try:
            status = Path(f"/proc/{self.process.pid}/status").read_text()
            memory = next(int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS"))
            self.samples.append((memory, len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))))
        except (OSError, StopIteration):
            return

    def end(self) -> None:
        """Stop it, and have what is left worked off undisturbed."""
        self.make_room()
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(timeout=90)
            self.stage.arguments = ()
            for _ in range(2):
                self.process = self.stage.start()
                self.process.wait(timeout=END_SECONDS)
        except subprocess.TimeoutExpired:
            self.done["did not end"] += 1
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def lost(self) -> list[str]:
        """Dropped files that are not in exactly one place."""
        found = Counter(
            path.stem
            for part in ("inbox", "models", ".state/work")
            for path in (self.stage.folder / part).rglob("s*.csv")
            if not {"predictions", "annotated", "versions"} & set(path.parts)
        )
        return [f"{name}: {found[name]} places" for name in self.dropped if found[name] != 1]


@contextlib.contextmanager
def _on_another_disk(folder: Path) -> Iterator[Path | None]:
    ours = folder.stat().st_dev
    found = [one for one in OTHER_DISKS if os.access(one, os.W_OK | os.X_OK) and one.stat().st_dev != ours]
    if not found:
        yield None
        return
    with tempfile.TemporaryDirectory(prefix="freeal-soak-", dir=found[0]) as other:
        yield Path(other)


def _put_back(away: Path, folder: Path) -> list[Path]:
    """Give a folder its name again; those that the service made under it meanwhile, renamed: it goes on writing."""
    made: list[Path] = []
    while True:
        try:
            away.rename(folder)
            return made
        except OSError:
            made.append(folder.with_name(f"{folder.name}.made-{len(made)}"))
            folder.rename(made[-1])


def _children(pid: int) -> list[int]:
    try:
        return [int(one) for one in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except OSError:
        return []


def _kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def main(arguments: Sequence[str] | None = None) -> int:
    """Soak, then print what came of it. 1 when a file is lost, money is missing or the service ended by itself."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=20.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, help="a file whose section `soak` is replaced")
    given = parser.parse_args(arguments)
    with (
        tempfile.TemporaryDirectory(prefix="freeal-soak-") as folder,
        _on_another_disk(Path(folder)) as other_disk,
        MessagesServer(answer=scenes.verdict) as server,
    ):
        soak = Soak(Path(folder) / "service", server, given.seed, other_disk=other_disk)
        until = time.monotonic() + given.minutes * 60.0
        while time.monotonic() < until:
            soak.act()
            time.sleep(soak.chance.uniform(0.1, 0.8))
            soak.sample()
        soak.end()
        table, is_clean = _table(soak)
        log, lost = soak.stage.beside("log").read_text(), [f"{one.partition(':')[0]}." for one in soak.lost()]
    if not is_clean:
        print(log[-20_000:])
        print(*(line for line in log.splitlines() if any(name in line for name in lost)), sep="\n")
    text = "\n\n".join([provenance.command("bench-soak", given, parser), provenance.source(("anyio",)), table])
    if given.write is None:
        print(text)
    else:
        sections.replace(given.write, "soak", text)
    return 0 if is_clean else 1


def _table(soak: Soak) -> tuple[str, bool]:
    picture = soak.stage.picture()
    billed_usd = len(soak.stage.server.requests) * USD_PER_CALL
    stored_usd, booked_usd = picture.money
    unconfirmed_usd = _unconfirmed_usd(soak)
    holds = stored_usd - 1e-6 <= billed_usd <= stored_usd + unconfirmed_usd + 1e-6
    lost, ended = soak.lost(), soak.done["ended by itself"]
    quarter = max(1, len(soak.samples) // 4)
    early, late = soak.samples[quarter : 2 * quarter], soak.samples[-quarter:]
    rows = {
        "file systems": "two, models/ on a file system of its own" if soak.other_disk else "one",
        "done to it": ", ".join(f"{name} {count}" for name, count in sorted(soak.done.items())),
        "files dropped / not in exactly one place": f"{len(soak.dropped)} / {'; '.join([str(len(lost)), *lost[:5]])}",
        "the service ended by itself / did not end when told to": f"{ended} / {soak.done['did not end']}",
        "server's bill / answer store / booked": f"{billed_usd:.2f} / {stored_usd:.2f} / {booked_usd:.2f} USD",
        "unconfirmed: calls that a kill cut off, at most": f"{unconfirmed_usd:.2f} USD",
        "memory, second and last quarter": f"{_most(early, 0) / 1e3:.0f} / {_most(late, 0) / 1e3:.0f} MB",
        "descriptors, second and last quarter": f"{_most(early, 1)} / {_most(late, 1)}",
    }
    table = "\n".join(["| | |", "| --- | --- |", *(f"| {name} | {value} |" for name, value in rows.items())])
    ended = ended + soak.done["did not end"]
    return table, not lost and not ended and holds and abs(booked_usd - stored_usd) < 1e-6


def _unconfirmed_usd(soak: Soak) -> float:
    bills = store_maintenance.bills_in_store(soak.stage.folder / ".state" / "answers.sqlite")
    return sum(bill.unconfirmed_usd for bill in bills.values())


def _most(samples: Sequence[tuple[int, int]], column: int) -> int:
    return max((sample[column] for sample in samples), default=0)


if __name__ == "__main__":
    sys.exit(main())
