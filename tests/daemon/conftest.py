"""Parts of the daemon on a folder of their own, with a clock that stands still until told."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import tempfile
from pathlib import Path

import anyio
import pytest

from daemon import app, config
from daemon.config import Loaded, Settings, WatchSettings
from daemon.host.clock import Clock
from daemon.inbox.claim_pair import Intake
from daemon.inbox.file_sightings import look_around, observe
from daemon.jobs.finish_job import Endings
from daemon.journal.journal import Journal
from daemon.terminal.progress_log import LogView

NOON = 1_763_812_800.0
"""2025-11-22T12:00:00Z."""


@dataclasses.dataclass
class Hands:
    """A clock moved by hand."""

    wall_seconds: float = NOON
    steady_seconds: float = 0.0

    def pass_by(self, seconds):
        self.wall_seconds += seconds
        self.steady_seconds += seconds

    @property
    def clock(self):
        return Clock(lambda: self.wall_seconds, lambda: self.steady_seconds)


@pytest.fixture
def hands():
    """A clock at noon."""
    return Hands()


@pytest.fixture
def settings(tmp_path):
    """Default settings on folders under tmp_path, made."""
    made = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path / "state")
    app.prepare_folders(made)
    return made


@pytest.fixture
def journal(settings, hands):
    """An empty journal."""
    with Journal(settings.state, hands.clock) as opened:
        yield opened


@pytest.fixture
def intake(settings, journal, hands):
    """An intake on the test's folders."""
    return Intake(settings, journal, hands.clock)


@pytest.fixture
def endings(settings, journal, hands):
    """How jobs end, on the test's folders."""
    return Endings(settings, journal, hands.clock)


@pytest.fixture
def elsewhere(tmp_path):
    """A folder on another file system than the temporary one, where this machine has one."""
    places = [Path("/dev/shm"), Path(tempfile.gettempdir()), Path.cwd()]  # noqa: S108
    others = [place for place in places if os.access(place, os.W_OK) and place.stat().st_dev != tmp_path.stat().st_dev]
    if not others:
        pytest.skip("needs a second file system")
    with tempfile.TemporaryDirectory(prefix="freeal-test-", dir=others[0]) as folder:
        yield Path(folder)


@pytest.fixture
def drop(settings):
    """Write files into the inbox; gives the observations a scan would make of them."""

    def write(**files):
        for name, content in files.items():
            stem, suffix = name.rsplit("_", 1)
            (settings.inbox / f"{stem}.{suffix}").write_text(content)
        return observe({}, look_around(settings.inbox), now=0.0)

    return write


_CSV = "text\nfine\nawful\n"
_SPEC = "description: What the reviewer felt.\nlabels: [good, bad]\n"

TRAIN = """
import json, os, pathlib, signal, sys, time
job = json.loads(sys.stdin.readline())
def say(type_, **fields):
    print(json.dumps({"type": type_, **fields}), flush=True)
rounds = pathlib.Path(job["work"]); rounds.mkdir(exist_ok=True)
runs = rounds / "runs"; runs.write_text(runs.read_text() + "x" if runs.exists() else "x")
say("progress", stage="annotating", round=1, done=1, total=2, unit="rows")
say("spend", usd=0.25, calls=1, input_tokens=1, cached_tokens=0, output_tokens=1)
how = open(job["csv"]).read().splitlines()[-1]
if how == "crash" or (how == "crash once" and runs.read_text() == "x"):
    os.kill(os.getpid(), signal.SIGKILL)
if how == "hang":
    def stop(*_):
        say("stopped"); os._exit(0)
    signal.signal(signal.SIGTERM, stop)
    say("notice", message="hanging")
    time.sleep(600)
if how == "deaf":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    time.sleep(600)
if how == "turns":
    for number in (1, 2, 3):
        say("turn", number=number, wanted=True)
        while (told := json.loads(sys.stdin.readline())) != {"type": "grant", "number": number}:
            pass
        began = time.monotonic()
        time.sleep(0.05)
        with (rounds.parents[2] / "turns").open("a") as stream:
            stream.write(f"{began} {time.monotonic()}\\n")
        say("turn", number=number, wanted=False)
if how == "cap":
    say("failure", kind="SpendCapError", problem="the account's cap", where={}, hint=None)
    raise SystemExit
if how == "sheet":
    out = pathlib.Path(job["output"]); out.mkdir()
    labels = {"rows": 9, "looked_at": 5, "accuracy": 0.9, "interval": [0.8, 0.95]}
    found = {"labels": labels, "student": labels, "more_rows": {"points": 3.0, "rows": 29}}
    (out / "certificate.json").write_text(json.dumps(found))
    say("result", content={"budget_reached": False, "certified": found})
    raise SystemExit
say("progress", stage="training", round=1, done=1, total=1, unit="batches")
say("round_finished", round=1, metrics={})
out = pathlib.Path(job["output"]); (out / "model").mkdir(parents=True)
(out / "model" / "config.json").write_text("{}")
(out / "annotated.csv").write_text(open(job["csv"]).read())
(out / "metrics.json").write_text(json.dumps(job["llm"]))
(out / "request.json").write_text(json.dumps(job))
if "version" in job:
    (out / "run.json").write_text(pathlib.Path(job["version"], "run.json").read_text())
else:
    (out / "run.json").write_text(json.dumps({"spec": job["spec"], "input": {"file": os.path.basename(job["csv"])}}))
say("result", content={"budget_reached": how == "partial", "metrics": {}})
"""

PREDICT = """
import json, os, pathlib, signal, sys
for line in sys.stdin:
    job = json.loads(line)
    source = pathlib.Path(job["input_csv"])
    text = source.read_text()
    with source.parents[4].joinpath("turns.txt").open("a") as turns:
        turns.write(source.name + " " + str(job["settings"]["batch_size"]) + " " + job["model"] + chr(10))
    if "crash" in text and ("once" not in text or job["settings"]["batch_size"] == 64):
        os.kill(os.getpid(), signal.SIGKILL)
    slices = pathlib.Path(job["output_csv"]).with_suffix(".slices")
    if "hang" in text and not slices.exists():
        slices.write_text("x")
        def stop(*_):
            print(json.dumps({"type": "stopped"}), flush=True)
            os._exit(0)
        signal.signal(signal.SIGTERM, stop)
        print(json.dumps({"type": "notice", "message": "hanging"}), flush=True)
        signal.pause()
    if "slow" in text:
        done = len(slices.read_text()) + 1 if slices.exists() else 1
        slices.write_text("x" * done)
        event = {"type": "progress", "stage": "deciding", "round": 0, "done": done, "total": 3, "unit": "rows"}
        print(json.dumps(event), flush=True)
        if done < 3:
            print(json.dumps({"type": "stopped"}), flush=True)
            continue
    if "bad" in text:
        message = {"type": "failure", "kind": "InputError", "problem": "no column", "where": {"file": job["input_csv"]}}
    else:
        open(job["output_csv"], "w").write(text + "labelled\\n")
        message = {"type": "result", "content": {"rows": 1, "pid": os.getpid()}}
    print(json.dumps(message), flush=True)
"""


class World:
    """A service's folders, and what is done to them."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.settings = config.Settings(
            inbox=root / "inbox",
            models=root / "models",
            state=root / "state",
            watch=WatchSettings(mode="off", stability_seconds=0.0, rescan_seconds=0.2),
        )
        app.prepare_folders(self.settings)
        self.reload = None
        self.notifier = None
        self.service = None
        """The one that ran last."""

    def drop(self, stem="a", *, csv=_CSV, spec=_SPEC):
        (self.settings.inbox / f"{stem}.csv").write_text(csv)
        (self.settings.inbox / f"{stem}.yaml").write_text(spec)

    def drop_to_predict(self, text="text\nfine\n", model="a", name="new.csv"):
        (self.settings.models / model / "predict").mkdir(parents=True, exist_ok=True)
        (self.settings.models / model / "predict" / name).write_text(text)

    def run(self, *, once=True, beside=None):
        """Run the service; `beside(service)` is an async function run next to it. The exit code."""
        with Journal(self.settings.state, Clock()) as journal:
            loaded = Loaded(self.settings, self.root, {})
            service = app.build_service(
                loaded,
                once=once,
                journal=journal,
                time=Clock(),
                view=LogView(),
                programs=app.Programs("scripted_train", "scripted_predict"),
            )

            self.service = service
            service._reload = self.reload or service._reload
            service._notifier = self.notifier or service._notifier

            async def both():
                async with anyio.create_task_group() as tasks:
                    if beside is not None:
                        tasks.start_soon(beside)
                    await service.run()

            anyio.run(both)
            failed = sum(one.state == "failed" for one in journal.predictions())
            return service.exit_code(failed)

    def journal(self):
        return Journal(self.settings.state, Clock())

    def jobs(self):
        with self.journal() as journal:
            return journal.jobs()

    def names(self, *parts):
        folder = self.settings.inbox.parent.joinpath(*parts)
        return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


@pytest.fixture(scope="session")
def open_world():
    """`with open_world(folder) as world`: folders and scripted children."""

    @contextlib.contextmanager
    def opened(folder):
        programs = folder / "programs"
        programs.mkdir()
        (programs / "scripted_train.py").write_text(TRAIN)
        (programs / "scripted_predict.py").write_text(PREDICT)
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("PYTHONPATH", str(programs))
            yield World(folder / "world")

    return opened


@pytest.fixture
def world(tmp_path, open_world):
    """Folders and scripted children of its own."""
    with open_world(tmp_path) as opened:
        yield opened
