"""How files arrive at the real program: what is noticed when, and what heals while it runs.

A spec with a mistake ends its job at once, without a process for it: what was taken is seen in failed/.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

BAD_SPEC = "labels: [a, b]\n"
"""Without a description."""
PATIENCE_SECONDS = 60.0
NEVER = "rescan_seconds: 900"
"""Only events, or what takes their place, can have told."""


class Service:
    """A running service and the lines of its log."""

    def __init__(self, process):
        self.process = process
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        self.lines.extend(json.loads(line) for line in self.process.stderr if line.startswith("{"))

    def said(self, event, **fields):
        return any(
            line["event"].startswith(event) and all(str(text) in str(line.get(name)) for name, text in fields.items())
            for line in list(self.lines)
        )

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(timeout=PATIENCE_SECONDS)
        self._reader.join(timeout=PATIENCE_SECONDS)
        return code


@contextmanager
def _serving(daemon):
    """The service, once it has said that it is ready; it must end well."""
    path = daemon.folder / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
        channel.bind(str(path))
        channel.settimeout(PATIENCE_SECONDS)
        daemon.variables["NOTIFY_SOCKET"] = str(path)
        service = Service(daemon.start())
        try:
            while not channel.recv(1000).startswith(b"READY=1"):
                pass
            channel.close()  # a socket that nobody reads holds its sender up
            yield service
            assert 0 == service.stop()
        finally:
            if service.process.poll() is None:
                service.process.kill()
                service.process.wait()
            service.process.stderr.close()


def _wait_for(happened):
    end = time.monotonic() + PATIENCE_SECONDS
    while not (found := happened()):
        assert time.monotonic() < end, "it never happened"
        time.sleep(0.02)
    return found


def _rename_in(daemon, stem, *, csv="text\nx\n", spec=BAD_SPEC):
    for suffix, content in (("csv", csv), ("yaml", spec)):
        (daemon.inbox / f".{stem}.part").write_text(content)
        (daemon.inbox / f".{stem}.part").rename(daemon.inbox / f"{stem}.{suffix}")


def _taken(daemon, stem):
    """The CSV of that name in failed/, once its job has ended there: the report comes first, then the two inputs."""
    wanted = {"ERROR.txt", "error.json", f"{stem}.csv", f"{stem}.yaml"}

    def arrived():
        folders = daemon.inbox.glob(f"failed/{stem}-*")
        return next((folder for folder in folders if {path.name for path in folder.iterdir()} == wanted), None)

    return _wait_for(arrived) / f"{stem}.csv"


@pytest.mark.parametrize(
    "watch",
    [f"mode: native, {NEVER}", f"mode: poll, poll_seconds: 0.2, {NEVER}", "mode: off, rescan_seconds: 0.2"],
    ids=["native", "poll", "off"],
)
def test_what_arrives_is_taken_whatever_watches(daemon, watch):
    """Two pairs, one after the other: by events alone, by polling alone, by rescans alone."""
    daemon.watch(f"stability_seconds: 0.2, {watch}")
    with _serving(daemon):
        for stem in ("a", "b"):
            _rename_in(daemon, stem)
            assert "text\nx\n" == _taken(daemon, stem).read_text()
    assert {"failed"} == {path.name for path in daemon.inbox.iterdir()}


def test_folders_made_anew_while_it_runs_are_watched_again(daemon):
    """The inbox removed and made again, a predict folder replaced: said, and found by events alone."""
    daemon.watch(f"mode: native, stability_seconds: 0.2, poll_seconds: 0.2, {NEVER}")
    predict = daemon.models / "m" / "predict"
    predict.mkdir(parents=True)
    with _serving(daemon) as service:
        shutil.rmtree(daemon.inbox)
        _wait_for(lambda: service.said("a file waits", file=daemon.inbox, reason="is missing"))
        daemon.inbox.mkdir()
        _rename_in(daemon, "a")
        _taken(daemon, "a")
        shutil.rmtree(predict)
        predict.mkdir()
        (predict / "new.csv").write_text("text\nx\n")
        _wait_for(lambda: service.said("a file waits", file="m/predict/new.csv", reason="no finished version"))
        daemon.inbox.rename(daemon.folder / "old")
        (daemon.folder / "elsewhere").mkdir()
        daemon.inbox.symlink_to(daemon.folder / "elsewhere")
        _rename_in(daemon, "b")
        _taken(daemon, "b")


def test_a_note_comes_and_goes_and_the_spec_is_enough(daemon):
    """A CSV alone: visible with its reason, a note after the timeout; the spec alone then starts the job."""
    daemon.watch("stability_seconds: 0.2, rescan_seconds: 0.3, pair_timeout_seconds: 0.5")
    note = daemon.inbox / "a.csv.waiting.txt"
    with _serving(daemon) as service:
        (daemon.inbox / "a.csv").write_text("id,title\n1,x\n")
        _wait_for(note.exists)
        assert 'text_columns: ["title"]' in note.read_text()
        assert service.said("a file waits", file="a.csv", reason="no spec: drop a.yaml beside it")
        (daemon.inbox / "a.yaml").write_text(BAD_SPEC)
        assert {"ERROR.txt", "a.csv", "a.yaml", "error.json"} == {
            path.name for path in _taken(daemon, "a").parent.iterdir()
        }
        _wait_for(lambda: not note.exists())


@pytest.mark.slow
def test_a_slow_copy_is_taken_whole(daemon):
    """Written block by block over seconds, as `scp` does; and saved once more by an editor before it was quiet."""
    daemon.watch(f"stability_seconds: 3, {NEVER}")
    lines = [f"row {number}\n" for number in range(30)]
    with _serving(daemon):
        (daemon.inbox / "a.yaml").write_text(BAD_SPEC)
        with (daemon.inbox / "a.csv").open("w") as stream:
            for line in ["text\n", *lines]:
                stream.write(line)
                stream.flush()
                time.sleep(0.15)
        (daemon.inbox / ".a.yaml.swp").write_text("x")
        (daemon.inbox / ".a.yaml.new").write_text(BAD_SPEC + "# saved\n")
        (daemon.inbox / ".a.yaml.new").rename(daemon.inbox / "a.yaml")
        taken = _taken(daemon, "a")
        assert ("text\n" + "".join(lines), True) == (
            taken.read_text(),
            taken.with_suffix(".yaml").read_text().endswith("# saved\n"),
        )


def _mount(folder):
    done = subprocess.run(["mount", "-t", "tmpfs", "none", str(folder)], capture_output=True, check=False)
    return done.returncode == 0


def test_a_share_unmounted_while_it_runs_is_noticed_and_its_return_too(daemon):
    """Not taken for an empty inbox: what is dropped on the bare mount point waits, the mounted share is served."""
    if os.geteuid() != 0 or not _mount(daemon.inbox):
        pytest.skip("needs the right to mount a tmpfs")
    daemon.watch(f"mode: native, stability_seconds: 0.2, poll_seconds: 0.2, {NEVER}")
    try:
        with _serving(daemon) as service:
            _rename_in(daemon, "a")
            _taken(daemon, "a")
            subprocess.run(["umount", "--lazy", str(daemon.inbox)], check=True)
            _wait_for(lambda: service.said("a file waits", file=daemon.inbox, reason="is no longer mounted"))
            _rename_in(daemon, "below")
            assert _mount(daemon.inbox)
            _rename_in(daemon, "b")
            _taken(daemon, "b")
    finally:
        subprocess.run(["umount", "--lazy", str(daemon.inbox)], check=False, capture_output=True)
    assert {"below.csv", "below.yaml"} <= {path.name for path in daemon.inbox.iterdir()}


def test_a_file_that_cannot_be_moved_is_tried_again_by_itself(daemon):
    """No restart, no new drop: once the folder is mended, the pair is taken."""
    daemon.watch(f"mode: native, stability_seconds: 0.2, {NEVER}")
    _rename_in(daemon, "a")
    (daemon.inbox / "a.csv").chmod(0)
    if os.access(daemon.inbox / "a.csv", os.R_OK):  # root, who may not move what is frozen
        frozen = subprocess.run(["chattr", "+i", str(daemon.inbox / "a.csv")], capture_output=True, check=False)
        if frozen.returncode:
            pytest.skip("as root this needs chattr +i")
    try:
        with _serving(daemon) as service:
            _wait_for(lambda: service.said("a file cannot be taken", file="a.csv", problem="ermi"))
            assert [] == list(Path(daemon.folder, ".state", "work").glob("*/input/*"))
            subprocess.run(["chattr", "-i", str(daemon.inbox / "a.csv")], capture_output=True, check=False)
            (daemon.inbox / "a.csv").chmod(0o644)
            _taken(daemon, "a")
    finally:
        subprocess.run(["chattr", "-i", str(daemon.inbox / "a.csv")], capture_output=True, check=False)
