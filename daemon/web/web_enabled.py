"""Whether there is a live page. Light: the page itself, and what it is made of, is loaded only where it is wanted."""

from __future__ import annotations

import contextlib
import importlib.util
from collections.abc import Callable, Coroutine, Iterator, Mapping
from typing import Any

from daemon.config import Loaded
from daemon.host import instance_lock
from daemon.host.clock import Clock
from daemon.journal.journal import Journal
from daemon.web.live.page_snapshot import Looks
from daemon.web.security import listen_address
from daemon.web.security.access_token import find_token
from freeal.errors import ConfigError, Where

Task = Callable[[], Coroutine[Any, Any, None]]

_PACKAGES = {"starlette": "starlette", "uvicorn": "uvicorn", "python_multipart": "python-multipart"}


@contextlib.contextmanager
def open_page_if_enabled(
    loaded: Loaded, *, once: bool, journal: Journal, clock: Clock, looks: Looks
) -> Iterator[tuple[Task, ...]]:
    """What is to run beside the service: the page, or nothing. A run with `--once` has none, it is soon over.

    Raises `ConfigError` where the extra is not installed, the address is taken or the token cannot be read.
    """
    if once or not loaded.settings.web.enabled:
        yield ()
        return
    _require_web_packages(loaded)
    from daemon.web.server import LivePage

    page = LivePage(loaded, journal=journal, clock=clock, looks=looks)
    try:
        yield (page.run,)
    finally:
        page.close()


def web_outlook(loaded: Loaded, environment: Mapping[str, str]) -> str:
    """Where the page will be and who may act on it, for `check`. Raises `ConfigError` like `open_page_if_enabled`;
    where a service runs on these settings it holds the address itself."""
    _require_web_packages(loaded)
    web = loaded.settings.web
    if not instance_lock.is_instance_running(loaded.settings.state):
        listen_address.bind_listener(web, source=loaded.sources["web.port"].partition(":")[0]).close()
    token = find_token(web, environ=environment, base=loaded.base, source=loaded.sources["web.token_file"])
    acting = "with the token, others look" if token else "freely on this machine, elsewhere they only look"
    return f"{web.host} port {web.port}; people act {acting}"


def _require_web_packages(loaded: Loaded) -> None:
    for module, package in _PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            raise ConfigError(
                f"the live page needs the package {package!r}, which is not installed",
                where=Where(file=loaded.sources["web.enabled"], key="web.enabled"),
                hint="pip install 'freeal-daemon[web]', or set it to false",
            )
