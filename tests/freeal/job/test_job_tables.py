"""A job on a table that is no plain CSV: what was found is told and recorded, its cells come out in a CSV."""

from __future__ import annotations

import csv
import gzip
import json

import anyio
import pytest

from freeal.events import Notice
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder

ROWS = [[f"{number:03}", f"{'good' if number % 2 else 'bad'} Größe, für {number} €", "=1+1"] for number in range(12)]


@pytest.fixture
def run(tmp_path):
    """Run a job on a file; gives its output's lines as lists (after a delimiter), its run.json and what was told."""
    (tmp_path / "encoder").mkdir()
    encoder = tiny_encoder(tmp_path / "encoder")

    def running(name, content, delimiter, told_csv):
        (tmp_path / name).write_bytes(content)
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "-1"],
            text_columns=["text"],
            iterations=1,
            student={"model": str(encoder), "mode": "frozen"},
            llm={"provider": "anthropic"},
            csv=told_csv,
        )
        told = []
        with MessagesServer(answer=lambda text: "yes" if "good" in text else "-1") as server:
            job = TrainingJob(
                job_id="j", csv=tmp_path / name, spec=spec, output=tmp_path / "out", work=tmp_path / "work",
                answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
                llm={"base_url": server.base_url},
            )  # fmt: skip
            anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}, emit=told.append))
        with (job.output / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            written = list(csv.reader(stream, delimiter=delimiter))
        record = json.loads((job.output / "run.json").read_text(encoding="utf-8"))
        return written, record["input"], [event.message for event in told if isinstance(event, Notice)]

    return running


def _text(delimiter):
    return "".join(delimiter.join(f'"{cell}"' for cell in row) + "\r\n" for row in [["id", "text", "more"], *ROWS])


def test_a_guessed_encoding_is_told_and_recorded_and_the_cells_come_back(run):
    """Windows-1252 with semicolons: the guess is a notice and stands in run.json; output is UTF-8 with semicolons."""
    written, record, told = run("in.csv", _text(";").encode("cp1252"), ";", {})
    assert ROWS == [row[:3] for row in written[1:]]
    assert {"yes", "-1"} == {row[written[0].index("freeal_llm_label")] for row in written[1:]}
    assert ("cp1252", ";", ["its encoding is cp1252"]) == (record["encoding"], record["delimiter"], record["guessed"])
    assert [True] == ["its encoding is cp1252" in message for message in told if "guessed" in message]


def test_a_packed_table_below_a_title_comes_out_as_an_ordinary_csv(run):
    """What the spec tells is not guessed at, and the output has commas."""
    content = gzip.compress(("Report\n\n" + _text(";")).encode())
    written, record, told = run("in.csv.gz", content, ",", {"skip_rows": 2})
    assert ROWS == [row[:3] for row in written[1:]]
    assert (2, []) == (record["lines_above"], [message for message in told if "guessed" in message])
