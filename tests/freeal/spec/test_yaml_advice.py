"""The usual mistakes in YAML by hand: each message says what to do."""

from __future__ import annotations

import contextlib
import re
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from freeal.errors import SpecError
from freeal.spec import yaml_advice, yaml_reader
from freeal.spec.job_spec import load

LABELS = "labels: [positive, negative]\n"
MISTAKES = {
    "a colon in the text": (
        "description: Decide: a or b\n" + LABELS,
        'put the text in quotes: description: "Decide: a or b"',
    ),
    "an at sign": ("labels:\n  a: @all of them\n", 'put the text in quotes: a: "@all of them"'),
    "a percent sign": ("labels:\n  a: %up\n", 'a: "%up"'),
    "a backtick": ("labels: [`a`, b]\n", "stands in quotes"),
    "a tab before the line": ("labels:\n\ta: b\n", "line 2 begins with a tab: put spaces in its place"),
    "a tab in the line": ("labels:\n  a:\tb\n", "put spaces in place of the tab"),
    "a no-break space": ("labels:\u00a0 [a, b]\nname: x\n", "line 1 holds U+00A0"),
    "a zero-width space": ("labels:\u200b [a, b]\nname: x\n", "line 1 holds U+200B"),
    "curly quotes that open a list": ("labels: \u201ca\u201d: [b\n", "line 1 has curly quotation marks"),
    "two documents": ("---\nname: x\n---\nnotes: y\n", "leave the second `---` out"),
    "no space behind the colon": ("description: x\nlabels:[a, b]\n", "needs a space behind its colon: `labels: ...`"),
    "no space in the whole file": ("description:x\nlabels:[a, b]\n", "a colon is followed by a space"),
    "a quote that is never closed": ('description: "Is it\n' + LABELS, "opened and never closed (it begins on line 1)"),
    "text behind the quotes": ('description: "Is it" good\n', "put all of it in quotes"),
    "an apostrophe in single quotes": ("description: 'It's good'\n", 'put it in "double quotes"'),
    "a bracket that is never closed": ("labels: [a, b\nname: x\n", "`]` at its end"),
    "a brace that is never closed": ("labels: {a: b\nname: x\n", "`}` at their end"),
    "a comment that eats the bracket": ("labels: [a, b, #spam]\n", "line 1: `#spam]` is a comment to YAML"),
    "a Windows path": ('description: "C:\\my"\n', "use 'single quotes'"),
    "half an escape": ('description: "\\u12"\n', "use 'single quotes'"),
    "a character beyond all": ('description: "\\UFFFFFFFF"\n', "use 'single quotes'"),
    "items behind the key": ("labels: - a\n  - b\n", "each `- item` stands on a line of its own"),
    "items and keys mixed": ("labels:\n  - a\n  b: c\n", "a level holds either"),
    "a line further in": ("description: d\n  labels: [a, b]\n", "begins in the same column"),
    "a line further out": ("labels:\n    a: b\n  c: d\n", "begins in the same column"),
    "more than five stars": ("description: >5 stars\n", "| and > stand alone"),
    "a bar": ("description: |x| is good\n", "| and > stand alone"),
    "an alias": ("labels: [*a, b]\n", 'stands in quotes: "*a"'),
    "an asterisk": ("labels: [*a*, b]\n", "stands in quotes"),
    "an anchor": ("labels: [&a, b]\n", 'stands in quotes: "&a"'),
    "a tag": ("labels:\n  - !spam\n  - b\n", 'stands in quotes: "!spam"'),
    "braces of a template": ("description: {{x}}\n", "stands in quotes"),
    "a key twice": (LABELS + LABELS, "keep one of them"),
    "a null for a key": ("labels: {null: a}\n", 'stands in quotes: "null"'),
    "a bell": ("description: a\x07b\n", "remove it"),
    "a list": ("- a\n", "for example `description: ...`"),
}


@pytest.mark.parametrize(("text", "said"), MISTAKES.values(), ids=list(MISTAKES))
def test_a_mistake_in_yaml_is_told_with_its_line_and_what_to_do(tmp_path, text, said):
    """Whoever wrote it can mend it from the message alone."""
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        load(path)
    [first, *_] = caught.value.parts
    assert first.where.line is not None
    assert said in str(caught.value)


def test_every_complaint_of_the_parser_has_its_advice():
    """PyYAML's own sources are searched for what it can say of a text: a new complaint needs a line in the table."""
    said = set()
    for name in ("scanner", "parser", "composer"):
        source = Path(getattr(yaml, name).__file__).read_text(encoding="utf-8")
        said |= set(
            re.findall(r'"((?:found|expected|could not|mapping|sequence|duplicate|invalid|but found) ?[^"]*)"', source)
        )
    assert 30 < len(said)
    context = {"but found another document": "expected a single document in the stream "}
    known = [part for part, _ in yaml_advice._BY_PROBLEM]
    lines_of_comments = {"expected ' ', but found %r"}
    unknown = [one for one in said if not any(part in context.get(one, "") + one for part in known)]
    assert [] == [one for one in unknown if one not in lines_of_comments]


@settings(max_examples=300, deadline=None)
@given(
    st.text(alphabet=st.sampled_from("ab:,[]{}#&*!|>'\"%@`-?\\UFu0 \t\n\r\u00a0\u200b\u2028\x85\ud800~"), max_size=60)
)
def test_whatever_stands_in_a_file_it_is_read_or_refused(text):
    """No text makes the reader raise anything but the error that it promises."""
    with contextlib.suppress(SpecError):
        assert isinstance(yaml_reader.parse(text, Path("s.yaml"), SpecError).data, dict)
