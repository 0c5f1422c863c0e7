"""The method on a pool of 240 texts and a scripted language model that errs as GPT-3.5 did on MR: 6 % wrong answers,
most of them of one class, and 4 % that name no label. And the seven faults of the first implementation, one test each.
"""

from __future__ import annotations

import csv
import json
import random
import shutil
from collections import Counter

import anyio
import numpy as np
import pytest

from freeal.annotation.annotator import Annotator, LabelRequest
from freeal.errors import RowRejectedError
from freeal.events import ignore
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.final_label import decide_final_labels
from freeal.money.budget_ledger import Ledger
from freeal.prediction.predict_csv import PredictionJob, predict_csv
from freeal.results.output_files import write_annotated
from freeal.settings import LoopSettings, Price, StudentSettings
from freeal.student.finetune_trainer import TransformerTrainer
from freeal.student.frozen_trainer import FrozenTrainer
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL
from freeal.table import read_table
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer
from freeal.testing.weighed_labels import weighed
from freeal.types import Demonstration, Label, Reply, Status, Task

HAPPY = ("good", "great", "superb", "lovely", "best", "perfect")
ANGRY = ("bad", "awful", "poor", "terrible", "worst", "sad")
NEUTRAL = ("film", "book", "phone", "story", "price", "food", "room", "music", "game", "team")
LABELS = ("happy", "angry")
USER = (Demonstration("superb", "happy", "user"), Demonstration("awful", "angry", "user"))
COUNT = 240


def _texts():
    rng = random.Random(3)
    truth = [LABELS[number % 2] for number in range(COUNT)]
    return [
        " ".join([*rng.sample(HAPPY if label == "happy" else ANGRY, 3), *rng.sample(NEUTRAL, 2), str(number)])
        for number, label in enumerate(truth)
    ], truth


TEXTS, TRUTH = _texts()
_SHUFFLED = random.Random(5).sample(range(COUNT), COUNT)
INVALID = frozenset(TEXTS[index] for index in _SHUFFLED[:10])
_OTHERS = [index for index in _SHUFFLED[10:] if TRUTH[index] == "happy"]
WRONG = frozenset(
    [*(TEXTS[index] for index in _OTHERS[:12]), *(TEXTS[index] for index in _SHUFFLED[10:] if TRUTH[index] == "angry")][
        :14
    ]
)
"""14 of 240 with demonstrations: twelve happy texts called angry and two angry ones called happy."""
WRONG_ALONE = WRONG | {TEXTS[index] for index in _OTHERS[12:26]}
"""Without any demonstration twice as many."""
BY_TEXT = dict(zip(TEXTS, TRUTH, strict=True))


def _answer(prompt):
    """The scripted annotator: demonstrations help it, those chosen for the row help it most."""
    if not prompt.labels:
        return json.dumps(
            {"texts": [f"{word} new thing" for word in (HAPPY if '"happy"' in prompt.specific else ANGRY)]}
        )
    text = text_of(prompt.specific)
    if text in INVALID:
        return "no idea"
    label = BY_TEXT.get(text) or ("happy" if text.split()[0] in HAPPY else "angry")
    chosen_for_it = prompt.specific.count("<text>") > 1
    shown = chosen_for_it or "Label: " in prompt.shared
    hard = text in (WRONG if shown else WRONG_ALONE) and not chosen_for_it
    return json.dumps({"label": label if not hard else LABELS[label == "happy"], "confidence": 0.8})


def _scored(prompt):
    """The same as a model that scores the labels of a completion prompt."""
    row = prompt.specific.split("Input: ")[-1].splitlines()[0]
    label = BY_TEXT[row]
    wrong = row in (WRONG if "Output: " in prompt.shared else WRONG_ALONE)
    return Reply(scores=tuple(-1.0 if (name == label) != wrong else -3.0 for name in prompt.labels))


def fitted(trainer, texts, ids, labels=LABELS):
    """What one fit leaves behind."""
    return trainer.fit(LabelledTexts(texts, ids.tolist()), labels=labels, seed=0, on_step=lambda *_: None)


def _auc(scores, positive):
    """Share of (positive, other) pairs in which the positive one scores higher, ties counting half."""
    above, below = scores[positive], scores[~positive]
    return float(np.mean((above[:, None] > below) + 0.5 * (above[:, None] == below)))


def _noisy_ids():
    ids = [NO_LABEL if text in INVALID else LABELS.index(label) for text, label in zip(TEXTS, TRUTH, strict=True)]
    return [1 - known if text in WRONG else known for text, known in zip(TEXTS, ids, strict=True)]


def _accuracy(labels):
    return sum(a == b for a, b in zip(labels, TRUTH, strict=True)) / COUNT


@pytest.fixture(scope="module")
def student_settings(encoder_folder):
    """Small and exact."""
    return StudentSettings(
        model=str(encoder_folder), device="cpu", precision="fp32", epochs=5, learning_rate=2e-3, max_length=32
    )


@pytest.fixture
def run(open_loop):
    """A loop over the pool, run to its end."""

    def running(model=None, *, user=USER, **parts):
        loop = open_loop(TEXTS, model or ScriptedModel(_answer), **({"truth": TRUTH} | parts))
        return loop, anyio.run(loop.run, user)

    return running


@pytest.mark.parametrize("trainer", [FrozenTrainer, TransformerTrainer])
def test_the_posterior_finds_the_planted_errors(trainer, student_settings):
    """It ranks wrong labels below right ones (AUC above 0.95), what is trusted is 99 % right at half of the pool or
    more, and the student is right more often than the labels it learned from."""
    ids = np.array(_noisy_ids())
    data = weighed(TEXTS, ids)
    training = trainer(student_settings).fit(data, labels=LABELS, seed=0, on_step=lambda done, total: None)
    known, right = ids != NO_LABEL, ids == [LABELS.index(label) for label in TRUTH]
    clean = np.where(known, data.weigh(training.held_out)[np.arange(COUNT), ids], 0.0)
    trusted = clean > 0.9
    assert 0.95 < _auc(clean[known], right[known])
    assert 0.99 < right[trusted].mean()
    assert 0.5 < trusted.mean()
    assert right.mean() + 0.05 < _accuracy([LABELS[label] for label in training.proba.argmax(axis=1)])


def test_every_round_is_better_than_what_came_before(run):
    """Zero-shot 84 %, first demonstrations 90 %, demonstrations of the student 96 % (all but the invalid 4 %); the
    student is above each of them, and the final labels are all right."""
    loop, result = run(settings=LoopSettings(iterations=2, shots=4, zero_shot="always"))
    first, second = (state.metrics for state in result.rounds)
    zero_shot = loop.evaluation.annotation_accuracy(result.zero_shot)
    assert [pytest.approx(202 / 240), pytest.approx(216 / 240, abs=1e-4)] == [zero_shot, first["llm_accuracy"]]
    assert first["llm_accuracy"] + 0.04 < second["llm_accuracy"]
    assert first["llm_accuracy"] < first["student_accuracy"] <= second["student_accuracy"]
    assert 0.99 < _accuracy([one.label for one in decide_final_labels(result.best, LABELS, abstain_below=0.0)])
    assert second["asked"] < COUNT / 2


def test_a_scoring_model_improves_as_well(run):
    """A free model that only scores labels: its first demonstrations are its own surest rows, and it gets better."""
    model = ScriptedModel(_scored, style="completion", rows_per_call=32)
    model.writes = False
    loop, result = run(model, free=True, user=(), settings=LoopSettings(iterations=1, shots=4))
    assert loop.evaluation.annotation_accuracy(result.zero_shot) < result.best.metrics["llm_accuracy"]
    assert result.best.metrics["llm_accuracy"] < result.best.metrics["student_accuracy"]


def test_fault_later_rounds_asked_nothing(run):
    """Every text that is not clean after round 1 is put to the model again, with demonstrations of its own from the
    student, and what comes back counts."""
    model = ScriptedModel(_answer)
    _, result = run(model)
    first, second = result.rounds
    unclean = {TEXTS[index] for index in range(COUNT) if first.clean_probability[index] <= 0.9}
    asked_again = [prompt for prompt in model.prompts if prompt.specific.count("<text>") > 1]
    assert unclean == {text_of(prompt.specific) for prompt in asked_again}
    assert {1, 2} == {note.round for note in second.annotations}
    mended = [note for note, old in zip(second.annotations, first.annotations, strict=True) if note.label != old.label]
    assert 10 < len(mended)
    assert all(BY_TEXT[TEXTS[note.index]] == note.label for note in mended)


@pytest.mark.parametrize("change", ["description", "shared", "own", "labels", "model"])
def test_fault_the_answer_store_knew_rows_only(change):
    """The same text under another description, other demonstrations, other labels or another model is asked again."""
    store, asked = MemoryStore(), []

    def ask(description="Is it nice?", shared=(), own=(), labels=LABELS, model="one"):
        chat = ScriptedModel(lambda _: '{"label": "happy", "confidence": 1}', model=model)
        annotator = Annotator(chat, store, Ledger(Price(input=0, output=0), None), ignore)
        request = LabelRequest(0, "a film", own)
        task = Task(description, tuple(map(Label, labels)))
        anyio.run(lambda: annotator.annotate([request], task=task, shared=shared, round_number=1))
        asked.append(len(chat.prompts))

    other = {
        "description": "Is it long?",
        "shared": USER,
        "own": USER[:1],
        "labels": ("happy", "angry", "sad"),
        "model": "two",
    }
    ask()
    ask()
    ask(**{change: other[change]})
    assert [1, 0, 1] == asked


@pytest.mark.parametrize("trainer", [FrozenTrainer, TransformerTrainer])
def test_fault_losses_at_shuffled_positions(trainer, student_settings):
    """A text's loss is that of its own label: the planted errors have the higher ones, at their own indices, though
    training shuffles and scoring sorts by length."""
    texts = [f"{text} {'film ' * (number * 7 % 4)}" for number, text in enumerate(TEXTS[:120])]
    ids = [LABELS.index(label) for label in TRUTH[:120]]
    wrong = np.zeros(120, dtype=bool)
    wrong[[3, 18, 41, 64, 77, 102]] = True
    noisy = np.where(wrong, 1 - np.array(ids), ids)
    training = fitted(trainer(student_settings), texts, noisy)
    assert 0.75 < _auc(training.losses, wrong)


def _scoring_model():
    model = ScriptedModel(_scored, style="completion", rows_per_call=32)
    model.writes = False
    return model


@pytest.mark.parametrize("make", [lambda: ScriptedModel(_answer), _scoring_model], ids=["writing", "scoring"])
def test_fault_first_demonstrations_knew_the_truth(run, make):
    """Round 1 is shown the same with right, wrong and no ground truth."""
    opposite = ["angry" if label == "happy" else "happy" for label in TRUTH]
    shown = []
    for number, truth in enumerate((TRUTH, opposite, None)):
        settings = LoopSettings(iterations=1, shots=4)
        _, result = run(make(), user=(), truth=truth, free=True, settings=settings, folder=str(number))
        shown.append(result.best.demonstrations)
    assert 2 < len(shown[0])
    assert shown[0] == shown[1] == shown[2]


def test_fault_rows_of_failed_calls_vanished(run, tmp_path):
    """Rows whose call the server refused stand in the result, in their place, with the student's label."""
    refused = set(TEXTS[7:26])  # twenty in the same words would be one cause

    def respond(prompt):
        return RowRejectedError("too odd") if text_of(prompt.specific) in refused else _answer(prompt)

    loop, result = run(ScriptedModel(respond), settings=LoopSettings(iterations=1))
    with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
        csv.writer(stream).writerows([["text"], *([text] for text in TEXTS)])
    table, decisions = read_table(tmp_path / "in.csv"), decide_final_labels(result.best, LABELS, abstain_below=0.0)
    write_annotated(tmp_path / "out.csv", table, loop.pool, decisions, result.best.annotations)
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert TEXTS == [row["text"] for row in rows]
    assert Counter(api_error=19) == Counter(row["freeal_status"] for row in rows if row["text"] in refused)
    assert all(row["freeal_label"] == BY_TEXT[row["text"]] for row in rows if row["text"] in refused)
    assert {"student"} == {row["freeal_source"] for row in rows if row["text"] in refused}


class Watching(TinyTrainer):
    """Remembers the label ids it was given, and whether they were to be judged by more than heads."""

    def __init__(self):
        super().__init__()
        self.seen, self.judged = [], []

    def fit(self, data, **more):
        self.seen.append(list(data.label_ids))
        self.judged.append(data.judged)
        return super().fit(data, **more)


def test_fault_unknown_answers_were_labels(run):
    """An answer that names no label is no label in training, in any round: not the first one, nor one of its own."""
    trainer = Watching()
    _, result = run(trainer=trainer)
    invalid = [index for index, text in enumerate(TEXTS) if text in INVALID]
    assert 2 == len(trainer.seen)
    for seen in trainer.seen:
        assert invalid == [index for index, label_id in enumerate(seen) if label_id == NO_LABEL]
    assert all((Status.INVALID_ANSWER,) == result.best.annotations[index].statuses for index in invalid)


@pytest.mark.parametrize(("make", "judged"), [(lambda: ScriptedModel(_answer), True), (_scoring_model, False)])
def test_labels_alone_are_judged_by_encoders_and_probabilities_by_heads(run, make, judged):
    """Who gives a probability for each label tells its errors itself: more trainings would be for nothing."""
    trainer = Watching()
    run(make(), trainer=trainer, free=not judged, user=(), settings=LoopSettings(iterations=1, shots=4))
    assert {judged} == set(trainer.judged)


def test_fault_label_map_was_read_and_never_written(student_settings, tmp_path):
    """A saved student, moved elsewhere, names its labels by itself, in the user's order and spelling."""
    labels = ("zeta: 2nd", "Alpha", "mu")
    texts = ["good great", "bad awful", "film book", "superb good", "awful poor", "book film"] * 2
    training = fitted(FrozenTrainer(student_settings), texts, np.array([0, 1, 2] * 4), labels)
    (tmp_path / "saved").mkdir()
    training.student.save(tmp_path / "saved")
    shutil.move(tmp_path / "saved", tmp_path / "moved")
    assert dict(enumerate(labels)) == {
        int(number): name
        for number, name in json.loads((tmp_path / "moved" / "config.json").read_text())["id2label"].items()
    }
    (tmp_path / "new.csv").write_text("text\n" + "\n".join(texts) + "\n", encoding="utf-8")
    predict_csv(
        PredictionJob(
            model=tmp_path / "moved",
            input_csv=tmp_path / "new.csv",
            output_csv=tmp_path / "out.csv",
            text_columns=("text",),
        )
    )
    with (tmp_path / "out.csv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream))
    assert [labels[number % 3] for number in range(12)] == [row["freeal_label"] for row in rows]
    assert [f"freeal_p_{label}" for label in labels] == [name for name in rows[0] if name.startswith("freeal_p_")]
