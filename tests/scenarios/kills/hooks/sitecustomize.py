"""Run by every Python that starts with this folder on PYTHONPATH: kills it, or fails one operation, at a named point.

Nothing of this is in the program. Python tells of files through `sys.addaudithook`, SQLite of its statements through
`set_trace_callback`; `os.fsync` is wrapped, functions of the library are counted through `sys.setprofile`. A point is
`role: event path`, the n-th time it comes in a process. FREEAL_FAULTS holds what to do, as JSON:

    root      only what lies below it is told
    record    a file that gets one line per point, `role<TAB>point`
    role, point, nth      where to act; without them nothing is done
    act       `kill` this process, `kill all` that wrote themselves into `pids`, or the name of an errno to raise
    lasting   raise for every later operation below `folder` of the point's kind of disk trouble, while `lasting` exists
    fuse      a file; made when the act is done, and it is done only once
    calls     functions that are points too, `module:qualified name`
"""

# ruff: noqa: PTH100, PTH110, PTH115, PTH117, PTH118, PTH123, PLC0207 - runs inside of everything else: as little as can be

from __future__ import annotations

import errno
import json
import os
import re
import signal
import sqlite3
import sys
import threading

_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT
_PATTERNS = (
    (re.compile(r"-\d{8}-\d{6}-[0-9a-f]{6}(-\d+)?"), "-*"),
    (re.compile(r"\.[0-9a-f]{8}\.tmp"), ".*.tmp"),
    (re.compile(r"/[0-9a-f]{16}(?=/|$)"), "/*"),
)
_ROLES = {"train": "job", "predict": "predict", "daemon": "daemon"}


def _role() -> str:
    arguments = sys.orig_argv
    module = arguments[arguments.index("-m") + 1] if "-m" in arguments[:-1] else ""
    return next((role for part, role in _ROLES.items() if part in module.rpartition(".")[2]), "other")


class _Hook:
    def __init__(self, plan: dict) -> None:
        self.plan = plan
        self.root = os.path.realpath(plan["root"])
        self.role = _role()
        self.counts: dict[str, int] = {}
        self.local = threading.local()
        self.mutex = threading.RLock()
        self.log = self._append(plan["record"]) if plan.get("record") else None
        if plan.get("pids"):
            descriptor = self._append(plan["pids"])
            os.write(descriptor, f"{os.getpid()}\n".encode())
            os.close(descriptor)

    @staticmethod
    def _append(path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def path(self, given: object, folder: int = -1) -> str | None:
        """A path below the root, with what differs from run to run replaced; None elsewhere."""
        if isinstance(given, int):
            given = os.readlink(f"/proc/self/fd/{given}")
            if not os.path.isabs(given):
                return None  # a pipe or a socket
        if not isinstance(given, str | bytes | os.PathLike):
            return None
        text = os.fsdecode(given)
        if not os.path.isabs(text) and folder not in (-1, None):
            text = os.path.join(os.readlink(f"/proc/self/fd/{folder}"), text)
        text = os.path.normpath(os.path.abspath(text))
        if not text.startswith(self.root + os.sep):
            return None
        text = text[len(self.root) + 1 :]
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def heard(self, event: str, args: tuple) -> None:
        if getattr(self.local, "busy", False):
            return
        handler = _EVENTS.get(event)
        if handler is None:
            return
        self.local.busy = True
        try:
            point = handler(self, args)
            if point is not None:
                self.reach(point)
        finally:
            self.local.busy = False

    def reach(self, point: str) -> None:
        with self.mutex:
            nth = self.counts[point] = self.counts.get(point, 0) + 1
            if self.log is not None:
                os.write(self.log, f"{self.role}\t{point}\n".encode())
            plan = self.plan
            lasting = plan.get("lasting")
            if lasting and os.path.exists(lasting) and self._is_write(point):
                self.act(point)
            if (plan.get("role"), plan.get("point"), plan.get("nth")) == (self.role, point, nth):
                self.act(point)

    @staticmethod
    def _is_write(point: str) -> bool:
        return point.split(" ")[0] in {"rename", "mkdir", "write", "symlink", "fsync"}

    def act(self, point: str) -> None:
        fuse = self.plan.get("fuse")
        if fuse:
            try:
                os.close(os.open(fuse, os.O_WRONLY | os.O_CREAT | os.O_EXCL))
            except FileExistsError:
                return
        if self.plan.get("lasting"):
            os.close(os.open(self.plan["lasting"], os.O_WRONLY | os.O_CREAT))
        what = self.plan["act"]
        if what == "kill all":
            with open(self.plan["pids"]) as stream:
                for pid in {int(line) for line in stream} - {os.getpid()}:
                    try:
                        os.kill(pid, signal.SIGKILL)
                    except ProcessLookupError:
                        continue
        if what.startswith("kill"):
            os.kill(os.getpid(), signal.SIGKILL)
        number = getattr(errno, what)
        raise OSError(number, os.strerror(number), os.path.join(self.root, point.split(" ")[-1]))

    # One method per event

    def rename(self, args: tuple) -> str | None:
        source, target = self.path(args[0], args[2]), self.path(args[1], args[3])
        return f"rename {source} -> {target}" if source or target else None

    def one(self, name: str, given: object, folder: int = -1) -> str | None:
        path = self.path(given, folder)
        return f"{name} {path}" if path else None

    def opened(self, args: tuple) -> str | None:
        path, _, flags = args
        return self.one("write", path) if isinstance(flags, int) and flags & _WRITING else None

    def fsync(self, descriptor: int) -> None:
        self.local.busy = True
        try:
            point = self.one("fsync", descriptor)
            if point is not None:
                self.reach(point)
        finally:
            self.local.busy = False

    def called(self, frame: object, event: str, _: object) -> None:
        if event == "call":
            code = frame.f_code
            name = f"{frame.f_globals.get('__name__')}:{code.co_qualname}"
            if name in self.plan["calls"] and not getattr(self.local, "busy", False):
                self.local.busy = True
                try:
                    self.reach(f"call {name}")
                finally:
                    self.local.busy = False


class _Statements:
    """The commits of one connection, each named after what it makes true."""

    def __init__(self, hook: _Hook, database: str) -> None:
        self._hook, self._database, self._change = hook, database, "nothing"

    def __call__(self, statement: str) -> None:
        words = statement.split()
        if words[0] in {"INSERT", "UPDATE", "DELETE", "CREATE"}:
            table = {"INSERT": words.index("INTO") + 1 if "INTO" in words else 1, "DELETE": 2}.get(words[0], 1)
            state = re.search(r"\bstate = '(\w+)'", statement)
            self._change = f"{words[0].lower()} {words[table]}" + (f" {state[1]}" if state else "")
        elif words[0] == "COMMIT" and not getattr(self._hook.local, "busy", False):
            self._hook.local.busy = True
            try:
                self._hook.reach(f"commit {self._database} ({self._change})")
            finally:
                self._hook.local.busy = False


_EVENTS = {
    "os.rename": _Hook.rename,
    "os.remove": lambda hook, args: hook.one("remove", args[0], args[1]),
    "os.mkdir": lambda hook, args: hook.one("mkdir", args[0], args[2]),
    "os.rmdir": lambda hook, args: hook.one("rmdir", args[0], args[1]),
    "os.symlink": lambda hook, args: hook.one("symlink", args[1], args[2]),
    "os.link": lambda hook, args: hook.one("link", args[1], args[3]),
    "os.truncate": lambda hook, args: hook.one("truncate", args[0]),
    "open": _Hook.opened,
}


def _install(plan: dict) -> None:
    hook = _Hook(plan)
    sync = os.fsync

    def fsync(descriptor: int) -> None:
        hook.fsync(descriptor)
        sync(descriptor)

    connect = sqlite3.connect

    def traced(database: object, *args: object, **options: object) -> sqlite3.Connection:
        connection = connect(database, *args, **options)
        path = hook.path(database) if isinstance(database, str | os.PathLike) else None
        if path is not None:
            connection.set_trace_callback(_Statements(hook, path))
        return connection

    os.fsync = fsync
    sqlite3.connect = traced
    if plan.get("calls"):
        threading.setprofile(hook.called)
        sys.setprofile(hook.called)
    sys.addaudithook(hook.heard)


if "FREEAL_FAULTS" in os.environ:
    _install(json.loads(os.environ["FREEAL_FAULTS"]))
