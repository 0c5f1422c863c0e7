"""The way to a server: its address, the proxy and the certificates that hold for it, and what made them hold.

The clients would read the environment by themselves and fail without a word on why; so it is read here, once, and both
are told. Nothing on this machine is ever reached through a proxy.
"""

from __future__ import annotations

import dataclasses
import ipaddress
import re
import socket
import ssl
import urllib.parse
from collections.abc import Mapping
from pathlib import Path

from freeal.errors import ConfigError, Where

_CERTIFICATE_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_DIR")
"""In order of precedence; the second and third are what other tools of a company's machine go by."""

_PROXY_SCHEMES = {"http": "http", "https": "https", "socks5": "socks5", "socks5h": "socks5h", "socks": "socks5"}
"""What we may be told, and what the clients call it: GNOME writes `socks://`."""


@dataclasses.dataclass(frozen=True, slots=True)
class Route:
    """How `address` is reached: `proxy` is None for directly; the variables are those that decided, where one did."""

    address: str
    proxy: str | None = None
    proxy_variable: str | None = None
    certificates: Path | None = None
    certificate_variable: str | None = None

    def tls_context(self) -> ssl.SSLContext | None:
        """The certificates to trust where the environment names some, else None: the client's own. Raises
        `ConfigError` for a file that is none."""
        if self.certificates is None:
            return None
        try:
            if self.certificates.is_dir():
                return ssl.create_default_context(capath=str(self.certificates))
            return ssl.create_default_context(cafile=str(self.certificates))
        except (OSError, ValueError) as cause:
            reason = "does not exist" if isinstance(cause, FileNotFoundError) else "holds no certificates"
            raise ConfigError(
                f"the environment variable {self.certificate_variable} names {self.certificates}, which {reason}",
                where=Where(key=self.certificate_variable),
                hint="name a file of certificates in PEM form, or unset the variable",
            ) from cause

    def why_unreachable(self, *, timeout_seconds: float) -> str | None:
        """Open a connection to the server, or to the proxy on the way, and close it: why that fails, else None."""
        url = urllib.parse.urlsplit(self.proxy or self.address)
        port = url.port or (443 if url.scheme == "https" else 1080 if url.scheme.startswith("socks") else 80)
        try:
            with socket.create_connection((url.hostname or "", port), timeout=timeout_seconds):
                return None
        except OSError as cause:
            return cause.strerror or "no answer in time"

    def __str__(self) -> str:
        """For messages: the address, and what stands on the way to it."""
        way = self.address
        if self.proxy is not None:
            way += f" through the proxy {_without_password(self.proxy)} (environment variable {self.proxy_variable})"
        return way

    def advice_on_failure(self, reason: str) -> str:
        """What to do where it could not be travelled, for this `reason`."""
        if "certificate" in reason.lower() or "ssl" in reason.lower():
            if self.certificate_variable is not None:
                return f"{self.certificate_variable} names {self.certificates}: are the right certificates in there?"
            return (
                "where a company's proxy signs with a certificate of its own, name its file in the environment "
                "variable SSL_CERT_FILE; for a server without https, llm.base_url begins with http://"
            )
        if self.proxy is not None:
            host = urllib.parse.urlsplit(self.address).hostname
            return f"check that proxy, or add {host} to NO_PROXY, or unset {self.proxy_variable}"
        return "is the server running, and is llm.base_url right?"


def route_to(address: str, environ: Mapping[str, str]) -> Route:
    """The way to a server at an http or https `address`, as `environ` has it. Raises `ConfigError` for an address, or
    a proxy that holds for it, that cannot be used."""
    url = _parsed_server_address(address)
    shown = urllib.parse.urlunsplit((url.scheme, url.netloc.rpartition("@")[2], url.path, "", ""))
    certificate_variable = next((name for name in _CERTIFICATE_VARIABLES if environ.get(name)), None)
    route = Route(
        shown,
        certificates=Path(environ[certificate_variable]) if certificate_variable and url.scheme == "https" else None,
        certificate_variable=certificate_variable,
    )
    host = (url.hostname or "").rstrip(".")
    if is_this_machine(host) or _is_exempt_from_proxy(host, url.port, environ):
        return route
    variable = _proxy_variable(url.scheme, environ)
    if variable is None:
        return route
    return dataclasses.replace(route, proxy=_proxy_url(environ[variable], variable), proxy_variable=variable)


def is_this_machine(host: str) -> bool:
    """Whether a host name or address is this machine's own."""
    if host.lower() == "localhost" or host.lower().endswith(".localhost"):
        return True
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return False
    return found.is_loopback or found.is_unspecified


def _parsed_server_address(address: str) -> urllib.parse.SplitResult:
    """A network route's end: the server's address, in its parts. Raises `ConfigError` for one that cannot be used."""
    where = Where(key="llm.base_url")
    try:
        url = urllib.parse.urlsplit(address)
        port_is_right = url.port is None or url.port > 0
    except ValueError as cause:
        raise ConfigError(f"{address!r} is no address: {cause}", where=where) from cause
    if url.scheme not in {"http", "https"} or not url.hostname or not port_is_right:
        raise ConfigError(
            f"{address!r} is no address of a server",
            where=where,
            hint="it begins with http:// or https://, for example http://127.0.0.1:8000/v1",
        )
    return url


def _proxy_variable(scheme: str, environ: Mapping[str, str]) -> str | None:
    """The variable that names a proxy for `scheme`; the lower-case name first, as curl has it."""
    names = (f"{scheme}_proxy", f"{scheme.upper()}_PROXY", "all_proxy", "ALL_PROXY")
    return next((name for name in names if environ.get(name, "").strip()), None)


def _proxy_url(value: str, variable: str) -> str:
    told = value.strip()
    scheme, separator, rest = told.partition("://")
    if not separator:
        scheme, rest = "http", told
    known = _PROXY_SCHEMES.get(scheme.lower())
    url = f"{known}://{rest}"
    try:
        parts = urllib.parse.urlsplit(url)
        is_usable = known is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        is_usable = False
    if not is_usable:
        raise ConfigError(
            f"the environment variable {variable} names the proxy {_without_password(told)!r}, which cannot be used",
            where=Where(key=variable),
            hint=f"it begins with {', '.join(f'{name}://' for name in ('http', 'https', 'socks5', 'socks5h'))}; or "
            "add the server to NO_PROXY, or unset the variable",
        )
    return url


def _is_exempt_from_proxy(host: str, port: int | None, environ: Mapping[str, str]) -> bool:
    """Whether NO_PROXY names this host: itself, a domain above it, an address range, or `*`."""
    listed = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    for entry in re.split(r"[,\s]+", listed.strip().lower()):
        name = entry.partition("://")[2] or entry
        if name == "*":
            return True
        found = re.fullmatch(r"(\[.*\]|[^:\[\]]+)(?::(\d+))?", name)
        wanted, wanted_port = found.groups() if found is not None else (name, None)
        if wanted_port and wanted_port != str(port):
            continue
        if name and _no_proxy_entry_covers(wanted.strip("[]"), host.lower()):
            return True
    return False


def _no_proxy_entry_covers(wanted: str, host: str) -> bool:
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(wanted, strict=False)
    except ValueError:
        domain = wanted.removeprefix("*").removeprefix(".")
        return bool(domain) and (host == domain or host.endswith(f".{domain}"))


def _without_password(proxy: str) -> str:
    before, at, host = proxy.rpartition("@")
    scheme, separator, _ = before.partition("://")
    return f"{scheme}{separator}****@{host}" if at else proxy
