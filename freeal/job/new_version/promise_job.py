"""A version whose student gives a label only where it is as sure as a promise takes (freeal/certification/promise.py).

The student is trained anew, on the answers that are there, without the texts that a person looked at and their near
duplicates: only of rows it never learned from does being right say anything of new texts. Nothing is asked.
"""

from __future__ import annotations

import dataclasses
import shutil
from pathlib import Path
from typing import Any

import numpy as np

from freeal.aggregation.candidate_labels import candidates_of
from freeal.aggregation.label_choice import chosen_positions, confidence
from freeal.certification import certificate, certified_json_file, promise
from freeal.certification.certificate import Looked
from freeal.certification.certified_json_file import CertifiedRows
from freeal.certification.promise import Scope
from freeal.certification.sampling_frame import frame_of
from freeal.compute.listener import unwatched
from freeal.corrections import corrections_file
from freeal.errors import InputError, Where
from freeal.events import Emit, Notice, ignore
from freeal.files import atomic_write
from freeal.job import pool_of_job, trainer_of_job
from freeal.job.new_version import certification_job
from freeal.loop.known_labels import Known
from freeal.pool import near_duplicates
from freeal.pool.text_pool import Pool
from freeal.prediction import text_profile
from freeal.results import metrics_as_text, previous_version, student_of_version
from freeal.results.previous_version import Earlier
from freeal.results.run_json_file import read_run_json
from freeal.settings import StudentSettings
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.model_folder import student_metadata
from freeal.student.protocols import NO_LABEL, Student
from freeal.text.shell_command import freeal_command


def run_promise_job(
    version: Path, target: Path, *, right: float, scope: Scope = "label", emit: Emit = ignore
) -> dict[str, Any]:
    """Fill the folder `target`, which must not be there, with the version and a student that keeps the promise to be
    `right` in that share (0.95) of the labels it gives. The `promise` part of its metrics.json.

    Raises `InputError` where nothing was certified or the figures were withdrawn, or `target` is there;
    `CorruptModelError` for the version.
    """
    earlier, known = previous_version.read_version(version), certified_json_file.read_certified(version)
    earlier.refuse_several_labels("a promise", certification_job.MEASURE_OTHERWISE)
    if known is None or not known.answers or not known.is_of(earlier.pool) or known.told(earlier.said):
        hint = f"fill in a sheet first: {freeal_command('certify', version)}"
        raise InputError("nothing was certified that a promise could rest on", where=Where(file=version), hint=hint)
    if target.exists():
        raise InputError("is there already", where=Where(file=target), hint="name another folder, or delete it")
    pool = dataclasses.replace(earlier.pool, groups=near_duplicates.near_duplicate_groups(earlier.pool.texts))
    metrics = metrics_as_text.read_metrics(version)
    student = _train_promised_student(
        earlier, pool, known, version=version, seed_of_round=metrics["kept_round"], emit=emit
    )
    proba = student.predict_proba(pool.texts)
    best_ids = chosen_positions(proba, earlier.spec.kind)
    decisions = [
        dataclasses.replace(one, student_label=student.labels[int(best)])
        for one, best in zip(earlier.decisions, best_ids, strict=True)
    ]
    frame = frame_of(pool, decisions).with_strata(known.draw.stratum)
    sure = np.append(confidence(proba, best_ids), 0.0)[np.array(pool.row_index)]
    found = promise.find_promise(
        frame, Looked.at(known, frame), sure, labels=student.labels, right=right, scope=scope
    ).as_dict()
    figures = certificate.certificate_for_version(
        known, pool, decisions, labels=earlier.spec.task.names, said=earlier.said, version=target.name, learned_from=0
    )
    _write_promised_version(version, target, student, promised=found, metrics=metrics, certified=figures)
    return found


def _train_promised_student(
    earlier: Earlier, pool: Pool, known: CertifiedRows, *, version: Path, seed_of_round: int, emit: Emit
) -> Student:
    out = known.kept_out(pool)
    kept = [index for index in range(len(pool)) if index not in out]
    if not kept:
        problem = "a person looked at every text: none is left for a student to learn from"
        hint = "certify fewer rows (--rows), and promise then"
        raise InputError(problem, where=Where(file=version), hint=hint)
    emit(Notice(f"the student is trained anew without {len(out):,} of {len(pool):,} texts: those that measure it"))
    names = earlier.spec.task.names
    record = read_run_json(version)["settings"]
    settings = StudentSettings.model_validate(record["student"]).model_copy(update={"warm_start": False})
    settings = student_of_version.settings_with_student_of_version(settings, version)
    taught = pool_of_job.taught_labels_of_pool(pool, earlier.spec, seed=settings.seed, emit=emit)[1]
    confirmed = taught | corrections_file.by_index(earlier.said, pool, names)
    notes = Known(confirmed=confirmed).with_known_labels(earlier.annotations, names)
    ids = [NO_LABEL if note.label is None else names.index(note.label) for note in notes]
    candidates = candidates_of(notes, names) if record["loop"].get("candidates") == "resolve" else None
    mask = Known(confirmed=confirmed).mask_of_labelled(len(pool))
    data = LabelledTexts(
        [pool.texts[index] for index in kept],
        [ids[index] for index in kept],
        candidates=None if candidates is None else candidates[kept],
        paraphrases=None if pool.paraphrases is None else [pool.paraphrases[index] for index in kept],
        confirmed=None if mask is None else mask[kept],
        groups=None if pool.groups is None else np.array(pool.groups)[kept],
    )
    trainer = trainer_of_job.trainer_for(settings, texts=len(kept), previous=None, most_at_once=None, emit=emit)
    return trainer.fit(data, labels=names, seed=settings.seed + seed_of_round, on_step=unwatched).student


def _write_promised_version(
    version: Path,
    target: Path,
    student: Student,
    *,
    promised: dict[str, Any],
    metrics: dict[str, Any],
    certified: dict[str, Any] | None,
) -> None:
    """The version's files with another student, whole or not at all."""
    temporary = target.with_name(f".{target.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    shutil.copytree(version, temporary, ignore=shutil.ignore_patterns("model", ".*.tmp"))
    model = temporary / "model"
    model.mkdir()
    student.save(model)
    old = student_metadata.read_card(version / "model")
    student_metadata.add_extra(model, old.extra | {"job": target.name, "promise": promised})
    for name in ("README.md", text_profile.FILE_NAME):
        if (version / "model" / name).is_file():
            shutil.copyfile(version / "model" / name, model / name)
    atomic_write.write_json(temporary / "metrics.json", metrics | {"job": target.name, "promise": promised})
    certification_job.publish_certified(temporary, certified)
    atomic_write.sync_tree(temporary)
    temporary.rename(target)
    atomic_write.sync(target.parent)
