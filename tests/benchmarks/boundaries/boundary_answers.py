"""What ten minutes of a person are worth: boundary questions answered, or rows corrected for as long.

Run by `make bench-boundary-answers`. The packaged language model labels rows of TREC, AG News and MR, whose truth no
part of the run is told. Then the questions it leads to are answered by definitions that were written by hand beforehand
(boundary_definitions.py); or, for as long as that takes, the first rows of its review queue are corrected by their true
labels; or as many rows drawn by chance. Shown is the share of right final labels, and of the student's on other rows.
"""

# ruff: noqa: T201 - a command line prints

from __future__ import annotations

import argparse
import csv
import dataclasses
import json
import random
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "shared"))

import anyio
import numpy as np
import sections
import yaml
from boundary_definitions import answer
from data_sets import DATA_SETS, LABEL_COLUMN, DataSet, draw, missing
from place import ROOT

from freeal.job.new_version import boundary_job, correction_job
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.prediction.predict_rows import predict_rows
from freeal.prediction.published_model import Classifier
from freeal.spec.job_spec import Spec

ROWS, TEST_ROWS = 400, 500
SEEDS = (0, 1)
QUESTION_SECONDS, ROW_SECONDS = 90.0, 6.0
"""A guess, the same for all: four texts to be read and two sentences typed, against one text and one key."""
SECTION = "boundary-answers"
WAYS = ("before", "questions answered", "rows corrected", "rows by chance corrected")


@dataclasses.dataclass(frozen=True)
class Place:
    """One data set's rows in a folder of their own, and who knows the truth of them."""

    data_set: DataSet
    folder: Path
    rows: Sequence[Mapping[str, str]]
    test: Sequence[Mapping[str, str]]
    seed: int

    @property
    def spec(self) -> Spec:
        return Spec(
            name=self.data_set.name,
            description=self.data_set.description,
            labels=dict(self.data_set.labels),
            text_columns=self.data_set.text_columns,
            id_column="row",
            iterations=1,
            llm={"provider": "local"},
            student={"model": "minilm", "mode": "frozen", "seed": self.seed},
        )

    def common(self, name: str) -> dict[str, Any]:
        """What every job is told."""
        return {
            "job_id": name,
            "output": self.folder / name,
            "work": self.folder / f"{name}-work",
            "answers": self.folder / "answers.sqlite",
            "cache": ROOT / ".bench" / "cache",
            "key_folder": self.folder,
        }

    def trained(self) -> Path:
        """The version that a person has before them."""
        table = self.folder / f"{self.data_set.name}.csv"
        _write(table, [self._shown(number) for number in range(len(self.rows))])
        anyio.run(lambda: train(TrainingJob(csv=table, spec=self.spec, **self.common("before")), environ={}))
        return self.folder / "before"

    def answered(self, version: Path) -> tuple[int, Path]:
        """How many questions there were, and the version that their answers led to."""
        path, questions, _ = boundary_job.write_boundary_questions(version, output=self.folder / "boundaries.yaml")
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        for pair in content["pairs"]:
            pair["answer"] = answer(self.data_set.name, tuple(pair["between"]))
        path.write_text(yaml.safe_dump(content, sort_keys=False), encoding="utf-8")
        llm = {"provider": "local"}
        job = boundary_job.BoundaryJob(version=version, csv=path, llm=llm, **self.common("answered"))
        anyio.run(lambda: boundary_job.apply_boundary_answers(job, environ={}))
        return len(questions.pairs), self.folder / "answered"

    def corrected(self, version: Path, numbers: Sequence[int], name: str) -> Path:
        """The version that these rows, corrected, lead to."""
        table = self.folder / f"{name}.csv"
        _write(table, [self._shown(one) | {"freeal_corrected": self.rows[one][LABEL_COLUMN]} for one in numbers])
        job = correction_job.CorrectionJob(version=version, csv=table, **self.common(name))
        anyio.run(lambda: correction_job.correct(job, environ={}))
        return self.folder / name

    def queue(self, version: Path) -> list[int]:
        """The rows of the review queue, those to look at first in front."""
        with (version / "review_queue.csv").open(encoding="utf-8", newline="") as stream:
            return [int(row["row"]) for row in csv.DictReader(stream)]

    def _shown(self, number: int) -> dict[str, str]:
        return {"row": str(number)} | {name: self.rows[number][name] for name in self.data_set.text_columns}

    def right(self, version: Path, *, without: Sequence[int] = ()) -> float:
        """The share of right final labels, of rows but those in `without`."""
        with (version / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            given = {int(row["row"]): row["freeal_label"] for row in csv.DictReader(stream)}
        left = [number for number in range(len(self.rows)) if number not in set(without)]
        return float(np.mean([given[number] == self.rows[number][LABEL_COLUMN] for number in left]))

    def right_elsewhere(self, version: Path) -> float:
        """The share of right labels of the student on other rows."""
        classifier = Classifier.load(version / "model")
        texts = [{name: row[name] for name in self.data_set.text_columns} for row in self.test]
        said = [one.label for one in predict_rows(classifier, texts)]
        return float(np.mean([one == row[LABEL_COLUMN] for one, row in zip(said, self.test, strict=True)]))


def measured(place: Place) -> dict[str, Any]:
    """One data set and seed: by way, right final labels and the student's elsewhere; how much time it took."""
    before = place.trained()
    questions, answered = place.answered(before)
    count = round(questions * QUESTION_SECONDS / ROW_SECONDS)
    count = min(count, len(place.rows) // 2)
    chance = random.Random(place.seed).sample(range(len(place.rows)), len(place.rows))
    queue = place.queue(before)  # where it is shorter, chance says what is looked at after it
    first = [*queue, *(number for number in chance if number not in set(queue))][:count]
    chance = chance[:count]
    versions = {
        "before": before,
        "questions answered": answered,
        "rows corrected": place.corrected(before, first, "queue"),
        "rows by chance corrected": place.corrected(before, chance, "chance"),
    }
    told = {"rows corrected": first, "rows by chance corrected": chance}
    asked = sum(one["asked"] for one in json.loads((answered / "metrics.json").read_text())["rounds"])
    return {
        "data": place.data_set.name,
        "seed": place.seed,
        "questions": questions,
        "corrected": len(first),
        "asked_again": asked,
        "file": {way: place.right(version) for way, version in versions.items()},
        "others": {way: place.right(version, without=told.get(way, ())) for way, version in versions.items()},
        "elsewhere": {way: place.right_elsewhere(version) for way, version in versions.items()},
    }


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as stream:
        writer = csv.DictWriter(stream, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; 0 also where the data is missing, which is said."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data-folder", type=Path, default=ROOT.parent / "shared" / "data")
    parser.add_argument("--data", nargs="+", default=["trec", "agnews", "mr"], choices=["trec", "agnews", "mr"])
    parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--test-rows", type=int, default=TEST_ROWS, help="others, for the student")
    parser.add_argument("--results", type=Path, default=ROOT / ".bench" / "boundary_answers.jsonl")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the table into that file's section")
    chosen = parser.parse_args(arguments)
    done = _done(chosen.results)
    for seed in chosen.seeds:
        for name in chosen.data:
            data_set = DATA_SETS[name]
            if (reason := missing(data_set, chosen.data_folder)) is not None:
                print(reason, file=sys.stderr)
                continue
            key = (name, seed, chosen.rows)
            if key in done:
                continue
            rows = draw(data_set, chosen.data_folder, split="train", rows=chosen.rows, seed=seed)
            test = draw(data_set, chosen.data_folder, split="test", rows=chosen.test_rows, seed=seed)
            with tempfile.TemporaryDirectory(prefix="freeal-bench-") as folder:
                found = measured(Place(data_set, Path(folder), rows, test, seed)) | {"rows": chosen.rows}
            print(json.dumps(found), flush=True)
            chosen.results.parent.mkdir(parents=True, exist_ok=True)
            with chosen.results.open("a", encoding="utf-8") as stream:
                stream.write(json.dumps(found) + "\n")
            done[key] = found
    wanted = [one for key, one in done.items() if key[0] in chosen.data and key[1] in chosen.seeds]
    if not wanted:
        return 0
    print(table := _table(wanted))
    if chosen.write:
        sections.replace(chosen.write, SECTION, table)
    return 0


def _done(path: Path) -> dict[tuple[str, int, int], dict[str, Any]]:
    if not path.is_file():
        return {}
    found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return {(one["data"], one["seed"], one["rows"]): one for one in found}


def _table(found: Sequence[dict[str, Any]]) -> str:
    head = "| data | rows | seed | questions | rows corrected | asked again |"
    head += " right of | before | questions answered | rows corrected | rows by chance corrected |"
    lines = [head, "| --- | ---: | ---: | ---: | ---: | ---: | --- | ---: | ---: | ---: | ---: |"]
    titles = {"file": "all final labels", "others": "rows nobody corrected", "elsewhere": "the student, other rows"}
    for one in sorted(found, key=lambda one: (one["data"], one["seed"])):
        for part, title in titles.items():
            about = [
                one["data"],
                one["rows"],
                one["seed"],
                one["questions"],
                one["corrected"],
                one["asked_again"],
                title,
            ]
            cells = [str(cell) for cell in about] + [f"{one[part][way] * 100:.1f} %" for way in WAYS]
            lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
