"""Real jobs of the real service under the unit's limits: torch trains and predicts in there, at full speed.

Not seen here: systemd itself, its cgroup filters (devices, addresses, memory), a GPU.
"""

from __future__ import annotations

import contextlib
import json
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time

import pytest
from machine import PYTHON
from unit_file import UNIT, Unit

from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

pytestmark = pytest.mark.slow

SETTINGS = """\
inbox: /srv/freeal/inbox
models: /srv/freeal/models
watch: {{stability_seconds: 0.2, rescan_seconds: 1}}
llm: {{provider: anthropic, base_url: "{url}"}}
student: {{model: /opt/encoder}}
loop: {{iterations: 1, shots: 2, demos_per_class: 2}}
"""
SPEC = """\
description: Is the customer satisfied?
labels: {{positive: satisfied, negative: not satisfied}}
text_columns: [text]
student: {{mode: {mode}}}
"""
ROWS = "text\n" + "".join(f"a {word} thing number {number}\n" for number in range(12) for word in ("good", "bad"))
SETTING_UP = {"mount", "mount_setattr", "pivot_root", "seccomp", "setgroups", "setresuid", "umount2"}
"""Calls of the sandbox itself, before it becomes the service."""
REFUSED_WITHOUT_HARM = {"mbind"}
"""Tried by numpy's BLAS to place its memory, which goes on without."""

PROBE = """
import json, os, torch
matrix = torch.randn(64, 64).bfloat16()
print(json.dumps([
    torch.get_num_threads(), torch.backends.cpu.get_cpu_capability(), bool((matrix @ matrix).isfinite().all())
]))
"""


def test_torch_sees_the_same_machine_as_without_limits(installed):
    """As many threads, the same vector units, and kernels compiled at run time work."""
    command = installed.under_limits([PYTHON, "-c", PROBE])
    inside = subprocess.run(command, capture_output=True, text=True, check=True)
    outside = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True, env={})
    assert json.loads(outside.stdout) == json.loads(inside.stdout)


@pytest.mark.timeout(600)
def test_jobs_and_predictions_of_the_service_run_under_the_unit_s_limits(installed, tmp_path):
    """Both kinds of student are trained and used on files a person dropped; she can read what comes out; no system call
    is needed that the unit forbids; systemd is told when it is ready and when it stops."""
    if shutil.which("strace") is None:
        pytest.skip("needs strace")
    tiny_encoder(installed.path("/opt/encoder"))
    installed.run("chmod -R a+rX /opt/encoder")
    calls = tmp_path / "calls"
    with MessagesServer(answer=lambda text: "positive" if "good" in text else "negative") as server:
        (installed.path("/etc/freeal/freeal.yaml")).write_text(SETTINGS.format(url=server.base_url))
        with _service(installed, calls) as (service, told):
            for mode in ("frozen", "finetune"):
                _drop(installed, f"/srv/freeal/inbox/{mode}.yaml", SPEC.format(mode=mode))
                _drop(installed, f"/srv/freeal/inbox/{mode}.csv", ROWS)
            for mode in ("frozen", "finetune"):
                _until(installed.path(f"/srv/freeal/models/{mode}/model").is_symlink, service)
                _drop(installed, f"/srv/freeal/models/{mode}/predict/new.csv", ROWS)
                _until(installed.path(f"/srv/freeal/models/{mode}/predictions/new.csv").exists, service)
            service.send_signal(signal.SIGTERM)
            assert 0 == service.wait(timeout=60)
    for mode in ("frozen", "finetune"):
        files = f"predictions/new.csv annotated/{mode}.csv model/model.safetensors"
        done = installed.run(f"cd /srv/freeal/models/{mode}; cat {files} | wc -c", person="alice")
        assert 0 == done.returncode, done.stderr
        assert 50_000 < int(done.stdout)
    assert {"READY=1", "WATCHDOG=1", "STOPPING=1"} <= told
    needed = _names(calls) - SETTING_UP - Unit.read(UNIT).allowed_calls
    assert needed <= REFUSED_WITHOUT_HARM


@contextlib.contextmanager
def _service(machine, calls):
    """The service, traced, and the socket that stands in for systemd's."""
    address = machine.path("/run/notify")
    channel = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    channel.bind(str(address))
    address.chmod(0o777)
    channel.settimeout(0.2)
    told, over = set(), threading.Event()
    listener = threading.Thread(target=_listen, args=(channel, told, over))
    listener.start()
    variables = {"ANTHROPIC_API_KEY": "sk-ant-test", "NOTIFY_SOCKET": "/run/notify", "WATCHDOG_USEC": "120000000"}
    command = machine.service("-m", "daemon", "--config", "/etc/freeal/freeal.yaml", environment=variables)
    # -D: the tracer steps aside, so that the process we signal is the service
    traced = ["strace", "-D", "-f", "-qq", "-c", "-o", str(calls), *command]
    service = subprocess.Popen(traced, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        yield service, told
    finally:
        if service.poll() is None:
            service.kill()
            service.wait()
        over.set()
        listener.join()
        channel.close()
        address.unlink()


def _listen(channel, told, over):
    """Takes what the service tells systemd; a socket nobody reads from is full after ten messages."""
    while True:
        try:
            told.update(channel.recv(65536).decode().splitlines())
        except TimeoutError:
            if over.is_set():
                return


def _drop(machine, path, text):
    dropped = machine.run(f"cat > {path}", person="alice", text=text)
    assert 0 == dropped.returncode, dropped.stderr


def _until(happened, service):
    end = time.monotonic() + 240
    while not happened():
        assert service.poll() is None, "the service has ended"
        assert time.monotonic() < end, "nothing came out"
        time.sleep(0.2)


def _names(calls):
    """The names in strace's summary, which is written when the last process has gone."""
    end = time.monotonic() + 60
    while not (calls.exists() and "total" in calls.read_text()):
        assert time.monotonic() < end, "no summary"
        time.sleep(0.1)
    lines = [line.split() for line in calls.read_text().splitlines()]
    return {words[-1] for words in lines if len(words) >= 5 and words[0].replace(".", "").isdigit()} - {"total"}
