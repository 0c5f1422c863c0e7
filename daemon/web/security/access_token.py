"""Who may act. Looking is free; acting wants a token where one is set, and cannot be had beyond loopback without."""

from __future__ import annotations

import dataclasses
import hashlib
import hmac
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path

from daemon.config import WebSettings
from daemon.host.clock import Clock
from freeal.errors import ConfigError, Where
from freeal.files import home_folder

SESSION_COOKIE = "freeal_session"
VISIT_COOKIE = "freeal_visit"
SESSION_SECONDS = 12 * 3600.0
LEAST_CHARACTERS = 16
CREDENTIAL = "web_token"


@dataclasses.dataclass(frozen=True, slots=True)
class Token:
    """The secret that allows to act. Never shown."""

    secret: str = dataclasses.field(repr=False)


def find_token(web: WebSettings, *, environ: Mapping[str, str], base: Path, source: str) -> Token | None:
    """The token: the service manager's credential `web_token`, else the file `web.token_file`, else None.

    Raises `ConfigError` where a place that is named holds none: a mistake must not open the door.
    """
    folder = environ.get("CREDENTIALS_DIRECTORY")
    if folder and (path := Path(folder) / CREDENTIAL).is_file():
        return _read_token(path, source)
    return (
        None
        if web.token_file is None
        else _read_token(
            base / home_folder.expanded_home(web.token_file, Where(file=source, key="web.token_file")), source
        )
    )


def _read_token(path: Path, source: str) -> Token:
    where = Where(file=source, key="web.token_file")
    try:
        secret = path.read_text("utf-8").strip()
    except OSError as cause:
        raise ConfigError(f"{path} cannot be read: {cause.strerror}", where=where) from cause
    except UnicodeDecodeError as cause:
        raise ConfigError(f"{path} is not a text file", where=where) from cause
    if re.fullmatch(r"[!-~]+", secret) is None or len(secret) < LEAST_CHARACTERS:
        raise ConfigError(
            f"{path} holds no usable token",
            where=where,
            hint=f"one line of at least {LEAST_CHARACTERS} visible ASCII characters: "
            "python -c 'import secrets; print(secrets.token_urlsafe(32))'",
        )
    return Token(secret)


class Access:
    """Decides by what a request brings. Sessions and form tokens end with the process that gave them."""

    def __init__(self, token: Token | None, clock: Clock, *, on_loopback: bool) -> None:
        self._token = token
        self._clock = clock
        self._on_loopback = on_loopback
        self._secret = secrets.token_bytes(32)

    @property
    def has_token(self) -> bool:
        """Whether there is a token to log in with."""
        return self._token is not None

    def may_act(self, *, session: str, authorization: str) -> bool:
        """Whether a request with this session cookie and Authorization header may change anything."""
        if self._token is None:
            return self._on_loopback
        return self.is_bearer(authorization) or self._is_session(session)

    def is_bearer(self, authorization: str) -> bool:
        """Whether the Authorization header carries the token. A browser sends none by itself: no form token needed."""
        scheme, _, secret = authorization.partition(" ")
        return scheme.lower() == "bearer" and self.is_token(secret.strip())

    def is_token(self, secret: str) -> bool:
        """Whether this is the token; takes as long for a wrong one."""
        return self._token is not None and _same(secret, self._token.secret)

    def new_session(self) -> str:
        """The value of a session cookie."""
        end = f"{self._clock.wall() + SESSION_SECONDS:.0f}"
        return f"{end}.{self._sign(f'session {end}')}"

    def _is_session(self, value: str) -> bool:
        end, _, signature = value.partition(".")
        return _same(signature, self._sign(f"session {end}")) and end.isdigit() and int(end) > self._clock.wall()

    def new_visit(self) -> str:
        """The value of a cookie that form tokens are bound to."""
        return secrets.token_hex(16)

    def form_token(self, visit: str) -> str:
        """What forms on a page for this visit must bring back."""
        return self._sign(f"form {visit}")

    def is_form_token(self, value: str, *, visit: str) -> bool:
        """Whether a form was made by us for this visit."""
        return bool(visit) and _same(value, self.form_token(visit))

    def _sign(self, text: str) -> str:
        return hmac.new(self._secret, os.fsencode(text), hashlib.sha256).hexdigest()


def _same(one: str, other: str) -> bool:
    return hmac.compare_digest(one.encode(errors="surrogateescape"), other.encode(errors="surrogateescape"))
