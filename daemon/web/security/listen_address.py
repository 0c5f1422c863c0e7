"""Where the page listens: its socket, and the address to type."""

from __future__ import annotations

import ipaddress
import socket

from daemon.config import WebSettings
from freeal.errors import ConfigError, Where

_BACKLOG = 128


def bind_listener(web: WebSettings, *, source: str) -> socket.socket:
    """A socket that listens at `web.host` and `web.port`. `source` is the file that says so.

    Raises `ConfigError` when the address is not ours, or taken: nothing else has begun by then.
    """
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            web.host, web.port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except OSError as cause:
        where = Where(file=source, key="web.host")
        raise ConfigError(f"{web.host!r} is no address to listen on", where=where, hint="use 127.0.0.1") from cause
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(_BACKLOG)
    except OSError as cause:
        listener.close()
        raise ConfigError(
            f"the live page cannot listen on {web.host} port {web.port}: {cause.strerror}",
            where=Where(file=source, key="web.port"),
            hint="choose another port (0 takes any free one), stop what listens there, or set web.enabled to false",
        ) from cause
    listener.settimeout(0.0)
    return listener


def listen_url(listener: socket.socket) -> str:
    """What to type into a browser on this machine."""
    host, port = listener.getsockname()[:2]
    if ipaddress.ip_address(host).is_unspecified:
        host = "localhost"
    return f"http://[{host}]:{port}/" if ":" in host else f"http://{host}:{port}/"


def is_loopback(listener: socket.socket) -> bool:
    """Whether only this machine can reach it."""
    return ipaddress.ip_address(listener.getsockname()[0]).is_loopback
