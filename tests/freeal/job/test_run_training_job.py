"""A training job from CSV to folder, and what it takes from an earlier run in the same work folder."""

from __future__ import annotations

import csv
import shutil

import anyio
import pytest

from freeal.events import Notice
from freeal.job.run_training_job import train
from freeal.job.training_job import TrainingJob
from freeal.spec.job_spec import Spec
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_encoder import tiny_encoder


@pytest.fixture
def run(tmp_path):
    """Run a job on texts, always in the same work folder; gives its annotated rows and how often was asked."""
    (tmp_path / "encoder").mkdir()
    encoder = tiny_encoder(tmp_path / "encoder")

    def running(texts):
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows([["text"], *([text] for text in texts)])
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "no"],
            iterations=1,
            student={"model": str(encoder), "mode": "frozen"},
            llm={"provider": "anthropic"},
        )
        with MessagesServer(answer=lambda text: "yes" if "good" in text else "no") as server:
            job = TrainingJob(
                job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / "out", work=tmp_path / "work",
                answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
                llm={"base_url": server.base_url},
            )  # fmt: skip
            shutil.rmtree(job.output, ignore_errors=True)
            anyio.run(lambda: train(job, api_key="sk-ant-test", environ={}))
            asked = len(server.requests)
        with (job.output / "annotated.csv").open(encoding="utf-8", newline="") as stream:
            return list(csv.DictReader(stream)), asked

    return running


def test_a_mended_csv_does_not_get_the_labels_of_the_one_before(run):
    """The work folder's finished round belongs to other texts: every row gets the answer to its own."""
    run([f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)])
    rows, asked = run([f"a {'bad' if number % 2 else 'good'} thing {number}" for number in range(12)])
    assert asked > 0
    assert [("yes" if "good" in row["text"] else "no") for row in rows] == [row["freeal_llm_label"] for row in rows]


class InMemory(ScriptedModel):
    """A model that others need the memory of."""

    def __init__(self, respond):
        super().__init__(respond)
        self.story = []

    async def answer(self, prompts):
        """Remembers that it was asked."""
        self.story.append("answer")
        return await super().answer(prompts)

    async def release_memory(self):
        """Remembers that it was to let go."""
        self.story.append("release")


class OnCluster(ScriptedModel):
    """A model that is not in this machine's memory alone."""

    engine = "ray"


def _train_on_twelve_texts(model, tmp_path):
    texts = [f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([text] for text in texts)])
    (tmp_path / "encoder").mkdir()
    student = {"model": str(tiny_encoder(tmp_path / "encoder")), "mode": "frozen"}
    spec = Spec(name="t", description="Is it good?", labels=["yes", "no"], iterations=1, student=student)
    job = TrainingJob(
        job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / "out", work=tmp_path / "work",
        answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
    )  # fmt: skip
    return anyio.run(lambda: train(job, chat_model=model, environ={}))


def _yes_or_no(prompt):
    return "yes" if "good" in text_of(prompt.specific) else "no"


def test_a_model_in_memory_lets_go_before_the_student_trains(tmp_path):
    """After the round's last answer, and once in every round that trains."""
    model = InMemory(_yes_or_no)
    _train_on_twelve_texts(model, tmp_path)
    assert "release" == model.story[-1]
    assert 1 == model.story.count("release")
    assert "answer" in model.story


@pytest.mark.parametrize(("kind", "engine"), [(ScriptedModel, None), (OnCluster, "ray")])
def test_a_run_tells_of_the_cluster_that_its_language_model_was_asked_over(kind, engine, tmp_path):
    """Its metrics name the engine, where it was one."""
    assert engine == _train_on_twelve_texts(kind(_yes_or_no), tmp_path).metrics["llm"].get("engine")


def test_the_same_job_again_asks_nothing(run):
    """A finished round of the same question is taken as it is."""
    texts = [f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)]
    first, _ = run(texts)
    again, asked = run(texts)
    assert (first, 0) == (again, asked)


@pytest.fixture
def versions(tmp_path, encoder_folder):
    """Train versions of a model on 12 rows, each in its own folder; gives what was told, and what was asked."""
    texts = [f"a {'good' if number % 2 else 'bad'} thing {number}" for number in range(12)]
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text", "again"], *([text, f"reworded {text}"] for text in texts)])

    def version(name, *, previous=None, work="work", **student):
        spec = Spec(
            name="t",
            description="Is it good?",
            labels=["yes", "no"],
            iterations=1,
            paraphrase_column="again",
            student={"model": str(encoder_folder), "epochs": 1, **student},
            llm={"provider": "anthropic"},
        )
        told = []
        with MessagesServer(answer=lambda text: "yes" if "good" in text else "no") as server:
            job = TrainingJob(
                job_id="j", csv=tmp_path / "in.csv", spec=spec, output=tmp_path / name, work=tmp_path / work,
                answers=tmp_path / "answers.sqlite", cache=tmp_path, key_folder=tmp_path,
                previous_model=previous and tmp_path / previous, llm={"base_url": server.base_url},
            )  # fmt: skip
            anyio.run(lambda: train(job, emit=told.append, api_key="sk-ant-test", environ={}))
            asked = [str(one) for one in server.requests]
        notices = [event.message for event in told if isinstance(event, Notice) and "warm_start" in event.message]
        return notices, asked, (tmp_path / name / "model" / "model.safetensors").read_bytes()

    return version


def test_a_paraphrase_is_never_sent(versions):
    """The language model reads the text alone; nobody pays for a column it does not need."""
    _, asked, _ = versions("one")
    assert 12 < len(asked)
    assert not any("reworded" in request for request in asked)
    assert any("good thing" in request for request in asked)


def test_a_warm_start_is_another_student(versions):
    """The rounds of the cold job in the same work folder are not taken for the warm one's, nor those of another
    version; without the setting the last version changes nothing."""
    _, _, cold = versions("one")
    assert cold == versions("again", previous="one/model")[2]
    notices, _, warm = versions("two", previous="one/model", warm_start=True)
    assert [] == notices
    assert 3 == len({cold, warm, versions("three", previous="two/model", warm_start=True)[2]})


@pytest.mark.parametrize(
    ("harm", "message"),
    [
        (None, "there is no earlier version of this model"),
        ("freeal.json", "freeal.json: is missing"),
        ("model.safetensors", "model.safetensors: is missing"),
        ("frozen", "is a frozen"),
    ],
)
def test_a_version_that_cannot_be_gone_on_from(versions, tmp_path, harm, message):
    """Missing, damaged or frozen: one note says why, and the student is the one that starts from the base encoder."""
    mode = {"mode": "frozen"} if harm == "frozen" else {}
    _, _, cold = versions("one", **mode)
    if harm in ("freeal.json", "model.safetensors"):
        (tmp_path / "one" / "model" / harm).unlink()
    if harm == "frozen":
        _, _, cold = versions("cold", work="cold_work")
    previous = None if harm is None else "one/model"
    notices, _, weights = versions("two", previous=previous, work="other", warm_start=True)
    assert [True] == [message in notice and "starts from the base encoder" in notice for notice in notices]
    assert cold == weights
