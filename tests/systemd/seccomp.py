"""The filters systemd would load for a unit, loaded into this process through libseccomp.

One filter per setting, stacked as systemd stacks them: the strictest answer counts. What each forbids follows
systemd's src/shared/seccomp-util.c.
"""

from __future__ import annotations

import ctypes
import errno
import socket
from collections.abc import Iterable, Sequence

from unit_file import Unit

_ALLOW = 0x7FFF0000
_ERRNO = 0x00050000
_NOT_EQUAL, _MASKED_EQUAL = 1, 7

_NAMESPACES = 0x7E020080  # CLONE_NEWNS, -CGROUP, -UTS, -IPC, -USER, -PID, -NET, -TIME
_EXECUTABLE, _WRITABLE = 4, 2
_SETUID, _SETGID = 0o4000, 0o2000
_MODE_AT = {"chmod": 1, "fchmod": 1, "fchmodat": 2, "mkdir": 1, "mkdirat": 2, "mknod": 1, "mknodat": 2, "creat": 1}
_SHM_EXEC = 0o100000

Comparison = tuple[int, int, int, int]
"""Argument, operator, and its one or two operands."""


class _Argument(ctypes.Structure):
    _fields_ = (("arg", ctypes.c_uint), ("op", ctypes.c_int), ("a", ctypes.c_uint64), ("b", ctypes.c_uint64))


def load(unit: Unit) -> list[str]:
    """Load every filter the unit asks for; the settings they stand for. Needs no-new-privileges set before."""
    library = _library()
    applied = []
    for key, build in {
        "RestrictNamespaces": _no_namespaces,
        "MemoryDenyWriteExecute": _no_new_code,
        "RestrictSUIDSGID": _no_set_id_files,
        "LockPersonality": _one_personality,
    }.items():
        if unit.is_on(key):
            build(_Filter(library, otherwise=_ALLOW)).load()
            applied.append(key)
    if families := unit.words("RestrictAddressFamilies"):
        _only_families(_Filter(library, otherwise=_ALLOW), families).load()
        applied.append("RestrictAddressFamilies")
    if "SystemCallFilter" in unit.settings:  # last: it may forbid loading another one
        code = getattr(errno, unit.last("SystemCallErrorNumber", "EPERM"))
        _Filter(library, otherwise=_ERRNO | code).allow(unit.allowed_calls).load()
        applied.append("SystemCallFilter")
    return applied


class _Filter:
    def __init__(self, library: ctypes.CDLL, *, otherwise: int) -> None:
        self._library = library
        self._context = library.seccomp_init(otherwise)

    def allow(self, names: Iterable[str]) -> _Filter:
        for name in names:
            self._add(_ALLOW, name, ())
        return self

    def refuse(self, name: str, *comparisons: Comparison, code: int = errno.EPERM) -> _Filter:
        self._add(_ERRNO | code, name, comparisons)
        return self

    def _add(self, action: int, name: str, comparisons: Sequence[Comparison]) -> None:
        number = self._library.seccomp_syscall_resolve_name(name.encode())
        if number < 0:
            return  # of another architecture, or younger than this library
        arguments = (_Argument * len(comparisons))(*comparisons)
        failed = self._library.seccomp_rule_add_array(self._context, action, number, len(comparisons), arguments)
        if failed:
            raise OSError(-failed, f"no rule for {name}")

    def load(self) -> None:
        failed = self._library.seccomp_load(self._context)
        if failed:
            raise OSError(-failed, "the filter cannot be loaded")
        self._library.seccomp_release(self._context)


def _no_namespaces(rules: _Filter) -> _Filter:
    for bit in (1 << shift for shift in range(32) if _NAMESPACES >> shift & 1):
        rules.refuse("clone", (0, _MASKED_EQUAL, bit, bit))
        rules.refuse("unshare", (0, _MASKED_EQUAL, bit, bit))
        rules.refuse("setns", (1, _MASKED_EQUAL, bit, bit))
    return rules.refuse("setns", (1, _MASKED_EQUAL, 0xFFFFFFFF, 0)).refuse("clone3", code=errno.ENOSYS)


def _no_new_code(rules: _Filter) -> _Filter:
    both = _EXECUTABLE | _WRITABLE
    rules.refuse("mmap", (2, _MASKED_EQUAL, both, both))
    for name in ("mprotect", "pkey_mprotect"):
        rules.refuse(name, (2, _MASKED_EQUAL, _EXECUTABLE, _EXECUTABLE))
    return rules.refuse("shmat", (2, _MASKED_EQUAL, _SHM_EXEC, _SHM_EXEC))


def _no_set_id_files(rules: _Filter) -> _Filter:
    for name, position in _MODE_AT.items():
        for bit in (_SETUID, _SETGID):
            rules.refuse(name, (position, _MASKED_EQUAL, bit, bit))
    for name, flags, mode in (("open", 1, 2), ("openat", 2, 3)):
        for bit in (_SETUID, _SETGID):
            rules.refuse(name, (flags, _MASKED_EQUAL, 0o100, 0o100), (mode, _MASKED_EQUAL, bit, bit))
    return rules.refuse("openat2", code=errno.ENOSYS)


def _one_personality(rules: _Filter) -> _Filter:
    return rules.refuse("personality", (0, _NOT_EQUAL, 0, 0))


def _only_families(rules: _Filter, families: Sequence[str]) -> _Filter:
    allowed = {int(getattr(socket, name)) for name in families}
    for family in range(64):
        if family not in allowed:
            rules.refuse("socket", (0, 4, family, 0), code=errno.EAFNOSUPPORT)
    return rules


def _library() -> ctypes.CDLL:
    library = ctypes.CDLL("libseccomp.so.2")
    library.seccomp_init.restype = ctypes.c_void_p
    library.seccomp_init.argtypes = [ctypes.c_uint32]
    library.seccomp_load.argtypes = [ctypes.c_void_p]
    library.seccomp_release.argtypes = [ctypes.c_void_p]
    library.seccomp_rule_add_array.argtypes = [
        ctypes.c_void_p,
        ctypes.c_uint32,
        ctypes.c_int,
        ctypes.c_uint,
        ctypes.POINTER(_Argument),
    ]
    return library
