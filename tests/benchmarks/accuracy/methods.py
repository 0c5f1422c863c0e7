"""What is measured: methods as settings that differ from the defaults, and tables as lists of them.

To measure another variant add a row to METHODS and its name to a table; nothing else knows the names, except that
`freeal` leaves the annotations that `plain` learns from.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Literal

Overrides = Mapping[str, Mapping[str, Any]]
"""Section of the settings (`llm`, `student`, `loop`), or `spec` for keys of the job's spec -> key -> value."""

_PLAIN_STUDENT = {"clean_split": "none", "mixup": False, "consistency": "never"}


@dataclasses.dataclass(frozen=True)
class Method:
    """`kind` says what is run: `loop` the whole job, `ask` the language model once without demonstrations, `annotated`
    a student on given annotations (recorded ones, or those of the first round of `freeal`), `supervised` a student on
    the true labels."""

    title: str
    kind: Literal["loop", "ask", "annotated", "supervised"]
    overrides: Overrides = dataclasses.field(default_factory=dict)


METHODS: Mapping[str, Method] = {
    "zero_shot_raw": Method("LLM zero-shot, raw scores", "ask", {"llm": {"calibration": "none"}}),
    "freeal": Method("FreeAL", "loop"),
    "plain": Method("plain distillation", "annotated", {"student": _PLAIN_STUDENT}),
    "robust": Method("robust student", "annotated"),
    "supervised": Method("supervised student", "supervised", {"student": _PLAIN_STUDENT}),
    # ablations: one part of the method is missing
    "without_mixture": Method("labels taught as they are", "loop", {"student": {"clean_split": "none"}}),
    "without_mixup": Method("without mixup", "loop", {"student": {"mixup": False}}),
    "with_consistency": Method("with consistency of two views", "loop", {"student": {"consistency": "always"}}),
    "with_paraphrases": Method(
        "with consistency of paraphrases", "loop", {"spec": {"paraphrase_column": "back_translation"}}
    ),
    "without_calibration": Method("without calibration", "loop", {"llm": {"calibration": "none"}}),
    "without_meanings": Method("without the labels' meanings", "loop", {"loop": {"label_meanings": "off"}}),
    "without_student_demonstrations": Method(
        "without demonstrations from the student", "loop", {"loop": {"demonstrations": "first"}}
    ),
    # extensions: something beyond the paper is added
    "candidates": Method("candidate labels (CanDist)", "loop", {"loop": {"candidates": "resolve"}}),
    "tenth": Method("a tenth asked per round", "loop", {"loop": {"annotate_share": 0.1}}),
    "warm_start": Method("warm start", "loop", {"student": {"warm_start": True}}),
}
ABLATIONS = (
    "without_mixture",
    "without_mixup",
    "with_consistency",
    "with_paraphrases",
    "without_student_demonstrations",
    "without_calibration",
    "without_meanings",
)
EXTENSIONS = ("candidates", "tenth", "warm_start")


@dataclasses.dataclass(frozen=True)
class TableOf:
    """A table per data set. Cells run in the order of `methods`: one that leaves something goes before one that needs
    it. `shown` (default `methods`) are the rows in their order, a method or a part of one (tables.PARTS) as
    `method/part`. Differences are to `baseline`. `rows` and `epochs` stand for `--rows` and `--epochs` not given."""

    title: str
    data: tuple[str, ...]
    methods: tuple[str, ...]
    baseline: str
    shown: tuple[str, ...] = ()
    rows: int | None = None
    epochs: int | None = None


TABLES: Mapping[str, TableOf] = {
    "recorded": TableOf(
        "Students on recorded answers of GPT-3.5",
        ("mr-recorded", "mr-damaged20", "mr-damaged30"),
        ("plain", "robust", "supervised"),
        baseline="plain",
        epochs=8,
    ),
    "freeal": TableOf(
        "FreeAL with a language model in memory",
        ("mr", "cr", "agnews", "trec"),
        ("freeal", "plain", "supervised", "zero_shot_raw", *EXTENSIONS),
        baseline="plain",
        shown=(
            "zero_shot_raw",
            "freeal/zero_shot",
            "freeal/first_round",
            "plain",
            "freeal/rounds",
            "freeal",
            *EXTENSIONS,
            "supervised",
        ),
        rows=2000,
    ),
    "ablation": TableOf("What each part is worth", ("mr",), ("freeal", *ABLATIONS), baseline="freeal", rows=2000),
}
