"""The files a finished job leaves in its folder (CONTRACT.md 5 to 7)."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path

from freeal.files import atomic_write
from freeal.loop.freeal_loop import LoopResult
from freeal.pool.text_pool import EMPTY, Pool
from freeal.table import Row, Table, free_name, write_rows
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import Annotation, Decision, Kind, Status

COLUMN_MEANINGS = {
    "freeal_label": "the final label; empty where none was given",
    "freeal_confidence": "probability that it is right, 0 to 1, with all voices weighed",
    "freeal_source": "who stands behind it: `llm+student`, `student`, `llm`; `corrected`, a person; or `abstained`, "
    "`failed`",
    "freeal_llm_label": "what the language model said; empty where a person's label stands in its place",
    "freeal_student_label": "what the student said",
    "freeal_round": "round of the language model's last answer",
    "freeal_clean": "probability that `freeal_llm_label` is right, of the same kind as `freeal_confidence`",
    "freeal_status": "`ok`, or what happened, joined by `;`",
}
"""Our columns of annotated.csv, in order, each in words for a user (docs/reference/columns.md)."""

SEVERAL_MEANINGS = {
    "freeal_llm_label_1": "with several language models: what the first said, `freeal_llm_label_2` the second, and so "
    "on; empty where one was not asked. `freeal_llm_label` is then what the last one said that answered",
}
"""The columns behind those of a job with several language models."""

ANNOTATED_COLUMNS = tuple(COLUMN_MEANINGS)


def annotated_columns(language_models: int, *, kind: Kind = "single") -> tuple[str, ...]:
    """Our columns: with several language models, what each of them said stands behind the others."""
    nodes = tuple(TREE_MEANINGS) if kind == "tree" else ()
    each = (f"freeal_llm_label_{number}" for number in range(1, language_models + 1)) if language_models > 1 else ()
    return (*ANNOTATED_COLUMNS, *nodes, *each)


def write_annotated(
    path: Path,
    table: Table,
    pool: Pool,
    decisions: Sequence[Decision],
    annotations: Sequence[Annotation],
    *,
    opinions: Sequence[Sequence[Annotation]] = (),
    cut: AbstractSet[int] = frozenset(),
    kind: Kind = "single",
) -> None:
    """The input's rows, in order and unchanged, and what we found about each; of the texts at `cut` (pool indices) the
    student read a part only. `opinions` are what each of several language models said of each text."""
    header = list(table.header)
    for column in annotated_columns(len(opinions), kind=kind):
        header.append(free_name(column, header))
    with atomic_write.writing(path, table.dialect.output_encoding) as stream:
        rows = _annotated_rows(table, pool, decisions, annotations, opinions=opinions, cut=cut, kind=kind)
        write_rows(stream, header, rows, delimiter=table.dialect.output_delimiter)


def _annotated_rows(
    table: Table,
    pool: Pool,
    decisions: Sequence[Decision],
    annotations: Sequence[Annotation],
    *,
    opinions: Sequence[Sequence[Annotation]] = (),
    cut: AbstractSet[int] = frozenset(),
    kind: Kind = "single",
) -> Iterator[Row]:
    several = opinions if len(opinions) > 1 else ()
    behind = [""] * (len(several) + (len(TREE_MEANINGS) if kind == "tree" else 0))
    for number, (row, index) in enumerate(zip(table.rows, pool.row_index, strict=True)):
        if index == EMPTY:
            yield [*row, "", "", "failed", "", "", "", "", Status.EMPTY_TEXT, *behind]
            continue
        decision = decisions[index]
        statuses = [str(status) for status in _statuses(annotations[index], is_cut=index in cut)]
        if pool.first_row[index] != number:
            statuses.append(f"duplicate_of:{pool.first_row[index] + 1}")
        yield [
            *row,
            decision.label or "",
            f"{decision.confidence:z.4f}",
            decision.source,
            decision.llm_label or decision.llm_branch or "",
            decision.student_label,
            str(decision.round),
            f"{decision.clean:z.4f}",
            ";".join(statuses),
            *([decision.node or "", f"{decision.node_confidence:z.4f}"] if kind == "tree" else ()),
            *(notes[index].label or notes[index].branch or "" for notes in several),
        ]


def _statuses(note: Annotation, *, is_cut: bool) -> list[Status]:
    statuses = [status for status in note.statuses if not (is_cut and status is Status.OK)]
    return [*statuses, Status.STUDENT_TRUNCATED] if is_cut else statuses


def write_audit(path: Path, result: LoopResult, pool: Pool, *, models: Sequence[tuple[str, str]]) -> None:
    """One line per text and round, in the order of asking; answers of several demonstration sets are pooled in it. Rows
    count from 1, without the header. `models` are provider and model of each language model of the job."""
    with atomic_write.writing(path) as stream:
        for asked in (result.zero_shot, *(state.asked for state in result.rounds)):
            for note in asked:
                provider, model = models[note.annotator]
                line = {
                    "row": pool.first_row[note.index] + 1,
                    "round": note.round,
                    "label": note.label or note.branch,
                    "confidence": round(note.confidence, 4),
                    "status": [str(status) for status in note.statuses],
                    "provider": provider,
                    "model": model,
                    "from_store": note.from_store,
                }
                stream.write(json.dumps(line, ensure_ascii=False) + "\n")


def write_demonstrations(folder: Path, result: LoopResult) -> None:
    """demonstrations_round_N.json: what the language model was shown a choice of, with where each came from."""
    for state in result.rounds:
        content = [dataclasses.asdict(demo) for demo in state.demonstrations]
        atomic_write.write_json(folder / f"demonstrations_round_{state.round}.json", content)


def write_confusions(folder: Path, pool: Pool, decisions: Sequence[Decision], labels: tuple[str, ...]) -> None:
    """confusion_*.csv: rows are the first name's labels, columns the second's, counted over the CSV's rows."""
    found = [decisions[index] for index in pool.row_index if index != EMPTY]
    said = {"llm": [one.llm_label or "" for one in found], "student": [one.student_label for one in found]}
    _write_confusion(folder / "confusion_llm_student.csv", said["llm"], said["student"], labels)
    if pool.truth is None:
        return
    known = [
        (truth, decisions[index])
        for truth, index in zip(pool.truth, pool.row_index, strict=True)
        if truth is not None and index != EMPTY
    ]
    truths = [truth for truth, _ in known]
    _write_confusion(folder / "confusion_truth_llm.csv", truths, [one.llm_label or "" for _, one in known], labels)
    _write_confusion(folder / "confusion_truth_student.csv", truths, [one.student_label for _, one in known], labels)
    _write_confusion(folder / "confusion_truth_final.csv", truths, [one.label or "" for _, one in known], labels)


def _write_confusion(path: Path, left: Sequence[str], right: Sequence[str], labels: tuple[str, ...]) -> None:
    import pandas as pd

    names = [*labels, ""]
    table = pd.crosstab(pd.Series(left, dtype=str), pd.Series(right, dtype=str))
    table = table.reindex(index=names, columns=names, fill_value=0).rename(index={"": "(none)"}, columns={"": "(none)"})
    rows: list[Row] = [
        [str(name), *(str(count) for count in counts)]
        for name, counts in zip(table.index, table.to_numpy(), strict=True)
    ]
    with atomic_write.writing(path) as stream:
        write_rows(stream, ["", *(str(name) for name in table.columns)], rows, delimiter=",")
