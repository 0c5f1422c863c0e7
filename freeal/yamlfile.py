"""YAML read as a person means it: scalars stay text until a model says otherwise, errors know their line.

Plain YAML turns the label `no` into False and `007` into 7. Here only null is special; pydantic converts the rest where
a field asks for a number. Aliases are refused (they are how a small file grows into gigabytes), as are repeated keys.
"""

from __future__ import annotations

import dataclasses
import difflib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from freeal.errors import ConfigError, Where

MAX_BYTES = 1_000_000

KeyPath = tuple[str | int, ...]
Model = TypeVar("Model", bound=BaseModel)


class _TextLoader(yaml.SafeLoader):
    """SafeLoader with null as the only implicit type."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 - pyyaml's own attribute


_TextLoader.add_implicit_resolver("tag:yaml.org,2002:null", re.compile(r"^(?:~|null|Null|NULL|)$"), ["~", "n", "N", ""])


@dataclasses.dataclass(frozen=True)
class Document:
    """A parsed mapping and the line of each of its keys."""

    path: Path
    data: dict[str, Any]
    lines: Mapping[KeyPath, int]

    def where(self, key_path: KeyPath) -> Where:
        """The place of a key, or of its nearest parent that has one."""
        parent = key_path
        while parent and parent not in self.lines:
            parent = parent[:-1]
        return Where(file=self.path, line=self.lines.get(parent), key=dotted(key_path) or None)


def dotted(key_path: Iterable[str | int]) -> str:
    """`("llm", "provider")` as `llm.provider`."""
    return ".".join(str(part) for part in key_path)


def nearest(wrong: str, known: Iterable[str]) -> str | None:
    """The known name a person most likely meant, or None."""
    by_lower = {name.lower(): name for name in known}
    found = difflib.get_close_matches(wrong.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def load(path: Path, error: type[ConfigError] = ConfigError) -> Document:
    """Read a mapping from a YAML file. Raises `error` naming file and line."""
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise error(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    if len(content) > MAX_BYTES:
        raise error(f"is {len(content):,} bytes long; at most {MAX_BYTES:,} are read", where=Where(file=path))
    try:
        return parse(content.decode("utf-8-sig"), path, error)
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise error("is not UTF-8 text", where=Where(file=path, line=line), hint="save it as UTF-8") from cause


def parse(text: str, path: Path, error: type[ConfigError] = ConfigError) -> Document:
    """`load` for text already in memory; `path` is for messages only."""
    loader = _TextLoader(text)
    try:
        for event in yaml.parse(text, Loader=yaml.SafeLoader):
            if isinstance(event, yaml.AliasEvent):
                where = Where(file=path, line=event.start_mark.line + 1 if event.start_mark else None)
                raise error(f"uses the alias *{event.anchor}", where=where, hint="write the value out")
        node = loader.get_single_node()
        if node is None:
            return Document(path, {}, {})
        if not isinstance(node, yaml.MappingNode):
            raise error(
                "must be a mapping of keys to values",
                where=Where(file=path, line=node.start_mark.line + 1),
                hint="for example `description: ...`",
            )
        lines = dict(_key_lines(node, (), path, error))
        return Document(path, loader.construct_document(node), lines)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        line = None if mark is None else mark.line + 1
        raise error(
            f"is not valid YAML: {cause.problem or cause.context}", where=Where(file=path, line=line)
        ) from cause
    except yaml.YAMLError as cause:
        raise error(f"is not valid YAML: {cause}", where=Where(file=path)) from cause
    finally:
        loader.dispose()


def _key_lines(node: yaml.Node, prefix: KeyPath, path: Path, error: type[ConfigError]) -> Iterable[tuple[KeyPath, int]]:
    if isinstance(node, yaml.MappingNode):
        seen: set[str] = set()
        for key_node, value_node in node.value:
            key, line = str(key_node.value), key_node.start_mark.line + 1
            if key in seen:
                raise error(
                    "stands twice",
                    where=Where(file=path, line=line, key=dotted((*prefix, key))),
                    hint="keep one of them",
                )
            seen.add(key)
            yield (*prefix, key), line
            yield from _key_lines(value_node, (*prefix, key), path, error)
    elif isinstance(node, yaml.SequenceNode):
        for position, item in enumerate(node.value):
            yield (*prefix, position), item.start_mark.line + 1
            yield from _key_lines(item, (*prefix, position), path, error)


def validate(model: type[Model], document: Document, error: type[ConfigError] = ConfigError) -> Model:
    """The document as a `model`. Raises `error` for the first problem, counting the others."""
    try:
        return model.model_validate(document.data)
    except ValidationError as cause:
        problems = cause.errors(include_url=False)
        first = min(problems, key=lambda problem: problem["type"] != "extra_forbidden")
        key_path = tuple(part for part in first["loc"])
        message, hint = _explain(model, key_path, dict(first))
        if len(problems) > 1:
            message += f"; {len(problems) - 1} more problem{'s' if len(problems) > 2 else ''} in this file"
        raise error(message, where=document.where(key_path), hint=hint) from cause


def _explain(model: type[BaseModel], key_path: KeyPath, problem: Mapping[str, Any]) -> tuple[str, str | None]:
    if problem["type"] == "extra_forbidden":
        known = list(_fields_at(model, key_path[:-1]))
        guess = nearest(str(key_path[-1]), known)
        return "unknown key", f"did you mean {guess!r}?" if guess else f"known keys: {', '.join(known)}"
    if problem["type"] == "missing":
        return "is required", None
    reason = str(problem["msg"]).removeprefix("Value error, ")
    shown = repr(problem["input"])
    if len(shown) > 80 and isinstance(problem["input"], dict | list | tuple):
        return f"{reason[:1].lower()}{reason[1:]}", None  # half a file or a long list: showing its start helps nobody
    return f"{reason[:1].lower()}{reason[1:]}, found {shown if len(shown) <= 80 else shown[:77] + '...'}", None


def _fields_at(model: type[BaseModel], key_path: KeyPath) -> Iterable[str]:
    for part in key_path:
        field = model.model_fields.get(str(part))
        inner = field.annotation if field is not None else None
        if not (isinstance(inner, type) and issubclass(inner, BaseModel)):
            return ()
        model = inner
    return model.model_fields
