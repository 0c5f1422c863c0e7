"""The sidecar spec and the YAML under it."""

from __future__ import annotations

import pytest

from freeal.errors import SpecError
from freeal.settings import LlmSettings, LoopSettings, StudentSettings
from freeal.spec import job_spec as specs
from freeal.spec.job_spec import Spec

GOOD = "description: Sort reviews.\nlabels: [positive, negative]\n"


def _load(tmp_path, text):
    path = tmp_path / "reviews.yaml"
    path.write_text(text, encoding="utf-8")
    return specs.load(path)


def test_the_name_defaults_to_the_file(tmp_path):
    """A spec without a name is named after its file."""
    assert _load(tmp_path, GOOD).name == "reviews"


def test_scalars_stay_text(tmp_path):
    """Labels no, 007 and 1.0 are names, not False, 7 and 1.0."""
    assert _load(tmp_path, "description: d\nlabels: [no, 007, 1.0]\n").task.names == ("no", "007", "1.0")


def test_labels_may_have_descriptions(tmp_path):
    """A mapping gives each label its meaning; an empty one is allowed."""
    spec = _load(tmp_path, "description: d\nlabels:\n  a: first\n  b:\n")
    assert [label.description for label in spec.task.labels] == ["first", ""]


def test_numbers_and_booleans_are_read_where_a_key_asks_for_them(tmp_path):
    """iterations is a number, force a truth value, null is nothing."""
    spec = _load(tmp_path, GOOD + "iterations: 2\nbudget_usd: 2.50\nforce: true\nid_column: null\nstudent: {seed: 7}\n")
    assert (spec.iterations, spec.budget_usd, spec.force, spec.id_column, spec.student.seed) == (2, 2.5, True, None, 7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            GOOD + "text_colums: [a]\n",
            r"reviews\.yaml, line 3, key 'text_colums': unknown key \(did you mean 'text_columns'\?\)",
        ),
        (GOOD + "llm: {providr: local}\n", r"line 3, key 'llm\.providr': unknown key \(did you mean 'provider'\?\)"),
        (GOOD + "llm: {base_url: x}\n", r"key 'llm\.base_url': unknown key \(known keys: provider"),
        ("labels: [a, b]\n", r"key 'description': is required"),
        ("description: d\nlabels: [a]\n", r"line 2, key 'labels': at least 2 labels are needed"),
        ("description: d\nlabels: [a, A]\n", r"labels 'a' and 'A' differ only by case"),
        ("description: d\nlabels: [a, a]\n", r"label 'a' stands twice"),
        (GOOD + "labels: [x, y]\n", r"line 3, key 'labels': stands twice"),
        (GOOD + "iterations: many\n", r"line 3, key 'iterations': must be a whole number, found 'many'"),
        (GOOD + "name: ../../etc\n", r"key 'name': must be 1 to 64 letters"),
        (
            GOOD + "examples: [[nice, positiv]]\n",
            r"the label 'positiv' of an example is none of the labels; did you mean 'positive'\?",
        ),
        (GOOD + "examples: [[nice]]\n", r"key 'examples\.0': an example is a pair"),
        (GOOD + "text_columns: [t]\nlabel_column: t\n", r"label_column 't' is also in text_columns"),
        ("description: [d\n", r"line 2: is not valid YAML"),
        ("- a\n", r"must be a mapping"),
        ("a: &x 1\nb: *x\n", r"line 1: uses the anchor &x"),
        (GOOD + "examples: ../secret.json\n", r"line 3, key 'examples': '\.\./secret\.json' is not the plain name"),
        (GOOD + "examples: [[nice, positive], [' ', negative]]\n", r"key 'examples\.1\.text': an example has no text"),
        (GOOD + "text_columns: [t, u, t]\n", r"line 3, key 'text_columns': names 't' twice"),
        (GOOD + "id_column: t\nlabel_column: t\n", r"line 3, key 'id_column': id_column 't' is also the label_column"),
        (
            GOOD + "examples: [[Nice, positive], ['nice ', negative]]\n",
            r"key 'examples': examples contradict each other: 'nice' stands under negative and positive",
        ),
        ("description: d\nlabels: [a b, 'ab']\n", r"labels 'a b' and 'ab' differ only by spaces"),
        ("", r"2 problems:\n  1\. .*key 'description': is required\n  2\. .*key 'labels': is required"),
    ],
)
def test_a_wrong_spec_says_where_and_what(tmp_path, text, message):
    """Every mistake names the file, the line where there is one, the key, and what to do."""
    with pytest.raises(SpecError, match=message):
        _load(tmp_path, text)


def test_examples_may_stand_in_a_json_file_beside(tmp_path):
    """`examples: demos.json` reads pairs from the file next to the spec."""
    (tmp_path / "demos.json").write_text(
        '[["Great.", "positive"], {"text": "Bad.", "label": "negative"}]', encoding="utf-8"
    )
    assert [demo.text for demo in _load(tmp_path, GOOD + "examples: demos.json\n").demonstrations] == ["Great.", "Bad."]


def test_overrides_win_and_a_budget_only_lowers_the_cap():
    """A job may name its model and spend less than the operator allows, never more."""
    spec = Spec(name="n", description="d", labels=["a", "b"], budget_usd=5, iterations=1, student={"epochs": 2})
    assert spec.llm_settings(LlmSettings(budget_usd=2)).budget_usd == 2.0
    assert spec.llm_settings(LlmSettings()).budget_usd == 5.0
    assert spec.loop_settings(LoopSettings()).iterations == 1
    assert spec.student_settings(StudentSettings()).epochs == 2


def test_the_digest_follows_the_meaning_and_not_force():
    """`force` asks for the same job again; another description is another job."""
    spec = Spec(name="n", description="d", labels=["a", "b"])
    assert spec.digest() == spec.model_copy(update={"force": True}).digest()
    assert spec.digest() != spec.model_copy(update={"description": "e"}).digest()


def test_a_paraphrase_is_no_text():
    """The column named in both places is an error that names it and says what would happen."""
    with pytest.raises(ValueError, match="paraphrase_column 'again' is also in text_columns: the text would be read"):
        Spec(name="n", description="d", labels=["a", "b"], text_columns=["again"], paraphrase_column="again")


def test_paraphrases_and_a_warm_start_are_part_of_what_is_asked():
    """Each makes another job of it."""
    spec = Spec(name="n", description="d", labels=["a", "b"])
    warm = Spec(name="n", description="d", labels=["a", "b"], student={"warm_start": True})
    assert 3 == len({spec.digest(), spec.model_copy(update={"paraphrase_column": "c"}).digest(), warm.digest()})
    assert warm.student_settings(StudentSettings()).warm_start
    assert not spec.student_settings(StudentSettings()).warm_start


def _with_llm(tmp_path, text):
    path = tmp_path / "a.yaml"
    path.write_text(f"description: d\nlabels: [x, y]\n{text}\n", encoding="utf-8")
    return specs.load(path)


def test_several_language_models_by_name_or_by_key(tmp_path):
    """A list names them in order, each with its own overrides and all with one cap; JSON gives the same spec back."""
    spec = _with_llm(tmp_path, "llm: [cheap, local]\nllm_use: side_by_side\nbudget_usd: 3")
    base = LlmSettings(provider="openai", model="m", base_url="http://127.0.0.1:1", budget_usd=5.0)
    first, second = spec.annotators(base)
    assert ("openai", "cheap", 8, 3.0) == (first.provider, first.model, first.concurrency, first.budget_usd)
    assert ("local", 3.0) == (second.provider, second.budget_usd)
    assert first == spec.llm_settings(base)
    assert spec == Spec.model_validate_json(spec.model_dump_json())


def test_one_language_model_is_what_it_was(tmp_path):
    """Its digest, which says whether a job is done already, does not know of the list."""
    plain = _with_llm(tmp_path, "llm: {model: cheap}")
    assert "llm_use" not in plain.model_dump(exclude_none=True)
    assert plain.digest() == _with_llm(tmp_path, "llm: {model: cheap}\nbudget_usd: null").digest()
    assert plain.digest() != _with_llm(tmp_path, "llm: [cheap, dear]").digest()
    assert 1 == len(plain.annotators(LlmSettings()))


def test_a_form_of_the_question_is_a_template(tmp_path):
    """As a block or in quotes, for one language model or for each of several; a spec without one keeps its digest."""
    block = "llm:\n  form: |\n    Review: {text}\n    Sentiment: {label}\n"
    quoted = 'llm: {form: "Review: {text}\\nSentiment: {label}"}\n'
    first, second = (_load(tmp_path, GOOD + text) for text in (block, quoted))
    assert "Review: {text}\nSentiment: {label}" == first.llm_settings(LlmSettings()).form
    assert first.digest() == second.digest() != _load(tmp_path, GOOD).digest()
    several = _load(tmp_path, GOOD + "llm: [{model: a, form: plain}, {model: b}]\n")
    assert ["plain", "auto"] == [one.form for one in several.annotators(LlmSettings())]
    assert "form" not in _load(tmp_path, GOOD).model_dump()["llm"]


@pytest.mark.parametrize(
    ("form", "problem"),
    [
        ("automatic", "at its very end, a space and {label}"),
        ("Review: {text} {label}", "ends with two lines"),
        ("Review: {text}\\nSentiment:{label}", "at its very end, a space and {label}"),
        ("Review: {text}\\n\\nSentiment: {label}", "ends with two lines"),
        ("{text}\\nA {text}: {label}", "with one {text}"),
        ("{txt}\\nLabel: {label}", "has {txt}"),
        ("So: {meanings}\\n\\n{text}\\nLabel: {label}", "as a paragraph of its own"),
    ],
)
def test_what_is_no_form(tmp_path, form, problem):
    """The error names line and key, and says what a form is."""
    with pytest.raises(SpecError) as caught:
        _load(tmp_path, GOOD + f'llm: {{form: "{form}"}}\n')
    assert problem in str(caught.value)
    assert "line 3, key 'llm.form'" in str(caught.value)


@pytest.mark.parametrize(
    ("text", "key", "problem", "hint"),
    [
        ("llm: []", "llm", "names no language model", "write llm: [{model: the first}"),
        ("llm: [a, b, c, d, e]", "llm", "names 5 language models; at most 4 are asked", ""),
        ("llm: [a, {model: a}]", "llm.1", "twice: a model that is asked again says the same", "name another one"),
        ("llm: [a, {modle: b}]", "llm.1.modle", "unknown key", "did you mean 'mode'?"),
        ("llm: {modle: b}", "llm.modle", "unknown key", "did you mean 'mode'?"),
        ("llm: [a, b]\nllm_use: vote", "llm_use", "must be one of 'cascade', 'side_by_side', found 'vote'", ""),
        ("llm: {model: a}\nllm_use: cascade", "llm_use", "cascade needs several language models", ""),
    ],
)
def test_what_is_no_list_of_language_models(tmp_path, text, key, problem, hint):
    """The error names line and key as they stand in the file, and what to write."""
    with pytest.raises(SpecError) as caught:
        _with_llm(tmp_path, text)
    assert problem in str(caught.value)
    assert hint in str(caught.value)
    assert f"key '{key}'" in str(caught.value)
