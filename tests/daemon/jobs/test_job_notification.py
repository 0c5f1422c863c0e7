"""Somebody outside is told when a job is over; whoever that is can hold nothing up."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer
from threading import Thread

import anyio
import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from daemon.config import NotifySettings, Settings
from daemon.jobs.job_notification import JobNotifier, notification_of, notify
from daemon.journal.job_record import Job, State

pytestmark = pytest.mark.anyio
WRITES = "import json, sys; json.dump([json.load(sys.stdin), sys.argv[2:]], open(sys.argv[1], 'w'))"


@pytest.fixture
def anyio_backend():
    """The service's own."""
    return "asyncio"


def _job(**fields):
    times = {"created_at": 1.0, "updated_at": 2.0}
    return Job(id="r-1", name="reviews", key="", csv_name="r.csv", spec_name="r.yaml", **times, **fields)


def _command(script, *arguments):
    return NotifySettings(command=(sys.executable, "-c", script, *arguments))


async def test_a_command_gets_what_there_is_to_say(tmp_path):
    """Filled in where its arguments have a place for it, once, and as JSON on its stdin."""
    target = tmp_path / "said.json"
    failed = _job(state=State.FAILED, error={"problem": "{state} has no column 'x'", "hint": "name another"})
    await notify(notification_of(failed), _command(WRITES, str(target), "{model}: {message}", "{unknown}"))
    message, arguments = json.loads(target.read_text())
    said = "reviews has failed. {state} has no column 'x'. to do: name another"
    assert ["reviews: " + said, "{unknown}"] == arguments
    assert ("r-1", "failed", said) == (message["job"], message["state"], message["message"])


async def test_a_command_sees_no_key(tmp_path, monkeypatch):
    """It gets the environment of a process that talks to nobody."""
    monkeypatch.setenv("ANTHROPIC_API_KEY", "secret")
    target = tmp_path / "env"
    script = "import os, sys; open(sys.argv[1], 'w').write(str('ANTHROPIC_API_KEY' in os.environ))"
    await notify(notification_of(_job(state=State.DONE)), _command(script, str(target)))
    assert "False" == target.read_text()


@pytest.mark.parametrize(
    "settings",
    [
        NotifySettings(command=("/no/such/program",)),
        _command("import time; time.sleep(60)").model_copy(update={"timeout_seconds": 0.2}),
        _command("raise SystemExit(3)"),
        NotifySettings(url="http://127.0.0.1:9/", timeout_seconds=2.0),
    ],
    ids=["absent", "hangs", "fails", "nobody listens"],
)
async def test_a_listener_that_is_of_no_use_is_said_and_left_alone(settings):
    """The next one is told all the same."""
    with anyio.fail_after(20), capture_logs() as lines:
        await notify(notification_of(_job(state=State.DONE)), settings)
    assert ["notify."] == [line["event"][:7] for line in lines if line["log_level"] == "warning"]


async def test_an_address_gets_the_same_json():
    """By POST."""
    got = []

    class Listener(BaseHTTPRequestHandler):
        def do_POST(self):
            got.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_):
            """Keep quiet."""

    server = HTTPServer(("127.0.0.1", 0), Listener)
    Thread(target=server.serve_forever, daemon=True).start()
    try:
        settings = NotifySettings(url=f"http://127.0.0.1:{server.server_port}/hook")
        message = notification_of(_job(state=State.WAITING))
        await notify(message, settings)
    finally:
        server.shutdown()
        server.server_close()
    assert [message] == got
    assert "waits for your word" in message["text"]


async def test_only_states_that_were_asked_for_are_told(tmp_path):
    """In order, and nobody is busy afterwards."""
    target = tmp_path / "said"
    script = "import json, sys; open(sys.argv[1], 'a').write(json.load(sys.stdin)['state'] + ' ')"
    notify = _command(script, str(target))
    notifier = JobNotifier(Settings(notify=notify))
    for state in (State.PAUSED, State.DONE, State.CANCELLED, State.FAILED):
        notifier.announce_job(_job(state=state))
    told = anyio.Event()
    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(notifier.run, told.set)
            await told.wait()
            tasks.cancel_scope.cancel()
    assert "done failed " == target.read_text()
    assert not notifier.is_busy


async def test_without_a_listener_nothing_is_kept():
    """The default."""
    notifier = JobNotifier(Settings())
    notifier.announce_job(_job(state=State.DONE))
    assert not notifier.is_busy


def test_a_command_names_a_program():
    """An empty one is a mistake of the file."""
    with pytest.raises(ValidationError, match="names no program"):
        NotifySettings(command=())
