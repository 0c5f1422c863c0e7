"""The files a finished job leaves in its folder (CONTRACT.md 5 to 7)."""

from __future__ import annotations

import dataclasses
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING

from freeal.files import atomic_write
from freeal.loop.loop_result import LoopResult
from freeal.pool.text_pool import EMPTY, Pool
from freeal.table import Row, Table, free_name, write_rows
from freeal.text import joined_labels
from freeal.text.label_paths import TREE_MEANINGS
from freeal.types import Annotation, Decision, Kind, Status

if TYPE_CHECKING:
    import numpy as np

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

SEVERAL_LABELS_MEANINGS = {
    "freeal_labels": "with `kind: multi`, in place of `freeal_label`: the final labels joined by `;` (within a name "
    "`\\;`), `(none)` where none applies; empty where nothing was given. `freeal_llm_label` and `freeal_student_label` "
    "are written alike, and `freeal_confidence` is the probability that all of it is right",
    "freeal_p_<label>": "with `kind: multi`, behind the others: the probability of each label by itself",
}
"""The columns of texts that may have several labels."""

ANNOTATED_COLUMNS = tuple(COLUMN_MEANINGS)


def annotated_columns(language_models: int, kind: Kind = "single", labels: Sequence[str] = ()) -> tuple[str, ...]:
    """Our columns for `labels` of a `kind`, in order: those of every job, the node of a tree, what each of several
    language models said, and where a text may have several labels the probability of each."""
    each = (f"freeal_llm_label_{number}" for number in range(1, language_models + 1)) if language_models > 1 else ()
    return (
        "freeal_labels" if kind == "multi" else ANNOTATED_COLUMNS[0],
        *ANNOTATED_COLUMNS[1:],
        *(TREE_MEANINGS if kind == "tree" else ()),
        *each,
        *(f"freeal_p_{name}" for name in labels if kind == "multi"),
    )


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
    probabilities: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> None:
    """The input's rows, in order and unchanged, and what we found about each; of the texts at `cut` (pool indices) the
    student read a part only. `opinions` are what each of several language models said of each text, `probabilities`
    [texts] those of each label, where a text may have several."""
    header = list(table.header)
    for column in annotated_columns(len(opinions), kind, tuple(probabilities)):
        header.append(free_name(column, header))
    with atomic_write.writing(path, table.dialect.output_encoding) as stream:
        rows = _annotated_rows(
            table, pool, decisions, annotations, opinions=opinions, cut=cut, kind=kind, probabilities=probabilities
        )
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
    probabilities: Mapping[str, np.ndarray] = MappingProxyType({}),
) -> Iterator[Row]:
    several = opinions if len(opinions) > 1 else ()
    for number, (row, index) in enumerate(zip(table.rows, pool.row_index, strict=True)):
        if index == EMPTY:
            empty = [""] * (len(TREE_MEANINGS) * (kind == "tree") + len(several) + len(probabilities))
            yield [*row, "", "", "failed", "", "", "", "", Status.EMPTY_TEXT, *empty]
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
            *(f"{float(own[index]):z.4f}" for own in probabilities.values()),
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


def write_confusions(
    folder: Path, pool: Pool, decisions: Sequence[Decision], labels: tuple[str, ...], kind: Kind = "single"
) -> None:
    """confusion_*.csv: rows are the first name's labels, columns the second's, counted over the CSV's rows. Of several
    labels each by itself: a row per label with how often both, only the first, only the second or neither has it."""
    writes = _write_memberships if kind == "multi" else _write_confusion
    found = [decisions[index] for index in pool.row_index if index != EMPTY]
    said = {"llm": [one.llm_label or "" for one in found], "student": [one.student_label for one in found]}
    writes(folder / "confusion_llm_student.csv", said["llm"], said["student"], labels)
    if pool.truth is None:
        return
    known = [
        (truth, decisions[index])
        for truth, index in zip(pool.truth, pool.row_index, strict=True)
        if truth is not None and index != EMPTY
    ]
    truths = [truth for truth, _ in known]
    writes(folder / "confusion_truth_llm.csv", truths, [one.llm_label or "" for _, one in known], labels)
    writes(folder / "confusion_truth_student.csv", truths, [one.student_label for _, one in known], labels)
    writes(folder / "confusion_truth_final.csv", truths, [one.label or "" for _, one in known], labels)


def _write_memberships(path: Path, left: Sequence[str], right: Sequence[str], labels: tuple[str, ...]) -> None:
    pairs = [(joined_labels.split(one), joined_labels.split(other)) for one, other in zip(left, right, strict=True)]
    names = path.stem.split("_")[1:]
    rows: list[Row] = []
    for label in labels:
        cells = Counter((label in one, label in other) for one, other in pairs)
        rows.append([label, *(str(cells[in_one, in_other]) for in_one in (True, False) for in_other in (True, False))])
    with atomic_write.writing(path) as stream:
        header = ["", "both", f"only {names[0]}", f"only {names[1]}", "neither"]
        write_rows(stream, header, rows, delimiter=",")


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
