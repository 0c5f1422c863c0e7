"""The first rows end to end, and the rest with their answers kept (freeal/job/pilot_job.py)."""

from __future__ import annotations

import csv

import anyio
import pytest

from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.results import pilot_json_file
from freeal.spec.job_spec import Spec
from freeal.testing.scripted_model import text_of
from freeal.testing.server import MessagesServer

COUNT = 80
PILOT = 30
LABELS = {"good": "praise", "bad": "blame", "never": "something nobody writes"}


def _text(number):
    return f"a {'good' if number % 2 else 'bad'} thing, number {number}"


def _by_words(text):
    return "good" if "good" in text else "bad"


class Place:
    """A table and what is made of it."""

    def __init__(self, folder, encoder):
        self.folder, self.encoder = folder, encoder
        with (folder / "things.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([("id", "text"), *((one, _text(one)) for one in range(COUNT))])

    def train(self, name, **more):
        """Run it; gives the outcome and the texts that were asked about."""
        spec = Spec(
            name="things", description="What is it?", labels=LABELS, text_columns=["text"], id_column="id",
            student={"model": str(self.encoder), "mode": "frozen"}, llm={"provider": "anthropic"}, pilot=PILOT,
        )  # fmt: skip
        with MessagesServer(answer=_by_words) as server:
            job = TrainingJob(
                job_id="things-1", csv=self.folder / "things.csv", spec=spec, output=self.folder / name,
                work=self.folder / "work", cache=self.folder, answers=self.folder / "answers.sqlite",
                key_folder=self.folder, llm={"base_url": server.base_url}, loop={"iterations": 1}, **more,
            )  # fmt: skip
            outcome = anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
            asked = [text_of(str(request.body["messages"])) for request in server.requests]
        return outcome, [text for text in asked if "number" in text]


@pytest.fixture
def place(tmp_path, encoder_folder):
    """A table of its own for each test."""
    return Place(tmp_path, encoder_folder)


def test_a_pilot_asks_its_rows_only_and_tells_what_the_rest_will_cost(place):
    """Its folder is that of a finished run, with what its owner decides by."""
    outcome, asked = place.train("pilot", pilot_rows=PILOT)
    assert outcome.is_pilot
    assert {_text(number) for number in range(PILOT)} == set(asked)
    with (outcome.folder / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        assert PILOT == len(list(csv.DictReader(stream)))
    told = pilot_json_file.read_pilot_json(outcome.folder)
    assert (PILOT, COUNT - PILOT) == (told["rows"], told["rest"]["rows"])
    low, high = told["rest"]["usd"]
    assert 0 < told["usd"]
    assert 0 < low <= high
    assert pytest.approx(told["usd"] * (COUNT - PILOT) / PILOT, rel=1e-3) == high
    assert [["never"]] == [one["labels"] for one in told["findings"] if one["kind"] == "unused"]


def test_the_rest_keeps_the_pilots_answers_and_asks_everything_else_once(place):
    """What was paid for is not asked again; the bill is that of both."""
    pilot, first = place.train("pilot", pilot_rows=PILOT)
    whole, rest = place.train("whole", pilot=pilot.folder)
    assert not whole.is_pilot
    assert {_text(number) for number in range(PILOT, COUNT)} == set(rest)
    assert len(rest) == len(set(rest)) == COUNT - PILOT
    with (whole.folder / "annotated.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [_by_words(_text(number)) for number in range(COUNT)] == [row["freeal_llm_label"] for row in rows]
    assert len(first) + len(rest) == whole.metrics["cost"]["calls"] - (pilot.metrics["cost"]["calls"] - len(first))
    assert not (whole.folder / pilot_json_file.FILE_NAME).exists()


def test_a_table_with_no_more_rows_than_its_pilot_is_done_at_once(place):
    """There is no rest to wait for."""
    outcome, asked = place.train("whole", pilot_rows=COUNT)
    assert not outcome.is_pilot
    assert COUNT == len(set(asked))


def test_a_pilot_is_no_part_of_what_a_spec_asks():
    """With and without one the same content is the same job; too few rows are refused."""
    fields = {"name": "a", "description": "d", "labels": ["x", "y"]}
    assert Spec(**fields).digest() == Spec(**fields, pilot=50).digest()
    with pytest.raises(ValueError, match="greater than or equal to 20"):
        Spec(**fields, pilot=5)
