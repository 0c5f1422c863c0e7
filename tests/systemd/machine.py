"""A folder that looks like a fresh machine's root, and commands run in it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Mapping, Sequence
from pathlib import Path

from unit_file import DROP_INS, ROOT, UNIT

_SANDBOX = Path(__file__).with_name("sandbox.py")
_HOST_FILES = ("nsswitch.conf", "hosts", "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "ssl", "localtime")
_USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/usr/sbin/nologin\nalice:x:1001:1001::/:/bin/sh\n"
_GROUPS = "root:x:0:\nnogroup:x:65534:\nvideo:x:44:\nrender:x:104:\nalice:x:1001:\n"
_SUDO = """#!/bin/sh
if [ "$1" = -u ]; then user=$2; shift 2; exec setpriv --reuid="$user" --regid="$user" --init-groups -- "$@"; fi
exec "$@"
"""
PYTHON = "/opt/freeal/.venv/bin/python"


class Machine:
    """A root folder with the checkout in /opt/freeal, and a person called alice."""

    def __init__(self, root: Path) -> None:
        self.root = root
        for name in ("etc", "opt/shims", "run", "var/lib", "var/cache"):
            (root / name).mkdir(parents=True)
        root.chmod(0o755)
        for source in (Path("/etc", name) for name in _HOST_FILES):
            if source.is_dir():
                shutil.copytree(source, root / "etc" / source.name, ignore_dangling_symlinks=True)
            elif source.exists():
                shutil.copy(source, root / "etc")
        (root / "etc/passwd").write_text(_USERS)
        (root / "etc/group").write_text(_GROUPS)
        (root / "opt/shims/sudo").write_text(_SUDO)
        (root / "opt/shims/sudo").chmod(0o755)

    def path(self, text: str) -> Path:
        """Where an absolute path of the machine lies on this one."""
        return self.root / text.lstrip("/")

    def run(self, script: str, *, person: str = "root", text: str = "") -> subprocess.CompletedProcess[str]:
        """A shell script run by a person, without any of the service's limits. `text` is its stdin."""
        command = self._command(["--as", person], ["/bin/sh", "-e", "-c", script])
        return subprocess.run(command, input=text, capture_output=True, text=True, check=False)

    def service(
        self, *arguments: str, drop_ins: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line of the service's program, `arguments` behind it, under the unit's limits."""
        return self.under_limits([PYTHON, *arguments], drop_ins=drop_ins, environment=environment)

    def under_limits(
        self, command: Sequence[str], *, drop_ins: Sequence[str] = (), environment: Mapping[str, str] | None = None
    ) -> list[str]:
        """The command line of any program under the unit's limits; makes the folders systemd would make."""
        owner = self.path("/srv/freeal/inbox").stat()
        for folder in ("var/lib/freeal", "var/cache/freeal"):
            (self.root / folder).mkdir(mode=0o700, exist_ok=True)
            os.chown(self.root / folder, owner.st_uid, owner.st_gid)
        variables = [f"{name}={value}" for name, value in (environment or {}).items()]
        return self._command(["--env", *variables] if variables else [], list(command), drop_ins)

    def _command(self, options: Sequence[str], command: Sequence[str], drop_ins: Sequence[str] = ()) -> list[str]:
        units = [str(UNIT), *(str(DROP_INS / name) for name in drop_ins)]
        binds = [f"{ROOT}:/opt/freeal"]
        if Path(sys.prefix) != ROOT / ".venv":
            binds.append(f"{sys.prefix}:/opt/freeal/.venv")
        if not sys.base_prefix.startswith("/usr"):
            binds.append(f"{sys.base_prefix}:{sys.base_prefix}")
        start = [sys.executable, str(_SANDBOX), str(self.root), "--unit", *units, "--bind", *binds]
        return [*start, *options, "--command", *command]


def can_be_made() -> str:
    """Why no such machine can be made here; empty where it can."""
    if os.geteuid() != 0:
        return "needs root: namespaces of its own"
    if sysconfig.get_config_var("MULTIARCH") not in {"x86_64-linux-gnu", "aarch64-linux-gnu"}:
        return "needs x86-64 or 64-bit Arm"
    if not (ROOT / ".venv").is_dir():
        return "needs the .venv of make setup"
    for tool in ("systemd-analyze", "systemd-sysusers", "systemd-tmpfiles", "systemctl", "setpriv"):
        if shutil.which(tool) is None:
            return f"needs {tool}"
    try:
        subprocess.run(["unshare", "--mount", "true"], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        return "no mount namespace can be made here"
    return "" if _has_libseccomp() else "needs libseccomp.so.2"


def _has_libseccomp() -> bool:
    import ctypes

    try:
        ctypes.CDLL("libseccomp.so.2")
    except OSError:
        return False
    return True


def steps(page: Path) -> list[str]:
    """The commands of a page's `sh` blocks, in order."""
    blocks = re.findall(r"^( *)```sh\n(.*?)^\1```$", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)
    return ["\n".join(line[len(indent) :] for line in block.splitlines()) for indent, block in blocks]
