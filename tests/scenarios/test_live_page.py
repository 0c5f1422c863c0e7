"""The live page of the real program: what a browser does, without one."""

from __future__ import annotations

import contextlib
import json
import re
import signal
import threading
import time

import httpx
import pytest

PATIENCE_SECONDS = 90


class Running:
    """The service with its page open."""

    def __init__(self, process, client) -> None:
        self.process, self.client = process, client

    def form_token(self):
        return re.search(r'name="form_token" value="(\w+)"', self.client.get("/new").text)[1]

    def post(self, path, data=None, *, files=None):
        return self.client.post(path, data={"form_token": self.form_token(), **(data or {})}, files=files)

    def until(self, condition):
        """Ask `/api/status` until it is as wanted."""
        end = time.monotonic() + PATIENCE_SECONDS
        while not condition(status := self.client.get("/api/status").json()):
            assert time.monotonic() < end, status
            time.sleep(0.1)
        return status


@contextlib.contextmanager
def running(daemon, **web):
    """The service as a process; its page at a free port."""
    settings = "".join(f", {key}: {value}" for key, value in web.items())
    with (daemon.folder / "freeal.yaml").open("a") as stream:
        stream.write(f"web: {{enabled: true, port: 0{settings}}}\nlog: {{format: json}}\n")
    process = daemon.start()
    reader = threading.Thread(target=process.stderr.read)
    try:
        for line in process.stderr:
            if line.startswith("{") and (said := json.loads(line)).get("event") == "the live page is open":
                break
        else:
            pytest.fail("the page did not open")
        reader.start()
        with httpx.Client(base_url=said["url"], timeout=30.0) as client:
            yield Running(process, client)
    finally:
        process.kill()
        process.wait()
        if reader.is_alive():
            reader.join()
        process.stderr.close()


def test_a_job_dropped_in_the_page_fails_is_shown_and_given_up(daemon):
    """Upload, form, inbox, failure with its reason, retry, and the stop with an open stream."""
    with running(daemon) as service:
        client = service.client
        assert {"healthy": True, "problems": []} == client.get("/healthz").json()
        where = service.post("/new", files={"files": ("mails.csv", b"text\n\n\n")}).headers["location"]
        form = {"name": "mails", "description": "d", "labels": "a\nb", "text_columns": "text"}
        assert 303 == service.post(f"{where}/start", form).status_code
        service.until(lambda status: [job["state"] for job in status["finished"]] == ["failed"])
        [job] = service.until(lambda _: True)["finished"]
        assert job["error"]["problem"] in re.sub("&#39;", "'", client.get("/").text)
        assert 'freeal_jobs{state="failed"} 1' in client.get("/metrics").text
        assert 303 == service.post(f"/jobs/{job['id']}/retry").status_code
        service.until(lambda status: status["finished"] and status["finished"][0]["request"] is None)
        with client.stream("GET", "/events") as stream:
            lines = stream.iter_lines()
            assert ": hello" == next(lines)
            service.process.send_signal(signal.SIGTERM)
            assert "event: parts" in list(lines)
        assert 0 == service.process.wait(timeout=60)


def test_a_taken_address_stops_the_service_before_it_begins(daemon):
    """Exit code 78; what waits in the inbox stays there."""
    daemon.drop()
    with running(daemon) as service:
        port = service.client.base_url.port
        other = daemon.folder / "other.yaml"
        other.write_text(f"inbox: in2\nmodels: m2\nstate: s2\nweb: {{enabled: true, port: {port}}}\n")
        (daemon.folder / "in2").mkdir()
        (daemon.folder / "in2" / "a.csv").write_text("text\nx\n")
        done = daemon.run("--config", str(other))
        assert 78 == done.returncode
        assert "already in use" in done.stderr
        assert ["a.csv"] == [path.name for path in (daemon.folder / "in2").iterdir()]
