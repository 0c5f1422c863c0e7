"""Run a command as the unit would have it run, as far as a plain Linux lets us: `sandbox.py ROOT ... --command ...`.

ROOT is a folder prepared like a machine's root (see machine.py). In a mount namespace of its own the command gets that
root, read-only but for the unit's folders, a private /tmp and /dev, no other processes in /proc, a user namespace, no
capability, and the unit's seccomp filters. Needs root and libseccomp. `--as NAME` runs it as a plain person instead.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import pwd
import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import seccomp
from unit_file import Unit

NEW_NAMESPACES = {"PrivateMounts": 0x00020000, "PrivateIPC": 0x08000000, "ProtectHostname": 0x04000000}
NEW_NETWORK, NEW_USER = 0x40000000, 0x10000000
RDONLY, NOSUID, NODEV, BIND, RECURSIVE, PRIVATE = 1, 2, 4, 4096, 16384, 1 << 18
PR_SET_NO_NEW_PRIVS, PR_CAPBSET_DROP, PR_SET_MDWE = 38, 24, 65
MOUNT_SETATTR, AT_RECURSIVE, DETACH = 442, 0x8000, 2
MOUNT_READ_ONLY, MOUNT_NO_EXEC = 1, 8
PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
SHARED = ("usr", "bin", "sbin", "lib", "lib64")
LIMITS = {"LimitNOFILE": resource.RLIMIT_NOFILE, "LimitCORE": resource.RLIMIT_CORE}

_libc = ctypes.CDLL(None, use_errno=True)


def main(arguments: Sequence[str] | None = None) -> NoReturn:
    """Set everything up, then become the command; what could be set stands on stderr."""
    given = _parser().parse_args(arguments)
    unit = Unit.read(*given.unit)
    flags = 0x00020000
    for key, flag in NEW_NAMESPACES.items():
        flags |= flag if unit.is_on(key) else 0
    _unshare(flags | (NEW_NETWORK if unit.is_on("PrivateNetwork") else 0))
    _mount("none", "/", None, RECURSIVE | PRIVATE)
    _enter(given.root, given.bind, unit if given.person is None else None)
    if given.person is not None:
        _as_person(given.person, given.command)
    _read_only_but(_writable(unit), not_executable=unit.words("NoExecPaths"))
    service = pwd.getpwnam(unit.last("User"))
    if unit.is_on("PrivateUsers"):
        _map_users(service.pw_uid, service.pw_gid)
    _become(service, unit)
    os.chdir(unit.last("WorkingDirectory"))
    environment = {"PATH": "/usr/local/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "USER": "freeal"} | unit.environment
    environment |= {"STATE_DIRECTORY": "/var/lib/freeal", "CACHE_DIRECTORY": "/var/cache/freeal"}
    environment |= dict(entry.split("=", 1) for entry in given.env)
    os.execve(given.command[0], given.command, environment)  # noqa: S606 - what this program is for


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("root", type=Path)
    parser.add_argument("--unit", type=Path, nargs="+", required=True, help="the unit file, then drop-ins")
    parser.add_argument("--bind", nargs="*", default=[], metavar="SOURCE:TARGET", help="folders shown, read-only")
    parser.add_argument("--env", nargs="*", default=[], metavar="NAME=VALUE")
    parser.add_argument("--as", dest="person", metavar="NAME", help="no service: a plain person in this root")
    parser.add_argument("--command", nargs=argparse.REMAINDER, required=True)
    return parser


def _enter(root: Path, binds: Sequence[str], unit: Unit | None) -> None:
    _mount(root, root, None, BIND | RECURSIVE)
    for name in SHARED:
        host, here = Path("/", name), root / name
        if host.is_symlink():
            if not here.is_symlink():
                here.symlink_to(host.readlink())
        elif host.is_dir():
            _show(host, here)
    for entry in binds:
        source, target = entry.split(":")
        _show(Path(source), root / target.lstrip("/"))
    for name, kind in (("tmp", "tmpfs"), ("var/tmp", "tmpfs"), ("dev", "tmpfs")):
        (root / name).mkdir(parents=True, exist_ok=True)
        _mount(kind, root / name, kind, NOSUID)
        (root / name).chmod(0o1777 if name != "dev" else 0o755)
    for name in DEVICES:
        (root / "dev" / name).touch()
        _mount(f"/dev/{name}", root / "dev" / name, None, BIND)
    (root / "dev" / "stdin").symlink_to("/proc/self/fd/0")
    (root / "dev" / "shm").mkdir()
    _mount("tmpfs", root / "dev" / "shm", "tmpfs", NOSUID | NODEV)
    (root / "dev" / "shm").chmod(0o1777)
    _mount_proc(root / "proc", unit)
    (root / "sys").mkdir(exist_ok=True)
    _mount("/sys", root / "sys", None, BIND | RECURSIVE)
    os.chdir(root)  # not chroot: from within one, no user namespace can be made
    _check(_libc.syscall(PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _check(_libc.umount2(b".", DETACH), "umount")
    os.chdir("/")


def _mount_proc(folder: Path, unit: Unit | None) -> None:
    folder.mkdir(exist_ok=True)
    options = []
    if unit is not None and unit.last("ProtectProc", "default") != "default":
        options.append(f"hidepid={unit.last('ProtectProc')}")
    if unit is not None and unit.last("ProcSubset") == "pid":
        options.append("subset=pid")
    _mount("proc", folder, "proc", NOSUID | NODEV, ",".join(options))


def _show(source: Path, target: Path) -> None:
    target.mkdir(parents=True, exist_ok=True)
    _mount(source, target, None, BIND | RECURSIVE)


def _writable(unit: Unit) -> list[str]:
    folders = [word.lstrip("-") for word in unit.words("ReadWritePaths")]
    folders += [f"/var/lib/{name}" for name in unit.words("StateDirectory")]
    folders += [f"/var/cache/{name}" for name in unit.words("CacheDirectory")]
    return folders


def _read_only_but(folders: Sequence[str], *, not_executable: Sequence[str]) -> None:
    for folder in folders:
        _mount(folder, folder, None, BIND | RECURSIVE)
    _set_attributes("/", add=MOUNT_READ_ONLY)
    for folder in [*folders, "/tmp", "/var/tmp", "/dev", "/proc"]:  # noqa: S108 - private ones
        _set_attributes(folder, clear=MOUNT_READ_ONLY)
    for folder in not_executable:
        if not os.path.ismount(folder):
            _mount(folder, folder, None, BIND | RECURSIVE)
        _set_attributes(folder, add=MOUNT_NO_EXEC)


def _set_attributes(folder: str, *, add: int = 0, clear: int = 0) -> None:
    attributes = (ctypes.c_uint64 * 4)(add, clear, 0, 0)
    done = _libc.syscall(MOUNT_SETATTR, -100, folder.encode(), AT_RECURSIVE, attributes, ctypes.sizeof(attributes))
    _check(done, f"mount_setattr {folder}")


def _map_users(uid: int, gid: int) -> None:
    """Root and the service's user exist in there; everybody else is nobody. The map is written from outside."""
    ready, done = os.pipe(), os.pipe()
    parent = os.getpid()
    helper = os.fork()
    if helper == 0:
        os.read(ready[0], 1)
        for name, number in (("uid_map", uid), ("gid_map", gid)):
            Path(f"/proc/{parent}/{name}").write_text(f"0 0 1\n{number} {number} 1\n", encoding="ascii")
        os.write(done[1], b"x")
        os._exit(0)
    _unshare(NEW_USER)
    os.write(ready[1], b"x")
    os.close(done[1])
    mapped = os.read(done[0], 1)
    os.waitpid(helper, 0)
    if not mapped:
        raise OSError("the users could not be mapped")


def _become(service: pwd.struct_passwd, unit: Unit) -> None:
    for key, limit in LIMITS.items():
        if value := unit.last(key):
            resource.setrlimit(limit, (int(value), int(value)))
    os.umask(int(unit.last("UMask", "0022"), 8))
    os.nice(int(unit.last("Nice", "0")))
    for capability in range(64):
        _libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)
    os.setgroups([])
    os.setresgid(service.pw_gid, service.pw_gid, service.pw_gid)
    os.setresuid(service.pw_uid, service.pw_uid, service.pw_uid)
    _check(_libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges")
    if unit.is_on(
        "MemoryDenyWriteExecute"
    ):  # what systemd 254 and later set beside the filter; absent before Linux 6.3
        _libc.prctl(PR_SET_MDWE, 1, 0, 0, 0)
    applied = seccomp.load(unit)
    sys.stderr.write(f"seccomp: {', '.join(applied)}\n")


def _as_person(name: str, command: Sequence[str]) -> NoReturn:
    person = pwd.getpwnam(name)
    os.setgroups(os.getgrouplist(name, person.pw_gid))
    os.setresgid(person.pw_gid, person.pw_gid, person.pw_gid)
    os.setresuid(person.pw_uid, person.pw_uid, person.pw_uid)
    os.umask(0o027)
    environment = {"PATH": "/opt/shims:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin", "USER": name}
    os.execve(command[0], command, environment)  # noqa: S606 - what this program is for


def _unshare(flags: int) -> None:
    _check(_libc.unshare(flags), "unshare")


def _mount(source: object, target: object, kind: str | None, flags: int, options: str = "") -> None:
    texts = [str(source).encode(), str(target).encode(), kind.encode() if kind else None]
    _check(_libc.mount(*texts, ctypes.c_ulong(flags), options.encode()), f"mount {source} on {target}")


def _check(result: int, what: str) -> None:
    if result != 0:
        code = ctypes.get_errno()
        raise OSError(code, f"{what}: {os.strerror(code)}")


if __name__ == "__main__":
    main()
