"""The model card, `model/README.md`: what the classifier is, how its labels were made, and where it is weak.

Metadata and model-index are built by huggingface_hub, so that the hub and other tools can read them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from freeal.evaluation import confidence_intervals
from freeal.preflight import preflight_check
from freeal.report import certified_section, key_facts
from freeal.report.number_format import MISSING, count, percent, plural, printable
from freeal.report.row_arrays import Rows
from freeal.results.finished_run import FinishedRun
from freeal.student.model_folder.student_metadata import OWN, Card
from freeal.text.joined_labels import parts
from freeal.types import TFIDF, Status

_HUB_NAMES = {"minilm": "sentence-transformers/all-MiniLM-L6-v2"}
"""Encoders that we name otherwise than the hub does."""

_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")
_MARKUP = re.compile(r"([\\`*_\[\]<>|#~])")


def model_card(
    run: FinishedRun, *, record: Mapping[str, Any], student: Card, certified: Mapping[str, Any] | None = None
) -> str:
    """The card's text: YAML metadata, then Markdown. No text of a row stands in it.

    `record` is run.json's content, `student` what stands in the model folder's freeal.json, `certified` that part of
    metrics.json.
    """
    rows = Rows.of(run)
    head = _card_metadata(run, rows, student).to_yaml(line_break="\n")
    parts = [
        f"# {run.spec.name}",
        _plain(run.spec.description),
        _card_introduction(run),
        _labels(run),
        _card_section_how_made(run, rows, record, student),
        _card_scores_per_class_and_source(run, rows),
        _card_section_metrics(run, rows),
        certified_section.certified_card_section(certified),
        _weak(run, rows),
        _card_section_use(run, student),
    ]
    return printable(f"---\n{head}\n---\n\n" + "\n\n".join(parts) + "\n")


def _card_introduction(run: FinishedRun) -> str:
    several = ", of which a text may have several or none" if run.spec.kind == "multi" else ""
    return (
        f"A text classifier with {plural(len(run.spec.labels), 'label')}{several}, made by FreeAL: a language "
        "model annotated, a small student learned from the annotations it could trust."
    )


def _card_metadata(run: FinishedRun, rows: Rows, student: Card) -> Any:
    from huggingface_hub import EvalResult, ModelCardData

    results = [
        EvalResult(
            task_type="text-classification",
            task_name="Text classification",
            dataset_type=run.spec.name,
            dataset_name=f"{run.file}, rows with a true label (their texts were trained on, their labels not)",
            metric_type=kind,
            metric_name=name,
            metric_value=round(value, 4),
        )
        for kind, name, value in _card_metric_values(rows)
    ]
    return ModelCardData(
        base_model=None if student.mode in (OWN, TFIDF) else _on_the_hub(student.base_model),
        library_name=None if student.mode in (OWN, TFIDF) else "transformers",
        pipeline_tag="text-classification",
        tags=["text-classification", "freeal", "llm-annotated"],
        metrics=[result.metric_type for result in results] or None,
        model_name=run.spec.name,
        eval_results=results or None,
    )


def _on_the_hub(name: str) -> str | None:
    """The base model's id; None for a folder of this machine, whose path is nobody's business."""
    name = _HUB_NAMES.get(name, name)
    return name if _HUB_ID.fullmatch(name) else None


def _judged(rows: Rows) -> np.ndarray:
    """Rows with a true label that the student was not told."""
    return np.asarray(rows.known & ~rows.told)


def _card_metric_values(rows: Rows) -> list[tuple[str, str, float]]:
    """The model card's metrics, (type, name, value), of the student alone, the part that is published; empty without
    ground truth."""
    judged = _judged(rows)
    truth, student = rows.truth[judged], rows.student[judged]
    if not len(truth):
        return []
    f1, counted = [], np.zeros(2)
    for place in range(len(rows.names)):
        there, given = rows.has(truth, place), rows.has(student, place)
        hits, either = int((there & given).sum()), int(there.sum() + given.sum())
        counted += (2 * hits, either)
        if there.any():
            f1.append(2 * hits / either)
    known = ("accuracy", "Accuracy", float((truth == student).mean())), ("f1", "Macro F1", float(np.mean(f1 or [0.0])))
    if rows.names == rows.labels:
        return list(known)
    micro = ("f1", "Micro F1", float(counted[0] / max(1.0, counted[1])))
    return [("accuracy", "All labels of a row right", known[0][2]), known[1], micro]


def _labels(run: FinishedRun) -> str:
    lines = [(_plain(name), _plain(meaning) or MISSING) for name, meaning in run.spec.labels.items()]
    return "## Labels\n\n" + _table(("label", "meaning"), lines)


def _card_annotators(run: FinishedRun) -> str:
    said = [f"`{_code(one.model)}`, {key_facts.where_it_ran(one)}" for one in run.answerers]
    if len(said) == 1:
        return said[0]
    how = "each about every text" if run.spec.llm_use == "side_by_side" else "each about what was left open before it"
    return f"{'; '.join(said)} ({how})"


def _card_section_how_made(run: FinishedRun, rows: Rows, record: Mapping[str, Any], student: Card) -> str:
    digest = hashlib.sha256(record["first_prompt"].encode("utf-8", "replace")).hexdigest()
    corrected = sum(Status.CORRECTED in note.statuses for note in run.result.best.annotations)
    human = f"{plural(corrected, 'label')} that a person gave {'was' if corrected == 1 else 'were'} trained on."
    human = human if corrected else "No human label was trained on."
    if run.spec.examples:
        human += f" {plural(len(run.spec.examples), 'demonstration')} in the prompts came from a person."
    texts = f"{plural(len(run.table.rows), 'row')} with {plural(len(run.pool), 'distinct text')}"
    lines = [
        f"- Annotated by {_card_annotators(run)}, in {plural(len(run.result.rounds), 'round')}. {human}",
        f"- SHA-256 of the first prompt: `{digest}` (its text: `first_prompt` in run.json).",
        f"- Student: {_card_student(student)}.",
        f"- Data: {texts}, file SHA-256 `{record['input']['sha256']}`.",
        f"- Language model and student agree on {percent(_agreement(rows))} of the rows.",
        f"- Job `{run.job_id}`, {record['finished']}.",
    ]
    return "## How the labels were made\n\n" + "\n".join(lines)


def _card_student(student: Card) -> str:
    if student.mode == OWN:
        return f"`{_code(student.base_model)}`, of its maker's own kind: no Hugging Face model"
    if student.mode == TFIDF:
        return "logistic regression on tf-idf of words and pairs of words: no Hugging Face model"
    base = _on_the_hub(student.base_model) or "an encoder that is not on the Hugging Face hub"
    return f"`{_code(base)}`, {student.mode}, first {student.max_length} tokens of a text"


def _agreement(rows: Rows) -> float:
    return float((rows.llm == rows.student)[rows.with_text].mean())


def _card_scores_per_class_and_source(run: FinishedRun, rows: Rows) -> str:
    sources = ("llm+student", "student", "llm")
    found = [run.decisions[index] for index in rows.index[rows.with_text].tolist()]
    named = [one for one in found if one.label is not None and one.source in sources]
    counts = Counter((name, one.source) for one in named for name in parts(str(one.label), run.spec.kind))
    lines = [(_plain(name), *(count(counts[name, source]) for source in sources)) for name in run.spec.task.names]
    note = f"\n\n{plural(len(rows.index) - len(named), 'row')} got no label."
    return "## Rows per label and source\n\n" + _table(("label", *sources), lines) + note


def _card_section_metrics(run: FinishedRun, rows: Rows) -> str:
    scores = _card_metric_values(rows)
    if not scores:
        return (
            "## Metrics\n\nAccuracy unknown: no ground truth was given. Agreement of language model and student is not "
            "accuracy: both may be wrong together."
        )
    judged = _judged(rows)
    of = int(judged.sum())
    interval = confidence_intervals.of_rows((rows.student == rows.truth)[judged], rows.kinds[judged])
    measured = confidence_intervals.spelled(scores[0][2], interval, rows=of, of=len(rows.index))
    lines = [(name, percent(value)) for _, name, value in scores]
    return (
        f"## Metrics\n\nOf this classifier alone, on the {plural(of, 'row')} of `{_code(run.file)}` with a true "
        f"label; accuracy with its 95 % interval: {measured}. The true labels were not trained on, but the texts were: "
        "on new texts expect somewhat less.\n\n" + _table(("metric", "value"), lines)
    )


def _weak(run: FinishedRun, rows: Rows) -> str:
    few = preflight_check.too_few_texts(len(run.pool), labels=len(rows.names))
    found = [*([few] if few else []), *run.outcome_warnings, *key_facts.weak_classes(rows)]
    weak = found or ["none stands out"]
    return "## Known weak labels\n\n" + "\n".join(f"- {_plain(one)}" for one in weak)


def _card_section_use(run: FinishedRun, student: Card) -> str:
    columns = ", ".join(f"`{_code(name)}`" for name in run.pool.text_columns)
    form = "the bare value" if len(run.pool.text_columns) == 1 else "`name: value` pairs, joined by `, `"
    return (
        f"## Intended use\n\nLabelling texts of the same kind as those it was made from ({columns}, given as {form}), "
        "in bulk and where a single mistake does little harm. Check a sample before you rely on it; do not let it "
        "decide alone about people.\n\n"
        f"{_card_code_example(run, student)}"
        "## Limits\n\n"
        f"- It reads {_card_tokens_read(student)} of a text and {_answers(run)}.\n"
        "- It repeats the language model's errors and leanings where the training could not find them.\n"
        "- Other topics, languages or styles than in the data were not tried.\n\n"
        "## Terms\n\nSome providers of language models restrict training other models on their answers; so do some "
        f"licences of model weights. Whoever passes this classifier on checks those of `{_code(run.llm.model)}` "
        f"({_plain(run.llm.provider)}), of the base model, and the rights in the data."
    )


def _card_code_example(run: FinishedRun, student: Card) -> str:
    if student.mode == OWN:
        lines = ["import freeal", "", "model = freeal.load(folder, student=...)  # loaded by whoever made its kind"]
        return "## Use\n\n```python\n" + "\n".join(lines) + "\n```\n\n"
    if student.mode == TFIDF:
        lines = ["import freeal", "", "model = freeal.load(folder)", "model.predict([text])"]
        words = "`terms.json` holds words of the texts it was trained on: mind that before you pass it on."
        return "## Use\n\n```python\n" + "\n".join(lines) + f"\n```\n\n{words}\n\n"
    columns = run.pool.text_columns
    text = "the text" if len(columns) == 1 else ", ".join(f"{' '.join(name.split())}: ..." for name in columns[:3])
    lines = [
        "from transformers import pipeline",
        "",
        f'classify = pipeline("text-classification", model=".", truncation=True, max_length={student.max_length})',
        f"classify([{json.dumps(text, ensure_ascii=False)}]{', top_k=None' if student.thresholds else ''})",
    ]
    other = (
        " `python -m freeal predict` reads beginning and end, as in training; this reads the beginning alone."
        if student.long_texts == "head_tail"
        else ""
    )
    return (
        "## Use\n\n```python\n" + "\n".join(lines) + "\n```\n\n"
        f"Long texts need `truncation=True`: without it, one of more tokens than the encoder has places for fails. "
        f"Of a longer text it reads {_card_tokens_read(student)}; where what decides stands further on, cut the text "
        f"into pieces and classify each.{other}{_card_note_on_label_kind(run, student)}\n\n"
    )


def _answers(run: FinishedRun) -> str:
    return "knows no other labels than its own" if run.spec.kind == "multi" else "always answers with one of its labels"


def _card_note_on_label_kind(run: FinishedRun, student: Card) -> str:
    if student.thresholds:
        pairs = zip(student.labels, student.thresholds, strict=True)
        least = ", ".join(f"`{_code(name)}` {value:.2f}" for name, value in pairs)
        return (
            " Each label has a probability of its own; a text has those that reach their threshold, which "
            f"`python -m freeal predict` applies: {least}."
        )
    if run.spec.kind == "tree":
        return (
            " The labels are the leaves of a tree, each written as its path; the probability of a branch is the sum of "
            f"those below it. `python -m freeal predict` names the deepest node that reaches {run.spec.back_off:g}."
        )
    if run.spec.kind != "ordinal":
        return ""
    return (
        " The labels are in order, and `python -m freeal predict` gives the one with the least expected distance, the "
        "median of their probabilities; this gives the likeliest."
    )


def _card_tokens_read(student: Card) -> str:
    if student.mode == OWN:
        return "what its kind reads"
    if student.mode == TFIDF:
        return "all words"
    if student.long_texts == "head_tail":
        return f"{student.max_length} tokens, three quarters of them from the beginning and the rest from the end,"
    return f"the first {student.max_length} tokens"


def _table(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [columns, ["---"] * len(columns), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """A text in one line in which Markdown and HTML find nothing of theirs."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))


def _code(text: str) -> str:
    return " ".join(text.replace("`", "'").replace("|", "/").split())
