"""A Ray cluster: one of our own on this machine's loopback, or one that is there and that we join.

Ray trusts whoever reaches it: who can connect runs code as the user it runs under. So a cluster of our own listens on
127.0.0.1 alone, asks for a token made for it, has no dashboard, and tells nobody that it exists.
"""

from __future__ import annotations

import contextlib
import importlib.util
import os
import secrets
import socket
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from freeal.compute import cpu_threads
from freeal.errors import ConfigError, ExecutorError, Where
from freeal.settings import RaySettings

_INSTALL = "pip install 'freeal-daemon[ray]'"
_CONNECT_SECONDS = 10.0
_QUIET = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",
}


LOOPBACK = {
    **_QUIET,
    # its name speaks of other systems; what it does is to keep all nodes of a cluster on the loopback
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    # Ray's own 15 leaves a worker two hundredths of a core on a machine that does other things too
    "RAY_worker_niceness": "0",
    "RAY_AUTH_MODE": "token",
}
"""Read by Ray when it is imported, and by each of its processes, of a cluster of our own."""


def is_installed() -> bool:
    """Whether Ray can be imported; it is not imported to find out."""
    return importlib.util.find_spec("ray") is not None


def check_ray_settings(settings: RaySettings, *, where: Where | None = None) -> None:
    """Raises `ConfigError` for what cannot work, before anything is begun. `where` names who asks for Ray."""
    if not is_installed():
        raise ConfigError("Ray is not installed", where=where or Where(), hint=_INSTALL)
    if settings.address is not None and "://" in settings.address:
        raise ConfigError(
            f"{settings.address!r} goes through Ray's client server, which cannot see this machine's files",
            where=Where(key="ray.address"),
            hint="run this on a machine of the cluster (`ray start --address=HEAD:6379`) and give auto or HEAD:6379",
        )


def _check_answers(address: str) -> None:
    """Ray itself would wait for minutes. Raises `ConfigError`."""
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit():
        return  # `auto`, or Ray's own to judge
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_CONNECT_SECONDS).close()
    except OSError as cause:
        raise _no_cluster_error(f"{address}: {cause}") from cause


def _no_cluster_error(problem: str) -> ConfigError:
    return ConfigError(
        f"there is no Ray cluster that answers: {problem}",
        where=Where(key="ray.address"),
        hint="start one with `ray start --head`, or leave ray.address out for one on this machine",
    )


@contextlib.contextmanager
def joined_cluster(settings: RaySettings) -> Iterator[Any]:
    """The module ray, connected. To be called in a process of its own: Ray takes over SIGTERM, threads and exit.

    Raises `ConfigError` where there is no cluster at the address, `ExecutorError` where none can be started.
    """
    check_ray_settings(settings)
    own = settings.address is None
    if settings.address is not None:
        _check_answers(settings.address)
    os.environ.update(LOOPBACK | {"RAY_AUTH_TOKEN": secrets.token_hex(32)} if own else _QUIET)
    import ray

    with tempfile.TemporaryDirectory(prefix="freeal-ray-", ignore_cleanup_errors=True) as folder:
        try:
            if own:
                ray.init(**_own_cluster(settings, Path(folder)))
            else:
                ray.init(address=settings.address, log_to_driver=False)
        except ConnectionError as cause:
            raise _no_cluster_error(_first_line(cause)) from cause
        except Exception as cause:  # the plain class too: for a node that is not up within Ray's own half minute
            hint = "try again when the machine is less busy" if "timed out" in str(cause) else None
            raise ExecutorError(f"Ray could not be started: {_first_line(cause)}", hint=hint) from cause
        try:
            yield ray
        finally:
            ray.shutdown()


def _own_cluster(settings: RaySettings, folder: Path) -> dict[str, Any]:
    workers = settings.workers or max(1, round(cpu_threads.cores() / settings.cpus_per_worker))
    return {
        "address": "local",
        "num_cpus": max(1, round(workers * settings.cpus_per_worker)),
        "include_dashboard": False,
        "log_to_driver": False,
        "object_store_memory": settings.object_store_mb * 1_000_000,
        "_temp_dir": os.fspath(folder),  # short: the paths of its sockets end at 107 characters
    }


def _first_line(error: BaseException) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
