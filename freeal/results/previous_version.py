"""What a finished version leaves for the next one: its rows, its answers and what a person said about it.

`answers.json` holds the kept round's answers, a column per field (freeal/loop/annotation_columns.py), and the
demonstrations its student chose; the rows are those of annotated.csv, without the columns that we put behind them, and
the spec is that of run.json.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from freeal.corrections import corrections_file
from freeal.errors import ConfigError, CorruptModelError, InputError, Where
from freeal.files import atomic_write
from freeal.loop.annotation_columns import annotations_of, columns_of
from freeal.loop.round_state import RoundState
from freeal.pool.text_pool import Pool
from freeal.preflight import preflight_check
from freeal.results.finished_run import Answerer
from freeal.results.output_files import ANNOTATED_COLUMNS, annotated_columns
from freeal.results.run_json_file import read_json_of_version, read_run_json
from freeal.spec.job_spec import Spec
from freeal.table import Dialect, Row, Table, read_table
from freeal.table.csv_format import CsvFormat
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import PLAIN_FORM, Annotation, Decision, Demonstration, Status

FILE_NAME = "answers.json"
FORMAT = 2
"""1 had an object per annotation."""


@dataclasses.dataclass(frozen=True)
class Earlier:
    """A finished version.

    `annotations`, `decisions` and `labels` (the final ones, None where it had none) are indexed by pool index; `input`
    says what file its rows once were, `said` is everything a person said about the model (text -> label).
    """

    folder: Path
    input: dict[str, Any]
    spec: Spec
    table: Table
    pool: Pool
    warnings: tuple[str, ...]
    decisions: tuple[Decision, ...]
    annotations: tuple[Annotation, ...]
    demonstrations: tuple[Demonstration, ...]
    llm: Answerer
    said: dict[str, str]

    @property
    def labels(self) -> tuple[str | None, ...]:
        """The final label of each text."""
        return tuple(one.label for one in self.decisions)

    def refuse_several_labels(self, what: str, hint: str) -> None:
        """Raises `ConfigError` where a text may have several labels and `what` is made for one alone."""
        if self.spec.kind == "multi":
            problem = f"{what} is for texts of one label; this model's may have several (kind: multi)"
            raise ConfigError(problem, where=Where(file=self.folder), hint=hint)


def write_answers_json(folder: Path, state: RoundState, pool: Pool, answerers: Sequence[Answerer]) -> None:
    """answers.json, from the round that is kept."""
    columns, names = columns_of(state.annotations)
    # where an answer came from is the audit's business: to the next version all come from here
    columns["from_store"][:] = True
    content = {
        "format": FORMAT,
        "texts_sha256": _fingerprint_of_texts(pool.texts),
        "llm": _answerer(answerers[0]),
        "language_models": len(answerers),
        "held_out": sorted(pool.held_out),
        "demonstrations": [dataclasses.asdict(demo) for demo in state.representatives],
        "names": names,
    }
    with atomic_write.writing(folder / FILE_NAME) as stream:
        stream.write(json.dumps(content, ensure_ascii=False, indent=2, allow_nan=False).removesuffix("\n}"))
        stream.write(',\n  "annotations": {')
        for number, (name, column) in enumerate(columns.items()):  # one at a time, or they would all be text at once
            stream.write(f"{',' if number else ''}\n    {json.dumps(name)}: ")
            stream.write(json.dumps(column.tolist(), allow_nan=False))
        stream.write("\n  }\n}\n")


def read_version(folder: Path) -> Earlier:
    """A version from its folder. Raises `CorruptModelError` for what is missing, damaged, or changed since."""
    content, told = read_json_of_version(folder / FILE_NAME), read_run_json(folder)
    path = folder / "annotated.csv"
    try:
        if content["format"] not in (1, FORMAT):
            raise CorruptModelError("is of another version of this software", where=Where(file=folder / FILE_NAME))
        spec = Spec.model_validate(told["spec"])
        dialect = _dialect(told["input"])
        table, given = _rows_of_annotated_csv(path, dialect, spec, language_models=content.get("language_models", 1))
        checked = preflight_check.check(table, spec)
        pool = dataclasses.replace(checked.pool, held_out=frozenset(content["held_out"]))
        found = Earlier(
            folder=folder,
            input=told["input"],
            spec=spec,
            table=table,
            pool=pool,
            warnings=checked.warnings,
            decisions=_by_text(given, pool, spec),
            annotations=_annotations(content),
            demonstrations=tuple(Demonstration(**item) for item in content["demonstrations"]),
            llm=_who_answered(content),
            said=corrections_file.remembered_corrections(folder),
        )
        fingerprint = content["texts_sha256"]
    except (InputError, ValidationError, LookupError, TypeError, ValueError) as cause:
        raise CorruptModelError(f"the version cannot be gone on from: {cause}", where=Where(file=folder)) from cause
    if fingerprint != _fingerprint_of_texts(pool.texts) or len(found.annotations) != len(pool):
        hint = "put corrections into a file of their own"
        raise CorruptModelError("was changed since it was written", where=Where(file=path), hint=hint)
    return found


def annotations_alone(folder: Path) -> tuple[Annotation, ...]:
    """Those of answers.json alone. Raises `CorruptModelError`, or what `read_version` makes one of."""
    return _annotations(read_json_of_version(folder / FILE_NAME))


def how_it_asked(folder: Path) -> tuple[Answerer, tuple[Demonstration, ...]]:
    """The language model that annotated, and the demonstrations that the version's student chose. Raises
    `CorruptModelError`."""
    path = folder / FILE_NAME
    content = read_json_of_version(path)
    try:
        return _who_answered(content), tuple(Demonstration(**item) for item in content["demonstrations"])
    except (KeyError, TypeError) as cause:
        raise CorruptModelError(f"does not say how it was asked: {cause!r}", where=Where(file=path)) from cause


def _annotations(content: dict[str, Any]) -> tuple[Annotation, ...]:
    if content["format"] == FORMAT:
        return annotations_of(content["annotations"], content["names"])
    return tuple(_annotation_in_answers_json(item) for item in content["annotations"])


def _annotation_in_answers_json(item: dict[str, Any]) -> Annotation:
    distribution = item["distribution"]
    return Annotation(
        **{
            **item,
            "statuses": tuple(Status(status) for status in item["statuses"]),
            "distribution": None if distribution is None else tuple(distribution),
            "alternatives": tuple(item["alternatives"]),
            "earlier": tuple(item.get("earlier", ())),
        }
    )


def _dialect(record: dict[str, Any]) -> Dialect:
    known = {field.name for field in dataclasses.fields(Dialect)}
    told: dict[str, Any] = {key: tuple(value) if isinstance(value, list) else value for key, value in record.items()}
    own: dict[str, Any] = {name: value for name, value in told.items() if name in known}
    return Dialect(**own)


def _rows_of_annotated_csv(
    path: Path, dialect: Dialect, spec: Spec, *, language_models: int
) -> tuple[Table, list[Row]]:
    """The input's table out of annotated.csv, as it was written, and of each row what ANNOTATED_COLUMNS hold."""
    written = CsvFormat(
        encoding="utf-8", delimiter=dialect.output_delimiter, quoting="minimal", skip_rows=0, ragged="refuse"
    )
    table = read_table(path, written)
    columns = annotated_columns(language_models, spec.kind, spec.task.names)
    ours = len(columns)
    names = table.header[-ours:]
    if len(names) < ours or not all(map(str.startswith, names, columns)):
        raise CorruptModelError("does not end with our columns", where=Where(file=path))
    rows = [row[:-ours] for row in table.rows]
    plain = dataclasses.replace(table, header=table.header[:-ours], rows=rows, dialect=dialect)
    return plain, [row[-ours:] for row in table.rows]


def _by_text(given: Sequence[Row], pool: Pool, spec: Spec) -> tuple[Decision, ...]:
    columns = (*ANNOTATED_COLUMNS, *(TREE_MEANINGS if spec.kind == "tree" else ()))
    return tuple(
        _decision_in_annotated_csv(dict(zip(columns, given[row], strict=False)), spec) for row in pool.first_row
    )


def _decision_in_annotated_csv(cells: dict[str, str], spec: Spec) -> Decision:
    said = cells["freeal_llm_label"] or None
    is_branch = spec.kind == "tree" and said not in spec.labels
    return Decision(
        label=cells["freeal_label"] or None,
        confidence=float(cells["freeal_confidence"]),
        source=cells["freeal_source"],  # type: ignore[arg-type]  # written from a Decision
        llm_label=None if is_branch else said,
        student_label=cells["freeal_student_label"],
        clean=float(cells["freeal_clean"]),
        round=int(cells["freeal_round"]),
        llm_branch=said if is_branch else None,
        node=cells.get("freeal_node") or None,
        node_confidence=float(cells.get("freeal_node_confidence") or 0.0),
    )


def _answerer(one: Answerer) -> dict[str, str]:
    told: dict[str, str] = {"provider": one.provider, "model": one.model, "style": one.style}
    told |= {} if one.engine == "local" else {"engine": one.engine}
    return told if one.form is None else told | {"form": one.form}


def _who_answered(content: Mapping[str, Any]) -> Answerer:
    found = Answerer(**content["llm"])
    if found.style == "completion" and found.form is None:  # of a version from before there were others
        return dataclasses.replace(found, form=PLAIN_FORM)
    return found


def _fingerprint_of_texts(texts: Sequence[str]) -> str:
    """The fingerprint that a previous version's texts must have: the SHA-256 of them as a JSON list, of which one text
    at a time is in memory."""
    digest = hashlib.sha256(b"[")
    for number, text in enumerate(texts):
        digest.update((", " if number else "").encode() + json.dumps(text).encode())
    digest.update(b"]")
    return digest.hexdigest()
