"""A model whose rows can be looked at: a version with annotated rows, a queue, and processes that need no torch."""

from __future__ import annotations

import csv
import dataclasses
import itertools
import json

import numpy as np
import pytest
import yaml

from freeal.certification import certified_json_file
from freeal.certification.certified_json_file import CertifiedRows
from freeal.certification.sheet_draw import Draw, Line

VERSION = "reviews-20251122-120000-abcdef"
OURS = ("label", "confidence", "source", "llm_label", "student_label", "round", "clean", "status")
TEXTS = tuple(f"text number {number} <b>" for number in range(1, 13))
WORKER = """
import json, pathlib, sys
from daemon.processes.entry_points import review_worker
def draw(request):
    rows = pathlib.Path(request["version"]) / "to_draw.json"
    rows.rename(rows.with_name("certified.json"))
    return {}
def questions(request):
    path = pathlib.Path(request["version"]) / "boundaries.yaml"
    if not path.exists():
        (path.with_name("asked.yaml")).rename(path)
    return real_questions(request)
def quote(request):
    import yaml
    answers = yaml.safe_load(pathlib.Path(request["answers"]).read_text())
    said = [one for pair in answers["pairs"] for one in pair["answer"].values() if one["is"]]
    changed = [{"label": "good", "before": "", "after": "is " + one["is"]} for one in said]
    return {"changed": changed, "texts": 5, "rows": 6, "of": 12, "usd": 0.25, "warning": "it <b>scores</b>"}
real_questions = review_worker.TASKS["questions"]
review_worker.TASKS.update(draw=draw, questions=questions, quote=quote)
raise SystemExit(review_worker.main())
"""


def _label(number):
    return "good" if number % 2 else "bad"


@pytest.fixture
def reviewed(stage):
    """A page with such a model, its errands under way; gives stage and version."""
    folder = stage.model()
    version = folder / "versions" / VERSION
    (folder / "corrections").mkdir()
    spec = {
        "name": "reviews",
        "description": "?",
        "labels": {"good": "it is fine", "bad": ""},
        "text_columns": ["text"],
    }
    (version / "run.json").write_text(json.dumps({"spec": {**spec, "id_column": "id"}, "input": {}}))
    with (version / "annotated.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", *(f"freeal_{name}" for name in OURS)])
        for number, text in enumerate(TEXTS, start=1):
            voices = [_label(number), "good" if number < 4 else "bad"]
            writer.writerow([f"i{number}", text, _label(number), number / 20, "llm", *voices, "1", "0.5", "ok"])
    with (version / "review_queue.csv").open("w", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["id", "text", "freeal_row", "freeal_rows", "freeal_why", "freeal_nearest_1"])
        writer.writerows(["", "", number, 1, "looks wrong", "good: an example"] for number in (5, 2, 7, 9))
    rows = (2, 4, 6, 8)
    draw = Draw(0, tuple(Line(row - 1, (row - 1,)) for row in rows), np.zeros(len(TEXTS), dtype=np.int8))
    certified_json_file.write_certified(version, CertifiedRows(draw, {row - 1: TEXTS[row - 1] for row in rows}))
    (version / "certified.json").rename(version / "to_draw.json")
    texts = [{"row": 3, "text": TEXTS[2], "given": "good"}, {"row": 4, "text": TEXTS[3], "given": "bad"}]
    pair = {"between": ["good", "bad"], "question": "What decides?", "share": 0.5, "texts": texts}
    (version / "asked.yaml").write_text(yaml.safe_dump({"version": VERSION, "pairs": [pair]}))
    (stage.root / "programs" / "scripted_review.py").write_text(WORKER)
    return Reviewed(stage, folder, version)


@dataclasses.dataclass
class Reviewed:
    """The stage, the model's folder and its version."""

    stage: object
    folder: object
    version: object

    def dropped(self):
        """The files in corrections/."""
        return sorted((self.folder / "corrections").iterdir())

    def relabel(self, said, version=None):
        """Give the rows these labels, final and of both voices, in turn."""
        path = (version or self.version) / "annotated.csv"
        with path.open(newline="") as stream:
            header, *rows = csv.reader(stream)
        for row, label in zip(rows, itertools.cycle(said), strict=False):
            row[2] = row[5] = row[6] = label
        with path.open("w", newline="") as stream:
            csv.writer(stream).writerows([header, *rows])


SEVERAL = {"good": "it is fine", "late": "", "a;b": ""}
SAID = ("good", "good;late", "(none)", r"a\;b", "")


@pytest.fixture
def several(reviewed):
    """The same where a text may have several labels: of the first rows those of SAID."""
    record = json.loads((reviewed.version / "run.json").read_text())
    record["spec"] |= {"labels": SEVERAL, "kind": "multi"}
    (reviewed.version / "run.json").write_text(json.dumps(record))
    path = reviewed.version / "annotated.csv"
    path.write_text(path.read_text().replace("freeal_label,", "freeal_labels,", 1))
    reviewed.relabel(SAID)
    return reviewed
