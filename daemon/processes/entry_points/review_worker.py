"""Entry point for what the review pages need: `python -m daemon.processes.entry_points.review_worker`.

One line of JSON in, one answer out. `task` says what: `index` (the rows of a version, into a SQLite file), `draw` (a
blind sheet), `sheet` (the one that was drawn), `questions` (where labels compete, and what proposals would cost),
`propose` (ask the language model for them), `quote` (what an answered boundaries.yaml would change and cost).
"""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from daemon.processes.child_channel import Channel, failure_of
from daemon.processes.message_protocol import Answer, Result


def _index_rows(request: dict[str, Any]) -> dict[str, Any]:
    from freeal.row_index.build_index import build_row_index

    previous = request["previous"]
    build_row_index(Path(request["version"]), Path(request["target"]), previous=Path(previous) if previous else None)
    return {}


def _draw_sheet(request: dict[str, Any]) -> dict[str, Any]:
    from freeal.job.new_version import certification_job

    certification_job.draw_sheet(Path(request["version"]), rows=int(request["rows"]), anew=bool(request["anew"]))
    return {}


def _read_sheet(request: dict[str, Any]) -> dict[str, Any]:
    from freeal.certification import certified_json_file

    found = certified_json_file.read_certified(Path(request["version"]))
    if found is None:
        return {"lines": [], "rows": 0}
    lines = [
        {"number": line.row + 1, "text": found.texts[line.row], "answer": found.answers.get(line.row)}
        for line in found.draw.lines
    ]
    return {"lines": lines, "rows": len(found.draw.drawn())}


def _read_questions(request: dict[str, Any]) -> dict[str, Any]:
    import anyio

    from freeal.boundaries import boundaries_file
    from freeal.job.new_version import boundary_job, proposal_job
    from freeal.results.metrics_as_text import read_metrics

    version = Path(request["version"])
    path = version / boundaries_file.FILE_NAME
    questions = (
        boundaries_file.read_questions(path) if path.is_file() else boundary_job.write_boundary_questions(version)[1]
    )
    content = questions.model_dump(mode="json", by_alias=True)
    content["warning"] = boundary_job.warning_of(read_metrics(version))
    if (told := request.get("proposals")) is not None:
        job = proposal_job.ProposalJob(version=version, questions=path, **told)
        forecast = anyio.run(lambda: proposal_job.forecast_proposals(job, provider=request["provider"]))
        content["forecast"] = dataclasses.asdict(forecast)
    return content


def _propose_answers(request: dict[str, Any]) -> dict[str, Any]:
    import anyio

    from freeal.boundaries import boundaries_file
    from freeal.job.new_version import proposal_job
    from freeal.llm.limits.rate_limiter import Limiter

    version = Path(request["version"])
    path = version / boundaries_file.FILE_NAME
    job = proposal_job.ProposalJob(version=version, questions=path, **request["proposals"])
    limiter = Limiter.of(job.llm)
    limiter.take_share(float(request["share"]))
    anyio.run(lambda: proposal_job.propose_rules(job, limiter=limiter))
    return {}


def _quote_answers(request: dict[str, Any]) -> dict[str, Any]:
    from freeal.job.new_version import boundary_job

    found = boundary_job.quote_boundary_answers(Path(request["version"]), Path(request["answers"]))
    before, after = found.meanings.before, found.meanings.after
    changed = [{"label": label, "before": before[label], "after": after[label]} for label in found.meanings.changed]
    counts = {"texts": found.texts, "rows": found.rows, "of": found.of, "usd": found.usd}
    return {"changed": changed, "warning": found.warning} | counts


TASKS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "index": _index_rows,
    "draw": _draw_sheet,
    "sheet": _read_sheet,
    "questions": _read_questions,
    "propose": _propose_answers,
    "quote": _quote_answers,
}


def do_review_task(line: str) -> Answer:
    """One task of the review pages."""
    try:
        request = json.loads(line)
        return Result(TASKS[request["task"]](request))
    except Exception as error:  # noqa: BLE001 - reported to the daemon, which shows it
        return failure_of(error)


def main() -> int:
    """Answer once."""
    channel = Channel.take_stdout()
    channel.send(do_review_task(sys.stdin.readline()))
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
