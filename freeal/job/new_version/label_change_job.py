"""Another version of a model whose labels changed: only what can get another label is asked, the rest is kept.

For a spec of an existing model that is dropped again. Where it asks another question altogether (another description,
other text columns, another language model, `force: true`), where most texts are new, or nearly all can change, all are
asked, as for a new model.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from freeal.boundaries import label_changes, texts_to_ask_again
from freeal.boundaries.label_changes import LabelChanges
from freeal.corrections import corrections_file
from freeal.errors import CorruptModelError
from freeal.events import Emit, Notice
from freeal.job.run_inputs import Given
from freeal.loop.known_labels import Known
from freeal.pool.text_pool import Pool
from freeal.results import previous_version
from freeal.results.previous_version import Earlier
from freeal.settings import LlmSettings, LoopSettings
from freeal.spec.job_spec import Spec
from freeal.types import Annotation, Status

LARGEST_SHARE = 0.8
"""Where more can change, all are asked: nothing is saved, and a whole round is told apart better."""
SMALLEST_OVERLAP = 0.5


@dataclasses.dataclass(frozen=True)
class Kept:
    """What a run begins with where labels changed: what is `known` of its pool; the version before, and what a person
    `said` about the model, under the names of now; what is told of it in metrics.json."""

    known: Known
    before: Earlier
    said: dict[str, str]
    told: dict[str, Any]


def with_label_changes(given: Given, spec: Spec, **how: Any) -> Given:
    """`given` with what can be kept of the version before; as it is where everything is asked. For `how` see
    `kept_through_label_changes`."""
    found = kept_through_label_changes(spec, given.pool, given.known, **how)
    if found is None:
        return given
    return dataclasses.replace(given, known=found.known, said=found.said, before=found.before, label_changes=found.told)


def kept_through_label_changes(
    spec: Spec,
    pool: Pool,
    given: Known,
    *,
    previous_model: Path | None,
    provider: str,
    llm: LlmSettings,
    loop: LoopSettings,
    emit: Emit,
) -> Kept | None:
    """What can be kept of the version of `previous_model`; None where everything is asked. Where `loop` keeps
    corrections, what a person said about a text holds under the label's name of now."""
    if previous_model is None or spec.force:
        return None
    try:
        earlier = previous_version.read_version(previous_model.parent)
    except CorruptModelError:  # a version that cannot be gone on from: all is asked, as it always was
        return None
    if "multi" in (spec.kind, earlier.spec.kind):  # what one label becomes says nothing of the others beside it
        return None
    changes = label_changes.find_label_changes(earlier.spec.labels, spec.labels, spec.label_changes)
    if changes.is_nothing or not _is_same_question(earlier, spec, pool, provider=provider, llm=llm):
        return None
    said = {text: changes.moved.get(label, label) for text, label in earlier.said.items()}
    if loop.keep_corrections:
        corrected = corrections_file.by_index(said, pool, spec.task.names)
        given = dataclasses.replace(given, confirmed=corrected | dict(given.confirmed))
    open_before = set(
        texts_to_ask_again.texts_opened_by_changes(
            changes, earlier.annotations, earlier.decisions, labels=earlier.spec.task.names
        )
    )
    place = {text: index for index, text in enumerate(earlier.pool.texts)}
    at = {index: place[text] for index, text in enumerate(pool.texts) if text in place}
    settled = set(at.values()) - open_before
    again = frozenset(range(len(pool))) - given.confirmed.keys()
    again = frozenset(index for index in again if at.get(index) not in settled)
    if len(at) < SMALLEST_OVERLAP * len(pool) or len(again) > LARGEST_SHARE * len(pool):
        return None
    known = dataclasses.replace(
        given,
        annotations=tuple(
            _annotation_now(earlier, changes, index, at.get(index), after=spec.task.names, is_open=index in again)
            for index in range(len(pool))
        ),
        demonstrations=_demonstrations_after_changes(earlier, changes, pool, again),
        open_texts=again,
        form=earlier.llm.form,
    )
    emit(Notice(f"labels changed: {changes.changes_in_words()}"))
    emit(Notice(f"{len(again):,} of {len(pool):,} texts can get another label and are asked, the others keep theirs"))
    told = changes.as_dict() | {"asked": len(again), "kept": len(pool) - len(again), "since": earlier.folder.name}
    return Kept(known, _earlier_with_labels_of_now(earlier, changes, pool, at), said, told)


def _annotation_now(
    earlier: Earlier,
    changes: LabelChanges,
    index: int,
    place: int | None,
    *,
    after: tuple[str, ...],
    is_open: bool,
) -> Annotation:
    """Of the text at `index`, which stood at `place` in the version before, if at all."""
    if place is None:
        return Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0)
    note, before = earlier.annotations[place], earlier.spec.task.names
    told = label_changes.annotation_now(note, changes, before=before, after=after, is_open=is_open)
    return dataclasses.replace(told, index=index)


def _is_same_question(earlier: Earlier, spec: Spec, pool: Pool, *, provider: str, llm: LlmSettings) -> bool:
    """Whether, but for the labels that change, an earlier version asked what this job asks."""
    return (
        earlier.spec.description == spec.description
        and earlier.pool.text_columns == pool.text_columns
        and earlier.spec.label_use == spec.label_use
        and earlier.llm.provider == provider
        and llm.model in {None, earlier.llm.model}
    )


def _demonstrations_after_changes(
    earlier: Earlier, changes: LabelChanges, pool: Pool, again: frozenset[int]
) -> tuple[Any, ...]:
    """The version's demonstrations as far as they still hold, by the places of their texts now."""
    place = {text: index for index, text in enumerate(pool.texts)}
    moved = [dataclasses.replace(demo, index=place.get(demo.text)) for demo in earlier.demonstrations]
    shown = label_changes.demonstrations_now(moved, changes, open_texts=again)
    return tuple(demo for demo in shown if demo.index not in pool.held_out)


def _earlier_with_labels_of_now(earlier: Earlier, changes: LabelChanges, pool: Pool, at: Mapping[int, int]) -> Earlier:
    """The version before, its labels called as now and indexed like the pool: for telling what moved."""
    outcomes = [label_changes.decision_now(one, changes) for one in earlier.decisions]
    blank = dataclasses.replace(outcomes[0], label=None)
    notes = [
        dataclasses.replace(earlier.annotations[at[index]], index=index)
        if index in at
        else Annotation(index, None, 0.0, (Status.NOT_ASKED,), 0)
        for index in range(len(pool))
    ]
    decisions = tuple(outcomes[at[index]] if index in at else blank for index in range(len(pool)))
    return dataclasses.replace(earlier, pool=pool, decisions=decisions, annotations=tuple(notes))
