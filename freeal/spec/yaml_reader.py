"""YAML read as a person means it: scalars stay text until a model says otherwise, errors know their line.

Plain YAML turns the label `no` into False and `007` into 7. Here only null is special; pydantic converts the rest where
a field asks for a number. Refused are aliases (they are how a small file grows into gigabytes), tags (they are how a
value becomes an object), nesting deeper than any of our files needs (it exhausts the parser) and repeated keys.
"""

from __future__ import annotations

import contextlib
import dataclasses
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from freeal.errors import ConfigError, FreealError, Problem, Where
from freeal.files import regular_file
from freeal.files.regular_file import Links
from freeal.spec import validation_messages, yaml_advice
from freeal.spec.value_faults import KeyPath
from freeal.text.invisible_characters import invisible

MAX_BYTES = 300_000
"""Parsing takes seconds per megabyte."""
MAX_DEPTH = 12
_LONE_SURROGATE = re.compile("[\ud800-\udfff]")

_LINE_END = re.compile("\r\n|[\n\r\x85\u2028\u2029]")
"""As PyYAML counts lines."""
_CUT_OFF = re.compile(r"\s*(#[^\s#!].*?)\s*$")
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
    comments: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What YAML took for a comment though it may be the end of a text, `#12`, by the dotted key of that text."""

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
    source = _LINE_END.split(text)
    try:
        return _yaml_document(text, source, path, error)
    except yaml.MarkedYAMLError as cause:
        mark = cause.problem_mark or cause.context_mark
        where = Where(file=path, line=None if mark is None else mark.line + 1)
        problem = f"is not valid YAML: {cause.problem or cause.context}"
        raise error(problem, where=where, hint=yaml_advice.yaml_advice(cause, source)) from cause
    except yaml.reader.ReaderError as cause:
        where = Where(file=path, line=text.count("\n", 0, cause.position) + 1)
        problem = f"holds the character {chr(cause.character)!a}, which YAML does not allow"
        raise error(problem, where=where, hint="remove it, and save the file as UTF-8 text") from cause
    except FreealError:
        raise
    except Exception as cause:  # PyYAML lets ValueError, OverflowError, RecursionError and more through
        line = _yaml_line_reached(text)
        where = Where(file=path, line=line)
        problem = f"is not valid YAML: the parser gave up ({' '.join(str(cause).split())[:80]})"
        raise error(
            problem, where=where, hint=_GAVE_UP if "\\" in source[line - 1] else yaml_advice.IN_QUOTES
        ) from cause


def _yaml_document(text: str, source: Sequence[str], path: Path, error: type[ConfigError]) -> Document:
    for trick in _yaml_tricks(text):
        raise error(trick.problem, where=Where(file=path, line=trick.line), hint=trick.hint)
    loader = _TextLoader(text)
    node = loader.get_single_node()
    if node is None:
        return Document(path, {}, {})
    if not isinstance(node, yaml.MappingNode):
        where = Where(file=path, line=node.start_mark.line + 1)
        raise error("must be a mapping of keys to values", where=where, hint=_problem_of_no_mapping(text))
    walk = _Walk(source, path, error)
    walk.visit(node, ())
    return Document(path, loader.construct_document(node), walk.lines, walk.comments)


def _yaml_line_reached(text: str) -> int:
    """The line at which reading the YAML breaks off."""
    loader = yaml.SafeLoader(text)
    with contextlib.suppress(Exception):
        while loader.check_token():
            loader.get_token()  # type: ignore[no-untyped-call]
    return int(loader.line) + 1


_GAVE_UP = (
    "a backslash in double quotes begins an escape such as \\u00e9: use 'single quotes', or write the text plainly"
)


def _problem_of_no_mapping(text: str) -> str:
    if odd := [found for found in invisible(text.replace("\n", " ").replace("\r", " ")) if found != "U+0009"]:
        return f"it holds {', '.join(odd)}, which looks like a space or like nothing: type it anew"
    if re.search(r"^[A-Za-z_]+:\S", text, re.MULTILINE):
        return "a colon is followed by a space: `labels: [a, b]`"
    return "for example `description: ...`"


@dataclasses.dataclass(frozen=True)
class _Trick:
    """What no settings file needs and a hostile one may hold."""

    problem: str
    hint: str
    line: int | None


def _yaml_tricks(text: str) -> Iterator[_Trick]:
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
            hint = f'write the value out; a text that begins with * stands in quotes: "*{event.anchor}"'
            yield _Trick(f"uses the alias *{event.anchor}", hint, line)
        elif (anchor := getattr(event, "anchor", None)) is not None:
            hint = f'leave it out; a text that begins with & stands in quotes: "&{anchor}"'
            yield _Trick(f"uses the anchor &{anchor}", hint, line)
        if (tag := getattr(event, "tag", None)) is not None:
            yield _Trick(
                f"uses the tag {tag}", f'leave the tag out; a text that begins with ! stands in quotes: "{tag}"', line
            )
        if isinstance(event, yaml.ScalarEvent) and _LONE_SURROGATE.search(event.value):
            yield _Trick("holds half a character (a lone surrogate)", "write the character itself", line)


class _Walk:
    """Where each key and item stands, and what of its line YAML took for a comment."""

    def __init__(self, source: Sequence[str], path: Path, error: type[ConfigError]) -> None:
        self._source = source
        self._path = path
        self._error = error
        self.lines: dict[KeyPath, int] = {}
        self.comments: dict[str, str] = {}

    def visit(self, node: yaml.Node, prefix: KeyPath) -> None:
        if isinstance(node, yaml.MappingNode):
            for key_node, value_node in node.value:
                self._enter_key((*prefix, self._key_of_node(key_node, prefix)), key_node, value_node)
        elif isinstance(node, yaml.SequenceNode):
            for position, item in enumerate(node.value):
                self._enter_key((*prefix, position), item, item)

    def _enter_key(self, key_path: KeyPath, at: yaml.Node, value: yaml.Node) -> None:
        self.lines[key_path] = at.start_mark.line + 1
        if isinstance(value, yaml.ScalarNode) and value.style is None:
            rest = self._source[value.end_mark.line : value.end_mark.line + 1]
            # a comment that is meant as one has a space behind its #
            if rest and (found := _CUT_OFF.match(rest[0], value.end_mark.column)):
                self.comments[dotted(key_path)] = found[1]
        self.visit(value, key_path)

    def _key_of_node(self, node: yaml.Node, prefix: KeyPath) -> str:
        where = Where(file=self._path, line=node.start_mark.line + 1, key=dotted(prefix) or None)
        if not isinstance(node, yaml.ScalarNode):
            hint = "a key is text; a text that begins with [ or { stands in quotes"
            raise self._error("has a list, or keys with values, in the place of a key", where=where, hint=hint)
        key = str(node.value)
        if node.tag.endswith(":null"):
            said = f"has {key} in the place of a key" if key else "has a value without a key"
            raise self._error(said, where=where, hint=f'a key that is called so stands in quotes: "{key or "null"}"')
        if (*prefix, key) in self.lines:
            stands = dataclasses.replace(where, key=dotted((*prefix, key)))
            raise self._error("stands twice", where=stands, hint="keep one of them")
        return key


def yaml_comment_faults(document: Document, sections: Iterable[str]) -> Iterator[Problem]:
    """Values below the top-level keys `sections` of which the YAML reader took a part, or all, for a comment."""
    for key, comment in document.comments.items():
        if key.partition(".")[0] in sections:
            hint = f'put the whole text in quotes, or a space behind the # if it is a comment: "... {comment}"'
            key_path = next(path for path in document.lines if dotted(path) == key)
            yield Problem(f"is cut off: YAML takes {comment!r} for a comment", document.where(key_path), hint)


def validate(
    model: type[Model], document: Document, error: type[ConfigError] = ConfigError, *, also: Iterable[Problem] = ()
) -> Model:
    """The document as a `model`. Raises one `error` for all that is wrong, in the order of the file's lines: `also`,
    and what the model says."""
    found = list(also)
    made: Model | None = None
    try:
        made = model.model_validate(document.data)
    except ValidationError as cause:
        known = {problem.where.key for problem in found}
        found += [
            problem
            for problem in validation_messages.validation_problems(model, cause, where=document.where)
            if problem.where.key not in known
        ]
    if made is None or found:
        raise error.of(sorted(found, key=lambda one: (one.where.line is None, one.where.line or 0)))
    return made
