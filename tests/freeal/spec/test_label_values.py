"""A label is text that a person wrote."""

from __future__ import annotations

import pytest

from freeal.errors import SpecError
from freeal.spec.job_spec import Spec, load

HEAD = "description: d\n"


def _load(tmp_path, text):
    path = tmp_path / "s.yaml"
    path.write_text(HEAD + text, encoding="utf-8")
    return load(path)


def test_a_list_of_names_with_meanings_is_taken_as_it_is_meant(tmp_path):
    """`- positive: the customer is happy` is a name and its meaning, beside bare names too."""
    spec = _load(tmp_path, "labels:\n  - positive: happy\n  - negative:\n  - mixed\n")
    assert {"positive": "happy", "negative": "", "mixed": ""} == spec.labels


def test_accents_are_one_name_however_they_are_typed(tmp_path):
    """NFD becomes NFC, in labels and in the labels of examples."""
    spec = _load(tmp_path, "labels: [Cafe\u0301, Bar]\nexamples: [[good coffee, Caf\u00e9], [beer, Bar]]\n")
    assert ["Caf\u00e9", "Bar"] == list(spec.labels)
    with pytest.raises(SpecError, match="stands twice"):
        _load(tmp_path, "labels: [Cafe\u0301, Caf\u00e9]\n")


def test_emoji_and_scripts_that_need_joiners_stay_names():
    """What changes what is seen is no invisible character."""
    names = ["\U0001f468\u200d\U0001f469", "\u0645\u06cc\u200c\u062e", "\u2764\ufe0f", "C++", "-", "no", "\u00bd"]
    assert names == list(Spec(name="n", description="d", labels=names).labels)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("labels:\n  - a\n  - b\n  -\n", 5, "label 3 is empty"),
        ("labels: [a, b, null]\n", 2, 'stands in quotes: "null"'),
        ("labels: [a, b, ~]\n", 2, "label 3 is empty"),
        ("labels:\n  - a\n  - b\n  - #spam\n", 5, "YAML takes '#spam' for a comment"),
        ("labels:\n  - topic #1\n  - topic #2\n", 3, "YAML takes '#1' for a comment"),
        ("labels:\n  a: #happy\n  b: sad\n", 3, "YAML takes '#happy' for a comment"),
        ("labels:\n", 2, "is required"),
        ("labels: a, b\n", 2, "write [a, b]"),
        ("labels: a b c\n", 2, "write [a, b, c]"),
        ("labels: |\n  a\n  b\n", 2, "write [a, b]"),
        ("labels: a\n", 2, "write a list of names"),
        ("labels: [[a, b], [c, d]]\n", 2, "found a list"),
        ("labels:\n  - name: a\n    description: x\n  - name: b\n    description: y\n", 3, "write `- a: x`"),
        ("labels:\n  - name: a\n  - name: b\n", 3, "write `- a`"),
        ("labels:\n  a: [x, y]\n  b: z\n", 3, 'write `a: "x, y"`'),
        ("labels:\n  a: z\n  b: {x: y}\n", 4, 'write `b: "y"`'),
        ("labels: [\u201cgood\u201d, bad]\n", 2, "write good"),
        ("labels: [\u201cgood, bad\u201d]\n", 2, "stands in quotation marks"),
        ("labels: [\u00abgood\u00bb, bad]\n", 2, "write good"),
        ("labels: [\"'good'\", bad]\n", 2, "write good"),
        ("labels:\n  - good\n  - b\u200bad\n", 4, "holds what nobody sees: U+200B (type it anew: bad)"),
        ("labels: [very\u00a0good, bad]\n", 2, "U+00A0 (type it anew: very good)"),
        ('labels: ["\\u3164", bad]\n', 2, "a label has no name"),
        ('labels: ["a\\nb", bad]\n', 2, "U+000A"),
        ("labels: ['good ', bad]\n", 2, "begins or ends with a space"),
        (f"labels: [{'x' * 201}, bad]\n", 2, "201 characters long"),
        ("labels: [a, b, a]\n", 2, "label 'a' stands twice"),
        ("labels: {a: x}\n", 2, "at least 2 labels are needed"),
    ],
)
def test_what_is_no_name_is_refused_with_its_line_and_what_to_write(tmp_path, text, line, said):
    """Never a label called None, nor a dictionary in Python's words."""
    with pytest.raises(SpecError) as caught:
        _load(tmp_path, text)
    assert line == caught.value.parts[0].where.line
    assert said in str(caught.value)
    assert "dictionary" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("examples: {Great: positive}\n", 3, 'write a list of pairs: - ["Great", positive]'),
        ("examples: {positive: [Great]}\n", 3, 'a pair for each text: - ["Great", positive]'),
        ("examples:\n  - Great\n", 4, "an example is a pair [text, label], found 'Great'"),
        ("examples:\n  - [Great, so, positive]\n", 4, "an example is a pair"),
        ("examples:\n  - Great: positive\n", 4, "an example is a pair"),
        ("examples:\n  - [null, positive]\n", 4, "must be text, found nothing"),
        ("examples:\n  - {text: Great, label: [positive]}\n", 4, "must be text"),
        ("examples:\n  - {sentence: Great, label: positive}\n", 4, "known keys: text, label"),
        ("examples:\n  -\n", 4, "found nothing"),
        ("student: minilm\n", 3, "must be keys with values, found 'minilm' (write {key: value}, or leave student out)"),
        ("llm: {provider: claude}\n", 3, "must be one of 'auto', 'anthropic'"),
        ("text_columns: [a, null]\n", 3, "must be text, found nothing"),
        ("budget_usd: .inf\n", 3, "must be a number"),
        ("budget_usd: inf\n", 3, "must be a number"),
        ("force: perhaps\n", 3, "must be true or false"),
        ("iterations: 1.5\n", 3, "must be a whole number"),
        ("iterations: 0\n", 3, "must be greater than 0"),
    ],
)
def test_values_of_the_wrong_kind_are_told_in_plain_words(tmp_path, text, line, said):
    """With the line, and what to write where that is clear."""
    with pytest.raises(SpecError) as caught:
        _load(tmp_path, "labels: [positive, negative]\n" + text)
    assert (line, True) == (caught.value.parts[0].where.line, said in str(caught.value))


def test_a_key_without_a_value_is_one_that_is_left_out(tmp_path):
    """Sections whose every key is commented out, and null."""
    spec = _load(tmp_path, "labels: [a, b]\nllm:\nstudent: null\niterations: ~\nexamples:\nforce:\n")
    assert Spec(name="s", description="d", labels=["a", "b"]) == spec


@pytest.mark.parametrize("text", ['description: "\\u200b "\nlabels: [a, b]\n', "description:\nlabels: [a, b]\n"])
def test_a_description_says_something(tmp_path, text):
    """Neither blanks nor characters nobody sees."""
    path = tmp_path / "s.yaml"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SpecError, match=r"line 1, key 'description'"):
        load(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ('[["a", "good"],]', "no comma stands before a closing bracket"),
        ("[['a', 'good']]", "JSON takes double quotes alone"),
        ("[[\u201ca\u201d, \u201cgood\u201d]]", "JSON takes straight quotes alone"),
        ('[["a", "good"]\n["b", "bad"]]', "line 2: is not valid JSON"),
        ('{"good": ["a"]}', "must be a JSON list"),
        ("", "is not valid JSON"),
        ('[["a", true]]', "must be text"),
    ],
)
def test_a_file_of_examples_is_told_what_is_wrong_with_it(tmp_path, content, said):
    """The line, and what JSON wants in its place."""
    (tmp_path / "e.json").write_text(content, encoding="utf-8")
    with pytest.raises(SpecError) as caught:
        _load(tmp_path, "labels: [good, bad]\nexamples: e.json\n")
    assert said in str(caught.value)


def test_a_number_in_a_file_of_examples_is_the_label_it_spells(tmp_path):
    """Labels 1 to 5 need no quotes in JSON."""
    (tmp_path / "e.json").write_text('[["a", 1], {"text": "b", "label": 2}]', encoding="utf-8")
    spec = _load(tmp_path, "labels: [1, 2]\nexamples: e.json\n")
    assert ["1", "2"] == [example.label for example in spec.examples]
