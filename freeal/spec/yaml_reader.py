"""YAML read as a person means it: scalars stay text until a model says otherwise, errors know their line.

Plain YAML turns the label `no` into False and `007` into 7. Here only null is special; pydantic converts the rest where
a field asks for a number. Refused are aliases (they are how a small file grows into gigabytes), tags (they are how a
value becomes an object), nesting deeper than any of our files needs (it exhausts the parser) and repeated keys.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from freeal.errors import ConfigError, Problem, Where
from freeal.files import regular_file
from freeal.files.regular_file import Links
from freeal.text.closest_name import nearest

MAX_BYTES = 300_000
"""Parsing takes seconds per megabyte."""
MAX_DEPTH = 12
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

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


def load(path: Path, error: type[ConfigError] = ConfigError, *, links: Links = "follow") -> Document:
    """Read a mapping from a YAML file. Raises `error` naming file and line."""
    try:
        content = regular_file.read(path, most_bytes=MAX_BYTES, links=links)
    except OSError as cause:
        raise error(f"cannot be read: {cause.strerror}", where=Where(file=path)) from cause
    if len(content) > MAX_BYTES:
        hint = "many examples belong into a JSON file beside it"
        raise error(f"is longer than {MAX_BYTES:,} bytes: more is not read", where=Where(file=path), hint=hint)
    try:
        return parse(content.decode("utf-8-sig"), path, error)
    except UnicodeDecodeError as cause:
        line = content[: cause.start].count(b"\n") + 1
        raise error("is not UTF-8 text", where=Where(file=path, line=line), hint="save it as UTF-8") from cause


def parse(text: str, path: Path, error: type[ConfigError] = ConfigError) -> Document:
    """`load` for text already in memory; `path` is for messages only."""
    try:
        for trick in _tricks(text):
            raise error(trick.problem, where=Where(file=path, line=trick.line), hint=trick.hint)
        loader = _TextLoader(text)
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
    except yaml.reader.ReaderError as cause:
        where = Where(file=path, line=text.count("\n", 0, cause.position) + 1)
        raise error(f"holds the character {chr(cause.character)!a}, which YAML does not allow", where=where) from cause
    except yaml.YAMLError as cause:
        raise error(f"is not valid YAML: {cause}", where=Where(file=path)) from cause


@dataclasses.dataclass(frozen=True)
class _Trick:
    """What no settings file needs and a hostile one may hold."""

    problem: str
    hint: str
    line: int | None


def _tricks(text: str) -> Iterator[_Trick]:
    depth = 0
    for event in yaml.parse(text, Loader=yaml.SafeLoader):
        line = event.start_mark.line + 1 if event.start_mark else None
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            yield _Trick(f"is nested more than {MAX_DEPTH} deep", "write it flat", line)
        if isinstance(event, yaml.AliasEvent):
            yield _Trick(f"uses the alias *{event.anchor}", "write the value out", line)
        if (tag := getattr(event, "tag", None)) is not None:
            yield _Trick(f"uses the tag {tag}", "leave the tag out", line)
        if isinstance(event, yaml.ScalarEvent) and _LONE_SURROGATE.search(event.value):
            yield _Trick("holds half a character (a lone surrogate)", "write the character itself", line)


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
    """The document as a `model`. Raises one `error` for all that is wrong, in the order of the file's lines."""
    try:
        return model.model_validate(document.data)
    except ValidationError as cause:
        found = []
        for problem in cause.errors(include_url=False):
            message, hint = _explain(model, problem["loc"], dict(problem))
            found.append(Problem(message, document.where(problem["loc"]), hint))
        # what is missing has no line and comes last, behind the misspelt key that often explains it
        found.sort(key=lambda one: (one.where.line is None, one.where.line or 0))
        raise error.of(found) from cause


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
