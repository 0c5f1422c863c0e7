"""A person's labels over a finished version (freeal/job/new_version/correction_job), and what later versions keep."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
import shutil

import anyio
import pytest

from freeal.corrections import corrections_file
from freeal.errors import ConfigError, CorruptModelError, InputError, LlmError
from freeal.events import Notice
from freeal.job.new_version.correction_job import CorrectionJob, correct
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.pool.text_pool import Pool
from freeal.results import metrics_as_text, previous_version
from freeal.results.finished_run import Answerer
from freeal.spec.job_spec import Spec
from freeal.testing.scripted_model import text_of
from freeal.testing.server import MessagesServer

COUNT = 40


def _truth(number):
    return ("yes", "no")[number % 2]


def _text(number):
    return f"a {'good' if number % 2 == 0 else 'bad'} thing, number {number}"


def _said(text):
    """Wrong about the numbers 0 to 4."""
    found = re.search(r"number (\d+)", text)
    number = int(found[1]) if found else 0
    return _truth(number + (number < 5))


class Model:
    """The versions of one model, each in its folder."""

    def __init__(self, folder, encoder):
        self.folder = folder
        self.encoder = encoder
        self.asked = []
        self.told = []

    def write(self, name, rows, *, header=("id", "body", "truth"), delimiter=","):
        with (self.folder / name).open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream, delimiter=delimiter).writerows([header, *rows])
        return self.folder / name

    def rows(self, numbers=range(COUNT)):
        return [(f"{number:03}", _text(number), _truth(number)) for number in numbers]

    def _places(self, name):
        return {
            "job_id": name, "output": self.folder / name, "work": self.folder / f"{name}-work",
            "answers": self.folder / "answers.sqlite", "cache": self.folder, "key_folder": self.folder,
        }  # fmt: skip

    def train(self, name, *, rows=None, previous=None, labels=("yes", "no"), spec=None, **loop):
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=list(labels),
            text_columns=["body"],
            id_column="id",
            label_column="truth",
            student={"model": str(self.encoder), "mode": "frozen"},
            llm={"provider": "anthropic"},
            **(spec or {}),
        )
        path = self.write(f"{name}.csv", self.rows() if rows is None else rows)
        with MessagesServer(answer=_said) as server:
            job = TrainingJob(
                csv=path, spec=spec, previous_model=previous and self.folder / previous / "model",
                llm={"base_url": server.base_url}, loop={"iterations": 1, **loop}, **self._places(name),
            )  # fmt: skip
            return self._run(lambda: train(job, emit=self.told.append, api_key="sk-ant-test", environ={}), server)

    def correct(self, name, of, path, *, loop=None, student=None, api_key=None):
        with MessagesServer(answer=_said) as server:
            job = CorrectionJob(
                version=self.folder / of, csv=path, llm={"base_url": server.base_url}, loop=loop or {},
                student=student or {}, **self._places(name),
            )  # fmt: skip
            return self._run(lambda: correct(job, emit=self.told.append, api_key=api_key, environ={}), server)

    def _run(self, run, server):
        self.told.clear()
        try:
            return anyio.run(run).metrics
        finally:
            self.asked = [text_of(str(request.body["messages"])) for request in server.requests]

    def annotated(self, name):
        with (self.folder / name / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def queue(self, name):
        with (self.folder / name / "review_queue.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream))

    def notices(self):
        return [event.message for event in self.told if isinstance(event, Notice)]


@pytest.fixture(scope="module")
def first_version(tmp_path_factory, encoder_folder):
    """Trained once for all."""
    folder = tmp_path_factory.mktemp("first")
    Model(folder, encoder_folder).train("one")
    return folder / "one"


@pytest.fixture
def model(tmp_path, encoder_folder, first_version):
    """A model with its first version, `one`, whose language model was wrong about five texts."""
    shutil.copytree(first_version, tmp_path / "one")
    return Model(tmp_path, encoder_folder)


CORRECTED = ("body", "freeal_corrected")


def _right(numbers):
    return [(_text(number), _truth(number).upper()) for number in numbers]


def test_corrected_rows_become_final_labels_of_a_new_version(model):
    """No question, no key: the same rows with the person's labels, said so in every file."""
    metrics = model.correct("two", "one", model.write("c.csv", _right(range(4)), header=CORRECTED))
    assert [] == model.asked
    before, after = model.annotated("one"), model.annotated("two")
    ours = ("id", "body", "truth")
    assert [[row[name] for name in ours] for row in before] == [[row[name] for name in ours] for row in after]
    assert [_truth(number) for number in range(4)] == [row["freeal_label"] for row in after[:4]]
    assert {("corrected", "1.0000", "", "corrected")} == {
        (row["freeal_source"], row["freeal_confidence"], row["freeal_llm_label"], row["freeal_status"])
        for row in after[:4]
    }
    assert [row["freeal_llm_label"] for row in before[4:]] == [row["freeal_llm_label"] for row in after[4:]]
    found = metrics["corrections"]
    assert (4, 4, 0, 4, 0) == tuple(found[name] for name in ("rows", "texts", "kept", "given", "added"))
    assert (0.0, 0) == (metrics["cost"]["usd"], metrics["cost"]["calls"])
    assert "anthropic" == metrics["llm"]["provider"]
    record = json.loads((model.folder / "two" / "run.json").read_text())
    assert ("one.csv", "c.csv") == (record["input"]["file"], record["corrections"]["file"])
    report = (model.folder / "two" / "report.html").read_text()
    assert "looked at because there was doubt" in report
    assert "labelled by a person" in report


def test_the_edited_review_queue_is_a_corrections_file(model):
    """What the version asks to be looked at comes back with labels in its last column, as a spreadsheet saves it."""
    queue = model.queue("one")
    assert queue
    for row in queue:
        row["freeal_corrected"] = _truth(int(row["id"]))
    path = model.write("queue.csv", [list(row.values()) for row in queue], header=list(queue[0]), delimiter=";")
    metrics = model.correct("two", "one", path)
    assert (len(queue), 0) == (metrics["corrections"]["given"], metrics["corrections"]["added"])
    seen = {row["id"] for row in queue}
    assert not seen & {row["id"] for row in model.queue("two")}


def test_the_queue_comes_back_from_a_german_excel(model):
    """Ids without zeros, texts changed, Windows' encoding, semicolons: the same rows are corrected, and none is new."""
    queue = model.queue("one")
    for number, row in enumerate(queue):
        row["freeal_corrected"] = _truth(int(row["id"]))
        row["id"] = str(int(row["id"]))
        row["body"] = "#NAME?" if number == 0 else row["body"]
    text = io.StringIO(newline="")
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerows([list(queue[0]), *(row.values() for row in queue)])
    (model.folder / "queue.csv").write_bytes(text.getvalue().encode("cp1252"))
    found = model.correct("two", "one", model.folder / "queue.csv")["corrections"]
    assert (len(queue), 0) == (found["given"], found["added"])
    after = {row["id"]: row for row in model.annotated("two")}
    assert COUNT == len(after)
    assert {"corrected"} == {after[f"{int(row['id']):03}"]["freeal_source"] for row in queue}
    assert any("1 correction came back with another text" in notice for notice in model.notices())


def test_a_correction_that_contradicts_the_version_makes_no_row(model):
    """It is refused with its line, before anything is trained."""
    path = model.write("c.csv", [("003", "another text", "yes")], header=("id", "body", "freeal_corrected"))
    with pytest.raises(InputError, match=r"line 2.*id '003' is the row with the text"):
        model.correct("two", "one", path)
    assert not (model.folder / "two").exists()


def test_how_right_the_labels_were_is_told_of_the_reviewed_texts(model):
    """Compared and agreed count the given texts; changed those whose final label was another."""
    before = [row["freeal_label"] for row in model.annotated("one")]
    numbers = range(10)
    wrong = sum(before[number] != _truth(number) for number in numbers)
    found = model.correct("two", "one", model.write("c.csv", _right(numbers), header=CORRECTED))["corrections"]
    assert (10, 10 - wrong, wrong) == (found["compared"], found["agreed"], found["changed"])
    after = [row["freeal_label"] for row in model.annotated("two")]
    assert found["flipped"]["rows"] == sum(old != new for old, new in zip(before[10:], after[10:], strict=True))


def test_the_models_are_not_measured_on_what_they_were_told(model):
    """The final labels count every row with a truth, the language model's accuracy only those nobody corrected."""
    told = [*_right(range(5)), (_text(10), "no")]  # the person is wrong once, which is nobody else's mistake
    metrics = model.correct("two", "one", model.write("c.csv", told, header=CORRECTED))
    assert (COUNT, 0.975) == (metrics["final"]["evaluated_rows"], metrics["final"]["accuracy"])
    rest = metrics["final"]["uncorrected"]
    assert (COUNT - 6, 1.0) == (rest["evaluated_rows"], rest["accuracy"])
    told = dict(metrics_as_text.metrics_in_words(metrics))
    assert (
        f"100.0 % of the {COUNT - 6} known rows that nobody corrected" == told["LLM as answered for the version before"]
    )
    assert told["final labels, nobody corrected"].startswith("100.0 %")
    assert told["final labels"].startswith("97.5 %")
    assert 1.0 == metrics["rounds"][0]["llm_accuracy"]
    assert 1.0 == metrics["baselines"]["llm_first_round"]


def test_a_chain_of_corrections_keeps_the_earlier_ones(model):
    """The second correction starts from the first's version; a later word about the same text replaces the earlier."""
    model.correct("two", "one", model.write("c.csv", [(_text(0), "no"), (_text(1), "no")], header=CORRECTED))
    found = model.correct("three", "two", model.write("d.csv", [(_text(0), "yes")], header=CORRECTED))["corrections"]
    assert (2, 1, 1, 0) == tuple(found[name] for name in ("texts", "kept", "given", "compared"))
    assert ["yes", "no"] == [row["freeal_label"] for row in model.annotated("three")[:2]]
    assert {_text(0): "yes", _text(1): "no"} == corrections_file.remembered_corrections(model.folder / "three")


def test_a_text_that_is_new_becomes_a_row(model):
    """At the end of the table, with the columns it has; its label is the person's, and it says that nobody asked."""
    rows = [("x1", "a new good thing, number 100", "yes"), ("x1", _text(3), "no")]
    metrics = model.correct("two", "one", model.write("c.csv", rows, header=("id", *CORRECTED)))
    assert (COUNT + 1, 1) == (metrics["rows"], metrics["corrections"]["added"])
    last = model.annotated("two")[-1]
    assert ("x1", "", "yes", "corrected") == tuple(
        last[name] for name in ("id", "truth", "freeal_label", "freeal_status")
    )
    assert any("1 of them new" in message for message in model.notices())


def test_a_text_that_only_lost_its_white_space_is_no_new_row(model):
    """Spreadsheets trim and reflow; the text is still the version's own."""
    rows = [(f"  {_text(0).replace(' ', '  ')}\r\n", "yes")]
    metrics = model.correct("two", "one", model.write("c.csv", rows, header=CORRECTED))
    assert (COUNT, 0) == (metrics["rows"], metrics["corrections"]["added"])


def test_asking_again_asks_nothing_about_what_a_person_said(model):
    """With loop.ask_after_corrections later rounds ask about what is not clean, but for what was corrected."""
    told = _right(range(5))
    loop = {"ask_after_corrections": True, "iterations": 2, "clean_threshold": 1.0, "stop_changed_share": 0.0}
    metrics = model.correct(
        "two", "one", model.write("c.csv", told, header=CORRECTED), loop=loop, api_key="sk-ant-test"
    )
    assert 2 == len(metrics["rounds"])
    assert 0 == metrics["rounds"][0]["asked"]
    assert model.asked
    assert not {text for text, _ in told} & set(model.asked)


def test_the_same_correction_goes_on_where_it_was(model):
    """After a kill the finished round is taken as it is; the result is the same, byte by byte."""
    path = model.write("c.csv", _right(range(5)), header=CORRECTED)
    model.correct("two", "one", path)
    first = (model.folder / "two" / "annotated.csv").read_bytes()
    rounds = sorted((model.folder / "two-work").rglob("round.json"))
    times = [one.stat().st_mtime_ns for one in rounds]
    model.correct("two", "one", path)
    assert (first, times) == (
        (model.folder / "two" / "annotated.csv").read_bytes(),
        [one.stat().st_mtime_ns for one in rounds],
    )


def test_training_anew_keeps_what_a_person_said(model):
    """The next CSV of the model holds some of the texts: they are not asked about and keep the person's label, and what
    is said of other texts is handed on."""
    model.correct("two", "one", model.write("c.csv", [(_text(0), "no"), (_text(39), "yes")], header=CORRECTED))
    metrics = model.train("three", previous="two", rows=model.rows([0, *range(100, 130)]))
    assert {"rows": 1, "texts": 1, "kept": 1} == metrics["corrections"]
    assert ("no", "corrected") == tuple(model.annotated("three")[0][name] for name in ("freeal_label", "freeal_source"))
    assert _text(0) not in model.asked
    assert any("keep the label a person gave them" in message for message in model.notices())
    assert {_text(0), _text(39)} == set(corrections_file.remembered_corrections(model.folder / "three"))


@pytest.mark.parametrize("way", [{"keep_corrections": False}, {"labels": ("yes", "nope", "maybe")}])
def test_what_a_person_said_can_be_left_behind(model, way):
    """By the setting, and where the label is none of the new spec's; later versions still know of it."""
    model.correct("two", "one", model.write("c.csv", [(_text(0), "no")], header=CORRECTED))
    metrics = model.train("three", previous="two", **way)
    assert 0 == metrics.get("corrections", {"texts": 0})["texts"]
    assert {_text(0): "no"} == corrections_file.remembered_corrections(model.folder / "three")


def test_what_a_person_said_is_never_left_out_in_silence(model):
    """A damaged record of it ends the training before anything is asked."""
    model.correct("two", "one", model.write("c.csv", [(_text(0), "no")], header=CORRECTED))
    (model.folder / "two" / "corrected.json").write_text("{")
    with pytest.raises(CorruptModelError, match="mend it"):
        model.train("three", previous="two")
    assert [] == model.asked


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (lambda one: (one / "answers.json").unlink(), "is missing"),
        (lambda one: (one / "answers.json").write_text("{"), "not valid JSON"),
        (lambda one: (one / "answers.json").write_text("{}"), "cannot be gone on from"),
        (lambda one: (one / "corrected.json").write_text("[1]"), "not a JSON object"),
        (lambda one: _edit(one / "annotated.csv", "number 7", "number 700"), "was changed since"),
        (lambda one: _edit(one / "annotated.csv", "freeal_status", "x"), "does not end with our columns"),
    ],
)
def test_a_version_that_cannot_be_corrected_says_why(model, harm, message):
    """Missing, damaged, edited by hand: an error that names the file, before anything is trained."""
    harm(model.folder / "one")
    with pytest.raises(CorruptModelError, match=message):
        model.correct("two", "one", model.write("c.csv", _right([0]), header=CORRECTED))


def _edit(path, old, new):
    path.write_text(path.read_text().replace(old, new))


def test_wrong_corrections_make_no_version(model):
    """What is wrong is said before anything is trained or written."""
    with pytest.raises(InputError, match="is not a label"):
        model.correct("two", "one", model.write("c.csv", [(_text(0), "maybe")], header=CORRECTED))
    assert not (model.folder / "two").exists()


def test_a_version_is_never_overwritten_by_its_correction(model):
    """The results of both must stand, to be compared."""
    with pytest.raises(ConfigError, match="would overwrite"):
        model.correct("one", "one", model.write("c.csv", _right([0]), header=CORRECTED))


def test_texts_that_were_never_shown_stay_so(tmp_path, encoder_folder):
    """The held-out share of a version is that of its corrections, whatever rows were added."""
    made = Model(tmp_path, encoder_folder)
    made.train("one", holdout_share=0.3)
    before = previous_version.read_version(tmp_path / "one").pool.held_out
    made.correct("two", "one", made.write("c.csv", [("another good thing, number 99", "yes")], header=CORRECTED))
    assert before
    assert before == previous_version.read_version(tmp_path / "two").pool.held_out


def test_values_survive_a_version_and_its_correction(tmp_path, encoder_folder):
    """Quotes, line breaks, spaces, leading zeros and empty cells come back as they were, in a table with semicolons."""
    made = Model(tmp_path, encoder_folder)
    odd = ['"quoted; twice"', " spaces ", "two\nlines", "=1+1", "", "0070", "é\u0301", "a,b;c"]
    rows = [(odd[number % len(odd)], _text(number), "") for number in range(COUNT)]
    made.train("one", rows=rows)
    made.correct("two", "one", made.write("c.csv", _right([0]), header=CORRECTED))
    assert [row[0] for row in rows] == [row["id"] for row in made.annotated("two")]


def test_a_run_that_asks_nothing_cannot_be_asked():
    """Should a question slip in, it is an error and not a call."""
    from freeal.job.new_version.correction_job import Unasked

    with pytest.raises(LlmError, match="asks none"):
        anyio.run(Unasked().answer, [])


def test_what_a_version_leaves_does_not_tell_where_answers_came_from(make_round, tmp_path):
    """A run that was cut off and found them in the store leaves the same bytes as one that paid for them."""
    state = make_round(["yes", "no"], [1.0, 1.0], [[1.0, 0.0], [0.0, 1.0]])
    found = [dataclasses.replace(note, from_store=True) for note in state.annotations]
    pool = Pool(("a", "b"), (0, 1), (0, 1), ("text",))
    for name, one in (("paid", state), ("found", dataclasses.replace(state, annotations=tuple(found)))):
        (tmp_path / name).mkdir()
        previous_version.write_answers_json(tmp_path / name, one, pool, (Answerer("local", "m", "chat"),))
    paid, stored = ((tmp_path / name / previous_version.FILE_NAME).read_bytes() for name in ("paid", "found"))
    assert paid == stored


def test_answers_of_the_first_format_are_still_read(model):
    """A version made when answers.json had an object per annotation is gone on from."""
    earlier = previous_version.read_version(model.folder / "one")
    path = model.folder / "one" / previous_version.FILE_NAME
    content = json.loads(path.read_text()) | {"format": 1}
    del content["names"]
    content["annotations"] = [dataclasses.asdict(note) for note in earlier.annotations]
    path.write_text(json.dumps(content))
    assert earlier.annotations == previous_version.read_version(model.folder / "one").annotations
