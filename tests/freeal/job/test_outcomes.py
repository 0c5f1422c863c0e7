"""Pools and language models at the edge of the possible: a clear outcome each, never a traceback."""

from __future__ import annotations

import csv
import json
import subprocess
import sys
from pathlib import Path

import anyio
import numpy as np
import pytest

from freeal.cli.command_line import main
from freeal.errors import TrainingError
from freeal.loop.final_label import decide_final_labels
from freeal.settings import LoopSettings, StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.server import MessagesServer
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Reply

TRAINERS = ["frozen", "finetune"]
TEXTS = [f"a {'good' if number % 2 else 'bad'} film {number}" for number in range(24)]
INTENTS = tuple(f"intent_{first}{second}" for first in "abcdefghij" for second in "abcdefghij")
REQUESTS = [f"intent {name.split('_')[1]} please {number}" for number, name in enumerate(INTENTS[:60])]


@pytest.fixture
def run(open_loop, encoder_folder):
    """Two rounds (none is spared because nothing changed) with a real trainer; gives the loop, result and decisions."""

    def running(texts, model, *, mode="frozen", tiny=False, settings=None, **parts):
        student = StudentSettings(
            model=str(encoder_folder), device="cpu", precision="fp32", epochs=2, learning_rate=2e-3, max_length=32
        )
        trainer = TinyTrainer() if tiny else {"frozen": FrozenTrainer, "finetune": TransformerTrainer}[mode](student)
        settings = settings or LoopSettings(iterations=2, shots=4, stop_changed_share=0.0)
        loop = open_loop(texts, model, trainer=trainer, settings=settings, **parts)
        result = anyio.run(loop.run, ())
        return loop, result, decide_final_labels(result.best, loop.task.names, abstain_below=0.0)

    return running


def _mood(text):
    return "happy" if "good" in text else "angry"


def _intent(text):
    return "intent_" + text.split()[1]


def writer(verdict, *, writes=("a good new film", "a bad new film", "a new film")):
    """A model that writes the same few texts for every label, and labels a text by `verdict`; None is no answer."""

    def respond(prompt):
        if not prompt.labels:
            return json.dumps({"texts": list(writes)})
        label = verdict(text_of(prompt.specific))
        return "no idea" if label is None else json.dumps({"label": label, "confidence": 0.8})

    return ScriptedModel(respond)


def scorer(verdict):
    """A model that cannot write, costs nothing and scores labels."""

    def respond(prompt):
        label = verdict(prompt.specific.split("Input: ")[-1].splitlines()[0])
        return Reply(scores=tuple(-1.0 if name == label else -3.0 for name in prompt.labels))

    model = ScriptedModel(respond, style="completion", rows_per_call=16)
    model.writes = False
    return model


def _sound(loop, result, decisions):
    """What every outcome owes: a label and a finite confidence per text, whatever happened."""
    assert len(loop.pool) == len(decisions) == len(result.best.annotations)
    assert all(one.label in loop.task.names for one in decisions)
    assert all(0.0 <= one.confidence <= 1.0 for one in decisions)
    assert np.isfinite(result.best.proba).all()


@pytest.mark.parametrize(("mode", "make"), [("frozen", scorer), ("finetune", writer)])
def test_one_class_only(run, mode, make):
    """A language model that gives every text the same label makes a student that does so too."""
    outcome = run(TEXTS, make(lambda _: "happy"), mode=mode, free=make is scorer)
    _sound(*outcome)
    assert {"happy"} == {one.label for one in outcome[2]}


@pytest.mark.parametrize("mode", TRAINERS)
@pytest.mark.parametrize("count", [1, 2])
def test_one_row_and_two_rows(run, mode, count):
    """Next to nothing to learn from still gives every row its label."""
    make = writer if mode == "frozen" else scorer
    loop, result, decisions = run(TEXTS[:count], make(_mood), mode=mode, free=make is scorer)
    _sound(loop, result, decisions)
    assert [_mood(text) for text in TEXTS[:count]] == [one.llm_label for one in decisions]


@pytest.mark.parametrize("mode", TRAINERS)
def test_texts_no_encoder_can_tell_apart(run, mode):
    """Different rows that look identical to the student: it learns what it can, and the labels are the model's."""
    texts = ["\u03a9" * (number + 1) for number in range(24)]
    outcome = run(texts, writer(lambda text: "happy" if len(text) % 2 else "angry"), mode=mode)
    _sound(*outcome)


@pytest.mark.parametrize("mode", TRAINERS)
def test_a_label_nobody_gives(run, mode):
    """A third label without a single row is never predicted, costs no other label, and stays in the model."""
    loop, result, decisions = run(TEXTS, writer(_mood), mode=mode, labels=("happy", "never", "angry"))
    _sound(loop, result, decisions)
    assert (24, 3) == result.best.proba.shape
    assert [_mood(text) for text in TEXTS] == [one.label for one in decisions]
    assert result.best.proba[:, 1].max() < 0.2


@pytest.mark.parametrize(("mode", "make"), [("frozen", scorer), ("finetune", writer)])
def test_a_hundred_labels_and_sixty_rows(run, mode, make):
    """Most labels have no row and none has two: every row is asked, with the labels nearest to it before it, and gets
    one of the hundred."""
    model = make(_intent)
    loop, result, decisions = run(REQUESTS, model, mode=mode, labels=INTENTS, free=make is scorer)
    _sound(loop, result, decisions)
    if make is scorer:
        assert {16} == {len(prompt.labels) for prompt in model.prompts}
    else:
        assert [_intent(text) for text in REQUESTS] == [one.llm_label for one in decisions]
        asked = [prompt for prompt in model.prompts if prompt.labels]
        assert {16} == {prompt.specific.count("\n- ") for prompt in asked if text_of(prompt.specific) in REQUESTS}


def test_every_answer_invalid(run):
    """The job ends with one sentence that says what came back and what to change."""
    words = r"for any of 24 texts: 24 replies were without any of the labels \(it said 'no idea'\) \(make description"
    with pytest.raises(TrainingError, match=words):
        run(TEXTS, writer(lambda _: None), tiny=True)


@pytest.mark.parametrize(
    "refusal", [Reply("", outcome="refused"), Reply("I would rather not."), Reply('{"texts": []}'), Reply("{")]
)
def test_a_model_that_writes_no_demonstration(run, refusal):
    """Then round 1 is asked without any, which is said, and round 2 has the student's."""
    told = []

    def respond(prompt):
        return writer(_mood).respond(prompt) if prompt.labels else refusal

    loop, result, decisions = run(TEXTS, ScriptedModel(respond), tiny=True, emit=told.append)
    _sound(loop, result, decisions)
    if "rather" not in refusal.text:
        assert () == result.rounds[0].demonstrations
        assert any("wrote no example" in getattr(event, "message", "") for event in told)


def test_more_shots_than_rows(run):
    """Wishes beyond the pool are met as far as it goes; no row is its own demonstration."""
    model = writer(_mood, writes=())
    settings = LoopSettings(iterations=3, shots=32, demos_per_class=40, clean_threshold=1.0, stop_changed_share=0.0)
    _sound(*run(TEXTS[:5], model, tiny=True, settings=settings))
    shown = [prompt for prompt in model.prompts if prompt.specific.count("<text>") > 1]
    assert shown
    assert all(1 == prompt.specific.count(f"<text>{text_of(prompt.specific)}</text>") for prompt in shown)


@pytest.mark.parametrize("mode", TRAINERS)
def test_everything_switched_on_at_once(run, mode):
    """A share per round, candidates, paraphrases for some and no usable answer for a third."""
    settings = LoopSettings(iterations=3, shots=4, annotate_share=0.25, candidates="resolve", stop_changed_share=0.0)
    outcome = run(
        TEXTS,
        writer(lambda text: None if int(text.split()[-1]) % 3 == 0 else _mood(text)),
        mode=mode,
        settings=settings,
        paraphrases=tuple("" if number % 2 else "a fine movie" for number in range(24)),
    )
    _sound(*outcome)


@pytest.fixture
def home(tmp_path, monkeypatch):
    """A working folder and a cache of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def _command(server, encoder, texts, *more):
    with Path("in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([text] for text in texts)])
    return [
        "train", "--input-csv", "in.csv", "--output-model", "model", "--labels", "happy", "angry", "--text-columns",
        "text", "--iterations", "2", "--model-name", str(encoder), "--llm-url", server.base_url, "--llm-provider",
        "anthropic", "--api-key", "sk-ant-test", "--output-csv", "out.csv", *more,
    ]  # fmt: skip


def _labelled(path):
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


def test_identical_rows_from_the_command_line(home, encoder_folder):
    """Twelve equal rows are one text, asked once; each row gets its label, and all but the first say whose they are."""
    with MessagesServer(answer=_mood) as server:
        assert 0 == main(_command(server, encoder_folder, ["a good film"] * 12))
    rows = _labelled(home / "out.csv")
    assert ["happy"] * 12 == [row["freeal_label"] for row in rows]
    assert ["ok", *["ok;duplicate_of:1"] * 11] == [row["freeal_status"] for row in rows]


def test_nothing_usable_from_the_command_line(home, encoder_folder):
    """`python -m freeal train` on a model that talks nonsense: exit code 1, one line, no traceback, no model."""
    with MessagesServer(answer=lambda _: "purple") as server:
        command = _command(server, encoder_folder, TEXTS[:6])
        ended = subprocess.run(
            [sys.executable, "-m", "freeal", *command], capture_output=True, text=True, timeout=110, check=False
        )
    assert 1 == ended.returncode
    assert "freeal: the language model gave no usable answer for any of 6 texts" in ended.stderr
    assert "make description and labels plainer" in ended.stderr
    assert "Traceback" not in ended.stderr + ended.stdout
    assert not (home / "model").exists()


def _files(folder):
    left_out = {"run.json", "metrics.json", "audit.jsonl", "README.md"}
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and path.name not in left_out and not path.name.startswith("confusion_")
    }


def test_ground_truth_changes_nothing(home, encoder_folder):
    """The same job with the right label column, a wrong one and none: labels, demonstrations and model weights are
    the same, byte by byte; only what is said about their accuracy differs."""
    truths = {"right": [_mood(text) for text in TEXTS], "wrong": ["happy", "happy", "angry"] * 8, "none": None}
    found = {}
    for name, truth in truths.items():
        folder = home / name
        folder.mkdir()
        header, rows = ["text", "mood"], [[text, ""] for text in TEXTS]
        if truth:
            rows = [[text, label] for text, label in zip(TEXTS, truth, strict=True)]
        with MessagesServer(answer=_flawed) as server:
            command = _command(server, encoder_folder, [], *(["--label-column", "mood"] if truth else []))
            with Path("in.csv").open("w", encoding="utf-8", newline="") as stream:
                csv.writer(stream).writerows([header, *rows])
            command[command.index("model")] = f"{name}/model"
            assert 0 == main(command)
        found[name] = _files(folder / "model")
        decided = [
            {key: row[key] for key in row if key != "mood"} for row in _labelled(folder / "model-results/annotated.csv")
        ]
        demonstrations = sorted((folder / "model-results").glob("demonstrations_*.json"))
        found[name]["labels"] = json.dumps(decided).encode()
        found[name]["shown"] = b"".join(path.read_bytes() for path in demonstrations)
    found["right"].pop("freeal.json"), found["wrong"].pop("freeal.json"), found["none"].pop("freeal.json")
    assert {"model.safetensors", "labels", "shown"} <= set(found["right"])
    assert found["right"] == found["wrong"]
    assert found["right"] == found["none"]


def _flawed(text):
    return "happy" if text.endswith("4") else _mood(text)
