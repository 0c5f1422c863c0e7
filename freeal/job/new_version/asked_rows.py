"""What predictions asked of the language model since a version was made, as rows of the version that follows it."""

from __future__ import annotations

import dataclasses

from freeal.corrections import asked_texts, corrections_file
from freeal.corrections.corrections_file import Correction
from freeal.events import Emit, Notice, ignore
from freeal.preflight import preflight_check
from freeal.results.previous_version import Earlier
from freeal.types import Annotation, Decision, Status


def joined_with_asked_rows(earlier: Earlier, *, emit: Emit = ignore) -> Earlier:
    """The version with those rows at its end, each with its answer; as it is where there are none, and without what is
    among its rows already or is no label of it. Raises `CorruptModelError`."""
    known, names = set(earlier.pool.texts), earlier.spec.task.names
    asked = {
        one.text: one
        for one in asked_texts.read_asked_texts(earlier.folder)
        if one.text not in known and one.label in names
    }
    if not asked:
        return earlier
    rows = [Correction(one.text, one.label, 0, one.values) for one in asked.values()]
    checked = preflight_check.check(
        corrections_file.table_with_corrections(earlier.table, rows, earlier.pool), earlier.spec
    )
    pool = dataclasses.replace(checked.pool, held_out=earlier.pool.held_out)
    notes, decisions = list(earlier.annotations), list(earlier.decisions)
    for index in range(len(earlier.pool), len(pool)):
        one = asked.get(pool.texts[index])
        if one is None:  # the spec makes another text of these cells than the prediction did
            notes.append(Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0))
            decisions.append(Decision(None, 0.0, "failed", None, names[0], 0.0, 0))
        else:
            notes.append(Annotation(index, one.label, one.confidence, (Status.OK,), 1, from_store=True))
            decisions.append(Decision(None, 0.0, "llm", one.label, one.student_label, one.confidence, 1))
    emit(Notice(f"{len(asked):,} rows that predictions asked about are added, with their answers"))
    return dataclasses.replace(
        earlier, table=checked.table, pool=pool, annotations=tuple(notes), decisions=tuple(decisions)
    )
