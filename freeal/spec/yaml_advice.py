"""What to do about a YAML file that cannot be parsed: the parser says what it stumbled over, not what was meant."""

from __future__ import annotations

import re
from collections.abc import Sequence

import yaml

from freeal.text.invisible_characters import invisible

_SIGNS = "@ ` % & * ! | > [ { # - ?"
IN_QUOTES = f"a text that begins with one of {_SIGNS}, or has `: ` or ` #` in it, stands in quotes"
_SAME_COLUMN = "what belongs together begins in the same column, further right than the key above it"

_LEVEL = f"{_SAME_COLUMN}; a level holds either `- items` or `key: value`, and no text follows a closing quotation mark"

_BY_PROBLEM: tuple[tuple[str, str], ...] = (
    ("sequence entries are not allowed", "each `- item` stands on a line of its own, below its key"),
    ("mapping keys are not allowed", f"a `?` at the beginning of a text makes it a key: {IN_QUOTES}"),
    (
        "mapping values are not allowed",
        f"put a text with `: ` in it in quotes; a key begins a line, and {_SAME_COLUMN}",
    ),
    (
        "could not find expected ':'",
        "a key is followed by a colon and a space, `key: value`; else put the text in quotes",
    ),
    ("unexpected end of stream", "a quotation mark is opened and never closed"),
    ("unexpected document separator", "a quotation mark is opened and not closed before `---`"),
    ("unknown escape character", "in double quotes a backslash begins an escape: use 'single quotes', or \\\\"),
    ("escape sequence of", "in double quotes a backslash begins an escape: use 'single quotes', or \\\\"),
    ("alphabetic or numeric character", IN_QUOTES),
    ("cannot start any token", IN_QUOTES),
    (
        "expected ',' or ']'",
        "a list in brackets needs a comma between its items and `]` at its end; ` #` begins a comment",
    ),
    ("expected ',' or '}'", "keys in braces need a comma between them and `}` at their end; ` #` begins a comment"),
    ("unclosed '[' or '{'", f"close the bracket or brace, and see that {_SAME_COLUMN}"),
    ("expected <block end>", _LEVEL),
    ("expected the node content", f"a value is missing, or: {IN_QUOTES}"),
    ("indentation indicator", "| and > stand alone, their text on the lines below; else put the text in quotes"),
    ("chomping or indentation", "| and > stand alone, their text on the lines below; else put the text in quotes"),
    ("a comment or a line break", "| and > stand alone, their text on the lines below; else put the text in quotes"),
    ("expected a single document", "leave the second `---` out: a file holds one document"),
    ("expected '<document start>'", f"nothing comes behind `...`, or a line of `---` is missing; {_SAME_COLUMN}"),
    ("expected a digit", f"% at the beginning of a line is for YAML itself: {IN_QUOTES}"),
    ("YAML directive", f"% at the beginning of a line is for YAML itself: {IN_QUOTES}"),
    ("incompatible YAML document", f"% at the beginning of a line is for YAML itself: {IN_QUOTES}"),
    ("expected ' '", IN_QUOTES),
    ("tag", f"! at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("URI", f"! at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("expected '!'", f"! at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("expected '>'", f"! at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("anchor", f"& at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("alias", f"* at the beginning of a text is for YAML itself: {IN_QUOTES}"),
    ("unhashable key", f"a key is text: {IN_QUOTES}"),
    ("duplicate key", "keep one of them"),
)
"""Part of what PyYAML says, and what to do. In order: the first that fits."""


def yaml_advice(cause: yaml.MarkedYAMLError, lines: Sequence[str]) -> str:
    """What to do about a failure to parse `lines`."""
    last = _line_of(cause.problem_mark, default=len(lines))
    first = min(last, _line_of(cause.context_mark, default=last))
    if typed := _wrongly_typed_characters(lines, first, last):
        return typed
    problem = f"{cause.context or ''} {cause.problem or ''}"
    near = _line_with_quoted_text(problem, lines[last - 1 : last]) or _space_is_missing(problem, lines, first, last)
    if near := near or _text_behind_quotes(problem, lines[last - 1 : last]) or _list_is_cut_off(problem, lines[:last]):
        return near
    found = next((what for part, what in _BY_PROBLEM if part in problem), None)
    if found is None:
        return IN_QUOTES
    return f"{found} (it begins on line {first})" if first < last and "opened" in found else found


def _line_of(mark: yaml.Mark | None, *, default: int) -> int:
    return default if mark is None else mark.line + 1


def _wrongly_typed_characters(lines: Sequence[str], first: int, last: int) -> str | None:
    """Tabs before a line, spaces of another kind, curly quotation marks: nobody sees a difference."""
    for number in range(max(1, first - 1), min(last, len(lines)) + 1):
        line = lines[number - 1]
        indent = line[: len(line) - len(line.lstrip())]
        if "\t" in indent:
            return f"line {number} begins with a tab: put spaces in its place"
        if odd := [found for found in invisible(line) if found != "U+0009"]:
            return f"line {number} holds {', '.join(odd)}, which looks like a space or like nothing: type it anew"
        if re.search("[:,[{-]\\s*[\u201c\u201d\u201e\u2018]", line):
            return f"line {number} has curly quotation marks, which are none to YAML: put straight ones in their place"
    return None


def _line_with_quoted_text(problem: str, line: Sequence[str]) -> str | None:
    """The line as it is right, where it is a key with one text that holds what it must not."""
    if "\\t" in problem:
        return "put spaces in place of the tab"
    if "mapping values" not in problem and "cannot start" not in problem and "alphabetic" not in problem:
        return None
    found = re.fullmatch(r"\s*((?:- )?(?:[\w.-]+: )?)([^\"'\[{][^\"]*?)\s*", line[0]) if line else None
    if found is None or not found[1] or len(found[2]) > 100:
        return None
    return f'put the text in quotes: {found[1]}"{found[2]}"'


def _text_behind_quotes(problem: str, line: Sequence[str]) -> str | None:
    if "expected <block end>, but found '<scalar>'" not in problem or not line:
        return None
    if re.search(r"[:-]\s+'", line[0]):
        return "in 'single quotes' an apostrophe ends the text: put it in \"double quotes\""
    if re.search(r"[:-]\s+[\"\[{]", line[0]):
        return f"the text goes on behind its quotation mark or bracket: put all of it in quotes; {IN_QUOTES}"
    return None


def _list_is_cut_off(problem: str, lines: Sequence[str]) -> str | None:
    """`labels: [a, b, #c]`: the comment takes the bracket along."""
    if "flow" not in problem and "expected the node content" not in problem:
        return None
    for number, line in enumerate(lines, start=1):
        if found := re.search(r"[\[{][^\]}]*\s(#.*)", line):
            return f"line {number}: `{found[1][:40]}` is a comment to YAML, bracket included: put that item in quotes"
    return None


def _space_is_missing(problem: str, lines: Sequence[str], first: int, last: int) -> str | None:
    if "could not find expected ':'" not in problem:
        return None
    for number in range(first, min(last, len(lines)) + 1):
        if found := re.match(r"\s*([A-Za-z_]+):(?=[^\s:])", lines[number - 1]):
            return f"line {number} needs a space behind its colon: `{found[1]}: ...`"
    return None
