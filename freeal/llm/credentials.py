"""Where API keys come from. The only library module that is told of the environment; keys never show in a repr.

Order: an explicit key, the service manager's credentials folder, the file an environment variable names, the variable
itself, and for Anthropic `api_key.py`, which is read as text for its one literal and never executed.
"""

from __future__ import annotations

import ast
import dataclasses
from collections.abc import Mapping
from pathlib import Path

from freeal.errors import CredentialsError, Where

_MAX_KEY_CHARACTERS = 4_096

_PREFIXES = {"anthropic": "ANTHROPIC_", "openai": "OPENAI_"}
"""Whatever begins so is for one provider's clients: keys, and headers that may hold one (ANTHROPIC_CUSTOM_HEADERS)."""

_SHARED_VARIABLES = ("CREDENTIALS_DIRECTORY",)


@dataclasses.dataclass(frozen=True, slots=True)
class ApiKey:
    """A secret and where it was found. Only `reveal` shows it."""

    _secret: str = dataclasses.field(repr=False)
    source: str

    def reveal(self) -> str:
        """The key itself, for the one place that sends it."""
        return self._secret

    def __repr__(self) -> str:
        return f"ApiKey(****, source={self.source!r})"

    __str__ = __repr__

    def __reduce__(self) -> str | tuple[object, ...]:
        raise TypeError("an API key is not written anywhere")


def find_anthropic_key(explicit: str | None, *, environ: Mapping[str, str], folder: Path) -> ApiKey | None:
    """The Anthropic key, or None. `folder` is where `api_key.py` may stand.

    Raises `CredentialsError` when a place that is named holds no usable key: a wrong key must not fall back to another.
    """
    found = _find_api_key(explicit, "ANTHROPIC_API_KEY", environ)
    if found is not None:
        return found
    path = folder / "api_key.py"
    return _checked_api_key(_key_literal_of(path), f"{path}", Where(file=path)) if path.is_file() else None


def find_openai_key(explicit: str | None, *, environ: Mapping[str, str]) -> ApiKey | None:
    """The key of an OpenAI-compatible server, or None: local ones need none. Raises like `find_anthropic_key`."""
    return _find_api_key(explicit, "OPENAI_API_KEY", environ)


def environment_for(provider: str | None, environ: Mapping[str, str]) -> dict[str, str]:
    """`environ` for a process that talks to `provider` (None: to nobody), without the secrets it has no use for."""
    hidden = tuple(prefix for other, prefix in _PREFIXES.items() if other != provider)
    kept = {name: value for name, value in environ.items() if not name.upper().startswith(hidden)}
    if provider not in _PREFIXES:
        for name in _SHARED_VARIABLES:
            kept.pop(name, None)
    return kept


def _find_api_key(explicit: str | None, variable: str, environ: Mapping[str, str]) -> ApiKey | None:
    if explicit is not None:
        return _checked_api_key(explicit, "the command line", Where(key="--api-key"))
    credentials_folder = environ.get("CREDENTIALS_DIRECTORY")
    if credentials_folder:
        path = Path(credentials_folder) / variable.lower()
        if path.is_file():
            return _checked_api_key(_read_key_file(path), f"{path}", Where(file=path))
    named_file = environ.get(f"{variable}_FILE")
    if named_file:
        path = Path(named_file)
        return _checked_api_key(
            _read_key_file(path), f"{variable}_FILE ({path})", Where(file=path, key=f"{variable}_FILE")
        )
    value = environ.get(variable)
    return _checked_api_key(value, variable, Where(key=variable)) if value else None


def _checked_api_key(secret: str, source: str, where: Where) -> ApiKey:
    secret = secret.strip()
    if not secret:
        raise CredentialsError("holds no API key", where=where, hint="put the key there, or remove it")
    if len(secret) > _MAX_KEY_CHARACTERS or not all(33 <= ord(character) <= 126 for character in secret):
        raise CredentialsError(
            "is not an API key", where=where, hint="one line of visible ASCII characters without blanks is expected"
        )
    return ApiKey(secret, source)


def _read_key_file(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except OSError as cause:
        raise CredentialsError(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    except UnicodeDecodeError as cause:
        raise CredentialsError("is not a text file", where=Where(file=path)) from cause


def default_model_beside(folder: Path) -> str | None:
    """What `api_key.py` in `folder` assigns to `default_model`. Nothing goes by it: it is for saying so."""
    path = folder / "api_key.py"
    try:
        return dict(_string_literals_of(path)).get("default_model") if path.is_file() else None
    except CredentialsError:  # whoever needs the key of it will say what is wrong
        return None


def _key_literal_of(path: Path) -> str:
    found = _string_literals_of(path)
    if len(found) > 1:  # other settings may stand beside the key
        found = [(name, literal) for name, literal in found if "key" in name.lower()]
    if len(found) > 1:
        found = [(name, literal) for name, literal in found if "anthropic" in name.lower()]
    if len(found) != 1:
        raise CredentialsError(
            "does not say which of its string literals is the key"
            if _string_literals_of(path)
            else "assigns no string literal",
            where=Where(file=path),
            hint='one like `anthropic_api_key = "sk-ant-..."` is expected; the file is read, never executed',
        )
    return found[0][1]


def _string_literals_of(path: Path) -> list[tuple[str, str]]:
    """(name, text) of every text that the file assigns to a plain name."""
    source = _read_key_file(path)
    try:
        module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # `from None`: a SyntaxError quotes the line, which may hold the key.
        raise CredentialsError("is not a Python file", where=Where(file=path)) from None
    return [
        (target.id, statement.value.value)
        for statement in module.body
        if isinstance(statement, ast.Assign | ast.AnnAssign)
        for target in (statement.targets if isinstance(statement, ast.Assign) else [statement.target])
        if isinstance(target, ast.Name)
        if isinstance(statement.value, ast.Constant) and isinstance(statement.value.value, str)
    ]
