"""What strangers write, a spec or a reply of a language model, is read or refused, never a traceback."""

from __future__ import annotations

from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from freeal.annotation import reply_parser
from freeal.errors import FreealError, SpecError
from freeal.spec import job_spec
from freeal.types import Reply, Status

KEYS = [*job_spec.Spec.model_fields, "encoding", "text", "label", "<<", "~", "? [a]", "1"]
VALUES = st.sampled_from(
    [
        *[
            "",
            "~",
            "yes",
            "-1",
            "0",
            "1e999",
            "nan",
            "x",
            "[a, b]",
            "{a: b}",
            "{a: , b: c}",
            "[[a, b], [c]]",
            "- a\n- b",
        ],
        *["!!int x", "!!bool x", "!!float x", "!!timestamp x", "!!binary x", "!!set {a}", "!!python/name:os.system"],
        *["&a b", "*a", '"\\ud800"', '"\\0"', "|\n  text", "{text: 1, label: a}", "2024-01-02", "[" * 50, "é\u2028"],
    ]
)
LINES = st.one_of(
    st.tuples(st.sampled_from(KEYS), VALUES).map(": ".join),
    st.sampled_from(["description: a task", "labels: [a, b]", "labels: {a: x, b: y}", "---", "...", "%YAML 1.1", "\t"]),
    st.text(max_size=12),
)
SPECS = st.one_of(
    st.lists(LINES, max_size=8).map("\n".join).map(lambda text: text.encode("utf-8", "replace")), st.binary()
)


@given(content=SPECS)
@example(b"description: !!int x\nlabels: [a, b]")
@example(b'description: x\nlabels: ["\\ud800", b]')
@example(b"a: " + b"[" * 20_000)
@settings(max_examples=400, deadline=None)
def test_no_bytes_make_the_spec_loader_fall_over(tmp_path_factory, content):
    """A spec is complete and can be written down and hashed, or it is refused with an error that names its file."""
    path = tmp_path_factory.getbasetemp() / "reviews.yaml"
    path.write_bytes(content)
    found = _outcome(job_spec.load, path)
    if isinstance(found, SpecError):
        assert path == found.where.file
        assert str(found).encode()
        return
    assert found == job_spec.Spec.model_validate_json(found.model_dump_json())
    assert 64 == len(found.digest())


LABELS = st.lists(
    st.text(st.characters(exclude_categories=("Cs",)), min_size=1, max_size=8).map(str.strip).filter(bool),
    min_size=2,
    max_size=5,
    unique_by=str.casefold,
)
MARKS = tuple('"{}[]:,-\n\0\ud800')
PHRASES = (
    '{"label": ',
    '"confidence": ',
    '"alternatives": [',
    '{"texts": [',
    "```json\n",
    "Label: ",
    "not ",
    "1e999",
    "NaN",
)
WORDS = st.sampled_from((*MARKS, *PHRASES, "```", "<text>", "1. ", "null", "true"))


@given(labels=LABELS, data=st.data(), stop=st.sampled_from(["answer", "cut_off", "refused", "empty"]))
@settings(max_examples=400, deadline=None)
def test_no_reply_makes_the_parser_fall_over(labels, data, stop):
    """A reply gives one of the labels with a confidence from 0 to 1, or a status that says why it gives none."""
    pieces = st.lists(st.one_of(WORDS, st.sampled_from(labels), st.text(max_size=6)), max_size=12)
    reply = Reply(text=data.draw(pieces.map("".join)), outcome=stop)
    found = reply_parser.read_reply(reply, labels)
    assert (found.label is None) == (found.status is not Status.OK)
    assert found.label in (None, *labels)
    assert 0.0 <= found.confidence <= 1.0
    assert set(found.alternatives) <= set(labels) - {found.label}
    assert all(text.strip() == text != "" for text in reply_parser.read_texts(reply))


@given(
    value=st.recursive(
        st.none() | st.booleans() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
@settings(deadline=None)
def test_a_spec_built_in_python_is_whole_or_refused(value):
    """So it is for people who build a spec from what they read elsewhere."""
    document = value if isinstance(value, dict) else {"name": "a", "description": "b", "labels": value}
    assert str(_outcome(job_spec.Spec.model_validate, document)).encode("utf-8", "backslashreplace")


def _outcome(call, argument):
    try:
        return call(argument)
    except (FreealError, ValidationError) as error:
        return error
