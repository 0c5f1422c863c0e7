"""A version's accuracy certified by a person: a sheet drawn, read back, and the figures in every file that tells them.

What was certified stays with the model: its texts are never demonstrations of later versions, and as long as a later
one has the same rows and nobody corrected one of those texts, the same answers measure it too.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from freeal.certification import blind_sheet, certificate, certified_json_file, sheet_draw
from freeal.certification.certified_json_file import CertifiedRows
from freeal.certification.sampling_frame import frame_of
from freeal.certification.sheet_size import USUAL_ROWS
from freeal.corrections.review_queue import Look
from freeal.errors import InputError, Where
from freeal.files import atomic_write
from freeal.pool import near_duplicates
from freeal.pool.text_pool import Pool
from freeal.report import certified_section, eval_results, report_headline
from freeal.report.report_headline import Headline
from freeal.results import metrics_as_text, previous_version
from freeal.results.finished_run import FinishedRun
from freeal.results.previous_version import Earlier
from freeal.results.run_json_file import read_run_json
from freeal.text.shell_command import freeal_command

MEASURE_OTHERWISE = "give true labels of a few hundred rows (label_column): metrics.json then tells how right it is"


@dataclasses.dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet that was written. `lines` are to be filled in, `rows` were drawn in all; `answered` lines of the whole
    draw have an answer from before."""

    path: Path
    lines: int
    rows: int
    answered: int
    labels: tuple[str, ...]


def draw_sheet(
    version: Path, *, rows: int = USUAL_ROWS, seed: int = 0, output: Path | None = None, anew: bool = False
) -> Sheet:
    """Write the blind sheet of a version (`blind_sheet.csv` in its folder, or `output`) and remember what was drawn.

    Where a sheet was drawn before, it becomes longer: `rows` counts its rows too, and lines that have an answer are not
    written again. `anew` begins another one; the answers to the old one are then forgotten. Raises `CorruptModelError`
    for the version, `InputError` where there is nothing to draw.
    """
    earlier = previous_version.read_version(version)
    earlier.refuse_several_labels("certify", MEASURE_OTHERWISE)
    known = None if anew else certified_json_file.read_certified(version)
    if known is not None and (known.told(earlier.said) or not known.is_of(earlier.pool)):
        known = None
    pool = dataclasses.replace(earlier.pool, groups=near_duplicates.near_duplicate_groups(earlier.pool.texts))
    draw = sheet_draw.draw_sheet_rows(
        frame_of(pool, earlier.decisions), rows, seed=seed, before=known.draw if known else None
    )
    if not draw.lines:
        raise InputError("no row has a label that a model gave: there is nothing to certify", where=Where(file=version))
    drawn = certified_json_file.certified_rows_of_draw(draw, earlier.pool, before=known)
    path = output or version / blind_sheet.FILE_NAME
    lines = blind_sheet.write_blind_sheet(
        path,
        draw,
        table=earlier.table,
        pool=earlier.pool,
        id_column=earlier.spec.id_column,
        answers=drawn.answers,
    )
    certified_json_file.write_certified(version, drawn)
    return Sheet(path, lines, len(draw.drawn()), len(drawn.answers), earlier.spec.task.names)


def certify_version(version: Path, sheet: Path, *, copies: Sequence[Path] = ()) -> dict[str, Any]:
    """Read a filled sheet and put the figures into metrics.json, report.html, the model card and `.eval_results`.

    `copies` are further folders with files of the same version, which are renewed too. Answers to a sheet read before
    are kept; where both say something of a line, the new one counts. The `certified` part of metrics.json.

    Raises `InputError` for the sheet, all that is wrong at once, and where no sheet was drawn from the version;
    `CorruptModelError` for the version.
    """
    earlier, known = previous_version.read_version(version), certified_json_file.read_certified(version)
    earlier.refuse_several_labels("certify", MEASURE_OTHERWISE)
    if known is None or not known.is_of(earlier.pool):
        hint = f"draw one first: {freeal_command('certify', version)}"
        raise InputError("no sheet was drawn from this version's rows", where=Where(file=sheet), hint=hint)
    answers = blind_sheet.read_blind_sheet(sheet, known.draw, pool=earlier.pool, labels=earlier.spec.task.names)
    today = datetime.datetime.now(datetime.UTC).date().isoformat()
    known = dataclasses.replace(known, answers={**known.answers, **answers}, day=today)
    found = _certified_figures(known, earlier, version=metrics_as_text.read_metrics(version)["job"])
    certified_json_file.write_certified(version, known)
    publish_certified(version, found, copies=copies)
    return found or {}


def publish_certified(version: Path, certified: dict[str, Any] | None, *, copies: Sequence[Path] = ()) -> None:
    """Put figures into the files of a finished version, each whole or as it was; into its `copies` as far as they hold
    files of the same job."""
    metrics = metrics_as_text.read_metrics(version)
    folders = [version, *(folder for folder in copies if folder.resolve() != version.resolve())]
    for folder in folders:
        if _job_id_in(folder / "metrics.json") == metrics["job"]:
            content = metrics_as_text.read_metrics(folder) | {"certified": certified}
            content = {key: value for key, value in content.items() if value is not None}
            _renew_certified_section(
                folder / "report.html", certified, headline=report_headline.headline_of_metrics(content)
            )
            atomic_write.write_json(folder / "metrics.json", content)
        for model in dict.fromkeys([folder / "model", folder]):
            if not model.is_symlink() and _job_id_in(model / "freeal.json") == metrics["job"]:
                _renew_certified_section(model / "README.md", certified)
                eval_results.write_eval_results(model, certified, name=metrics["name"])


def keep_drawn_rows_out(pool: Pool, previous_model: Path | None) -> Pool:
    """The pool with what was drawn from the version before among what is never a demonstration."""
    known = certified_json_file.read_certified(previous_model.parent) if previous_model else None
    if known is None:
        return pool
    return dataclasses.replace(pool, held_out=pool.held_out | known.kept_out(pool))


def not_certified(queue: Sequence[Look], pool: Pool, previous_model: Path | None) -> list[Look]:
    """A review queue without what measures the model: who corrected that would withdraw the figure."""
    known = certified_json_file.read_certified(previous_model.parent) if previous_model else None
    texts = known.answered_texts if known is not None and known.is_of(pool) else frozenset()
    return [look for look in queue if pool.texts[look.index] not in texts]


def carry_certified(run: FinishedRun, folder: Path, previous_model: Path | None) -> dict[str, Any]:
    """What the answers to the last version's sheet say of a finished run, for its metrics; kept in its `folder`."""
    known = certified_json_file.read_certified(previous_model.parent) if previous_model else None
    if previous_model is None or known is None or run.label_changes is not None or run.spec.kind == "multi":
        return {}  # its answers are about labels that meant something else
    if set(read_run_json(previous_model.parent)["spec"]["labels"]) != set(run.spec.labels):
        return {}  # also where all was asked again
    certified_json_file.write_certified(folder, known)
    found = certificate.certificate_for_version(
        known, run.pool, run.decisions, labels=run.spec.task.names, said=run.said, version=run.job_id
    )
    return {"certified": found} if found else {}


def _certified_figures(known: CertifiedRows, earlier: Earlier, *, version: str) -> dict[str, Any] | None:
    return certificate.certificate_for_version(
        known,
        earlier.pool,
        earlier.decisions,
        labels=earlier.spec.task.names,
        said=earlier.said,
        version=version,
    )


def _renew_certified_section(path: Path, certified: dict[str, Any] | None, *, headline: Headline | None = None) -> None:
    if not path.is_file():
        return
    content = path.read_text(encoding="utf-8")
    put = certified_section.put_into_page if path.suffix == ".html" else certified_section.put_into_card
    content = put(content, certified)
    with atomic_write.writing(path) as stream:
        stream.write(content if headline is None else report_headline.put_into_page(content, headline))


def _job_id_in(path: Path) -> str | None:
    """The job that a metrics.json or freeal.json is of; None where there is none to read."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):  # not there, or not ours: then there is nothing to renew
        return None
    if not isinstance(content, dict):
        return None
    found = content.get("job") or content.get("extra", {}).get("job")
    return found if isinstance(found, str) else None
