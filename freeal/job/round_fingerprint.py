"""What a finished round depends on: rounds of another question are not gone on with."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping, Sequence
from typing import Any

from freeal.job.run_inputs import Given
from freeal.llm.protocols import ChatModel
from freeal.student.protocols import ComparesStudents, Trainer

_OF_THE_SPEC = ("description", "labels", "examples")
_OF_NO_ROUND = {"iterations", "compare_plain", "abstain_below", "keep_corrections", "ask_after_corrections"}
"""Settings of the loop that no finished round depends on."""


def round_fingerprint(job: Mapping[str, Any], given: Given, models: Sequence[ChatModel], trainer: Trainer) -> str:
    """What a finished round of `job` (a TrainingJob as JSON) depends on; not how many rounds there are to be, nor what
    they may cost."""
    pool, known = given.pool, given.known
    parts: list[Any] = [
        pool.texts,
        pool.row_index,
        pool.truth,
        pool.paraphrases,
        {key: job["spec"][key] for key in _OF_THE_SPEC},
        job["student"],
        {key: value for key, value in job["loop"].items() if key not in _OF_NO_ROUND},
        job["llm"]["calibration"],
        models[0].fingerprint,
        trainer.candidates if isinstance(trainer, ComparesStudents) else trainer.description,
        str(job["previous_model"]) if job["student"]["warm_start"] else None,
        [sorted(known.confirmed.items()), sorted(known.open_texts)],
        [dataclasses.asdict(note) for note in known.annotations],
    ]
    if models[0].style == "completion":
        parts.append([job["llm"]["form"], known.form])
    if job["spec"]["kind"] != "single":
        parts.append(job["spec"]["kind"])
    if len(models) > 1:  # the looks of a cascade are numbered behind its rounds
        parts.append([job["spec"]["llm_use"], job["loop"]["iterations"], *(one.fingerprint for one in models[1:])])
        forms = [
            told["form"] for told, one in zip(job["further_llms"], models[1:], strict=True) if one.style == "completion"
        ]
        parts += [forms] if forms else []
    return json.dumps(parts)
