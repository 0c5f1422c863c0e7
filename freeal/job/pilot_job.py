"""A pilot: the first rows of a table end to end, before the rest is paid for; and the rest, which keeps its answers.

What a pilot leaves is the folder of a finished run over its rows, with `pilot.json` in it: what it cost and took, what
the rest will, and whether the label set fits.
"""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from freeal.boundaries import label_set_check
from freeal.events import Emit, Notice
from freeal.loop.known_labels import Known
from freeal.pool.text_pool import Pool
from freeal.preflight import preflight_check
from freeal.preflight.preflight_check import Checked
from freeal.results import pilot_json_file, previous_version
from freeal.results.finished_run import FinishedRun
from freeal.spec.job_spec import Spec
from freeal.types import Annotation, Status

LOCAL = "local"


@dataclasses.dataclass(frozen=True, slots=True)
class Whole:
    """How much there is beside a pilot's rows."""

    rows: int
    texts: int


def first_rows_for_pilot(checked: Checked, spec: Spec, count: int) -> tuple[Checked, Whole | None]:
    """The first `count` rows as a table of their own, and the size of the whole; the table as it is, and None, where it
    has no more. Raises `InputError`."""
    if count >= len(checked.table.rows):
        return checked, None
    whole_table = checked.table
    table = dataclasses.replace(whole_table, rows=whole_table.rows[:count], lines=whole_table.lines[:count])
    whole = Whole(len(checked.table.rows), len(checked.pool))
    return preflight_check.check(table, spec), whole


def known_from_pilot(pilot: Path, pool: Pool, given: Known, *, labels: tuple[str, ...], emit: Emit) -> Known:
    """What is known of the whole once its pilot is over: the pilot's answers, and the demonstrations its student chose.

    The rest of the texts is open, but for those whose answer is `given` since an earlier version. A language model in
    this machine's memory is asked anew: it costs nothing, and weighs its answers over all texts. Raises
    `CorruptModelError`.
    """
    earlier = previous_version.read_version(pilot)
    if earlier.llm.provider == LOCAL or earlier.spec.task.names != labels:
        return given
    place = {text: index for index, text in enumerate(pool.texts)}
    answered = {
        place[earlier.pool.texts[note.index]]: note
        for note in earlier.annotations
        if earlier.pool.texts[note.index] in place and note.label is not None
    }
    annotations = tuple(
        dataclasses.replace(answered[index], index=index, from_store=True)
        if index in answered
        else given.annotations[index]
        if given.annotations
        else Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0)
        for index in range(len(pool))
    )
    shown = []
    for demo in earlier.demonstrations:
        text = earlier.pool.texts[demo.index] if demo.index is not None else None
        index = None if text is None else place.get(text)
        if text is None or (index is not None and index not in pool.held_out):
            shown.append(dataclasses.replace(demo, index=index))
    was_open = given.open_texts if given.annotations else frozenset(range(len(pool)))
    open_texts = was_open - answered.keys() - given.confirmed.keys()
    emit(Notice(f"{len(answered):,} texts keep the pilot's answers, {len(open_texts):,} are asked"))
    return dataclasses.replace(
        given,
        annotations=annotations,
        demonstrations=tuple(shown),
        open_texts=open_texts,
        form=earlier.llm.form,
    )


def write_pilot_outcome(run: FinishedRun, folder: Path, whole: Whole) -> dict[str, Any]:
    """What a pilot leaves its owner to decide by: what it came to, what the rest will, whether the label set fits."""
    best, metrics = run.result.best, run.metrics()
    findings = label_set_check.check_label_set(
        run.pool, best.annotations, run.decisions, labels=run.spec.task.names, embeddings=best.embeddings
    )
    seconds = sum(float(state.metrics["seconds"]) for state in run.result.rounds)
    content = {
        "job": run.job_id,
        "rows": len(run.table.rows),
        "texts": len(run.pool),
        "usd": metrics["cost"]["usd"],
        "calls": metrics["cost"]["calls"],
        "seconds": round(seconds, 1),
        "rest": _forecast_of_rest(run, whole, seconds=seconds),
        "findings": [one.as_dict(run.pool) for one in findings],
    }
    pilot_json_file.write(folder, content)
    return content


def _forecast_of_rest(run: FinishedRun, whole: Whole, *, seconds: float) -> dict[str, Any]:
    """By the pilot job, what the other rows will ask, cost and take, from low to high, at its rate: in the first round
    alone, and in as many rounds as the pilot had."""
    texts = whole.texts - len(run.pool)
    first = run.result.rounds[0].metrics
    each = len(run.pool)
    factor = whole.texts / each
    usd = [first["usd"] / each * texts, run.ledger.usd / each * texts]
    return {
        "rows": whole.rows - len(run.table.rows),
        "texts": texts,
        "usd": [round(amount, 6) for amount in sorted(usd)],
        "seconds": [round(float(first["seconds"]) * factor, 1), round(seconds * factor, 1)],
    }
