"""The live page on folders of its own, asked in this process, and models and jobs to show on it."""

from __future__ import annotations

import contextlib
import functools
import json
import re
import time

import anyio
import httpx
import pytest
from anyio.from_thread import start_blocking_portal

from daemon import app, config
from daemon.config import Loaded, Settings, WebSettings
from daemon.host.clock import Clock
from daemon.inbox.file_events import WatchState
from daemon.journal.job_record import Job
from daemon.journal.journal import Journal
from daemon.outbox import durable_file_moves
from daemon.web.live.page_snapshot import Looks
from daemon.web.server import LivePage

HOST = "http://localhost:8765"
VERSION = "reviews-20251122-120000-abcdef"
SENTENCES = """
import json, os, signal, sys
for line in sys.stdin:
    rows = json.loads(line)["rows"]
    text = next(iter(rows[0].values()))
    if text == "crash":
        os.kill(os.getpid(), signal.SIGKILL)
    if text == "fault":
        answer = {"type": "failure", "kind": "InputError", "problem": "no such column", "where": {}}
    else:
        found = []
        for row in rows:
            good = 0.9 if "good" in next(iter(row.values())) else 0.2
            one = {"label": "good" if good > 0.5 else "bad", "confidence": max(good, 1 - good), "status": "ok"}
            if "tree" in next(iter(row.values())):
                one |= {"node": "a branch <b>", "node_confidence": 0.95}
            found.append({**one, "probabilities": {"bad": 1 - good, "good": good}})
        answer = {"type": "result", "content": {"rows": found}}
    print(json.dumps(answer), flush=True)
"""


class Visitor:
    """A browser without a screen: keeps cookies, sends what browsers send with a form."""

    def __init__(self, live, portal, *, host=HOST, headers=None) -> None:
        self._portal = portal
        self.host = host
        transport = httpx.ASGITransport(app=live.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url=host, headers=headers or {})
        self._live = live

    def close(self):
        self._portal.call(self._client.aclose)

    def get(self, path, **headers):
        return self._ask("GET", path, headers=_named(headers))

    def stranger(self, path, **headers):
        """Ask like a browser that never was here."""

        async def ask():
            transport = httpx.ASGITransport(app=self._live.app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url=self.host) as client:
                return await client.get(f"{self.host}{path}", headers=_named(headers))

        return self._portal.call(ask)

    def form_token(self):
        """What a page of ours put into its forms."""
        found = re.search(r'name="form_token" value="([0-9a-f]+)"', self.get("/jobs").text)
        return found[1]

    def post(self, path, data=None, *, files=None, form_token=None, headers=None):
        data = {"form_token": self.form_token() if form_token is None else form_token, **(data or {})}
        origin = {"Origin": self.host, "Sec-Fetch-Site": "same-origin"}
        return self._ask("POST", path, data=data, files=files, headers=origin if headers is None else headers)

    def send(self, method, path, **what):
        return self._ask(method, path, **what)

    async def ask(self, method, path, **what):
        with anyio.fail_after(60):
            return await self._client.request(method, path, **what)

    def _ask(self, method, path, **what):
        return self._portal.call(functools.partial(self.ask, method, path, **what))


def _named(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Stage:
    """What the page shows, and the page."""

    def __init__(self, settings: Settings, journal: Journal, root) -> None:
        self.settings, self.journal, self.root = settings, journal, root
        self.waiting = ()
        self.scanned_at = 0.0
        self.steady = 0.0
        self.clock = Clock(steady=lambda: self.now())  # noqa: PLW0108 - another clock may follow
        self.live: LivePage | None = None
        self.visitors: list[Visitor] = []
        self.portal = None

    def now(self):
        """Steady seconds, moved by hand."""
        return self.steady

    def follow_time(self):
        """From now on they pass by themselves."""
        self.now = time.monotonic
        self.scanned_at = time.monotonic()

    @contextlib.contextmanager
    def beside(self, task):
        """Run a task of the page's for the length of the block."""

        @contextlib.asynccontextmanager
        async def running():
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(task)
                yield
                tasks.cancel_scope.cancel()

        with self.portal.wrap_async_context_manager(running()):
            yield

    def open(self, **web):
        """Build the page with these settings and look at it from this machine."""
        made = WebSettings(enabled=True, port=0, **web)
        self.settings = self.settings.model_copy(update={"web": made})
        sources = {key: "freeal.yaml:1" for key, _ in config.flatten_settings(self.settings)}
        loaded = Loaded(self.settings, self.root, sources)
        watch = WatchState("auto", watched=1, polled=0, rescan_seconds=30.0)
        looks = Looks(lambda: self.settings, lambda: self.waiting, lambda: self.scanned_at, lambda: watch)
        self.live = LivePage(
            loaded,
            journal=self.journal,
            clock=self.clock,
            looks=looks,
            trial_module="scripted_sentences",
            review_module="scripted_review",
        )
        self.live.errands.patience_seconds = 60.0
        self.journal.beat(1, {})
        self.live.uploads.clear()
        return self.visitor()

    def visitor(self):
        """One more browser that looks at the page."""
        self.visitors.append(Visitor(self.live, self.portal))
        return self.visitors[-1]

    def job(self, name="reviews", **fields):
        """Write a job down."""
        fields = {"id": f"{name}-20251122-120000-{len(self.journal.jobs()):06d}", "key": "", **fields}
        given = {"csv_name": f"{name}.csv", "spec_name": f"{name}.yaml", "created_at": 1.0, "updated_at": 2.0}
        job = Job(name=name, **{**given, **fields})
        self.journal.add(job)
        return job

    def model(self, name="reviews", *, columns=("text",)):
        """Put a finished model on its shelf."""
        folder = self.settings.models / name
        version = folder / "versions" / VERSION
        (version / "model").mkdir(parents=True)
        for lane in ("predict", "predictions"):
            (folder / lane).mkdir()
        card = {"schema_version": 1, "labels": ["good", "bad"], "base_model": "b", "mode": "frozen"}
        card |= {"max_length": 8, "temperature": 1.0, "extra": {"text_columns": list(columns)}}
        (version / "model" / "freeal.json").write_text(json.dumps(card))
        (version / "model" / "model.safetensors").write_bytes(bytes(range(256)) * 100)
        (version / "metrics.json").write_text(json.dumps(metrics()))
        (version / "annotated.csv").write_text("text,freeal_label\na good one,good\n")
        (version / "report.html").write_text("<!DOCTYPE html><title>r</title><script>alert(1)</script>")
        durable_file_moves.replace_link_durably(folder / "model", f"versions/{VERSION}/model")
        return folder


def metrics():
    """The least a metrics.json holds."""
    return {
        "rows": 20,
        "distinct_rows": 18,
        "kept_round": 1,
        "labels": ["good", "bad"],
        "llm": {"provider": "local", "model": "m"},
        "student": {"model": "s", "mode": "frozen", "device": "cpu"},
        "rounds": [{"round": 1, "llm_accuracy": 0.8, "student_accuracy": 0.85}],
        "final": {
            "accuracy": 0.9,
            "accuracy_interval": [0.7, 0.98],
            "evaluated_rows": 20,
            "label_counts": {"good": 10, "bad": 10},
            "llm_student_agreement": 0.9,
        },
        "baselines": {},
        "cost": {"usd": 0.5, "calls": 20},
    }


@pytest.fixture
def stage(tmp_path, monkeypatch):
    """Folders, a journal, and a page to be opened on them."""
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "scripted_sentences.py").write_text(SENTENCES)
    monkeypatch.setenv("PYTHONPATH", str(programs))
    settings = Settings(inbox=tmp_path / "inbox", models=tmp_path / "models", state=tmp_path / "state")
    app.prepare_folders(settings)
    with Journal(settings.state, Clock()) as journal, start_blocking_portal() as portal:
        made = Stage(settings, journal, tmp_path)
        made.portal = portal
        yield made
        for visitor in made.visitors:
            visitor.close()
        if made.live is not None:
            made.live.close()
