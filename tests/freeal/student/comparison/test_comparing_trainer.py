"""Several students: compared once, by what they foretell of labels they have not learned; the winner is trained."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from freeal.compute.listener import Listener, unwatched
from freeal.errors import TrainingError
from freeal.student.comparison.candidates import Candidate
from freeal.student.comparison.comparing_trainer import COMPARED_TEXTS, FOLDS, ComparingTrainer, Entrant
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.protocols import NO_LABEL, ComparesStudents, Training
from freeal.testing.weighed_labels import weighed

TEXTS = [f"text {number}" for number in range(80)]
TRUTH = np.array([number % 2 for number in range(80)])


@dataclasses.dataclass
class _Student:
    truth: dict[str, int]
    right: float
    labels = ("no", "yes")

    def predict_proba(self, texts):
        said = np.full((len(texts), 2), 1 - self.right, dtype=np.float32)
        said[np.arange(len(texts)), [self.truth[text] for text in texts]] = self.right
        return said


@dataclasses.dataclass
class _Trainer:
    """One whose student gives the truth the probability `right`; counts what it was taught, and keeps whether encoders
    were to judge it."""

    name: str
    right: float
    taught: list[int] = dataclasses.field(default_factory=list)
    judged: list[bool] = dataclasses.field(default_factory=list)
    stops: bool = False

    @property
    def description(self):
        return {"model": self.name, "mode": "frozen", "device": "cpu"}

    def embed(self, texts):
        return np.full((len(texts), 1), len(self.name))

    def fit(self, data, *, labels, seed, on_step):
        assert seed == 3
        on_step(1, 2)
        if self.stops:
            raise KeyboardInterrupt
        self.taught.append(len(data.texts))
        self.judged.append(data.judged)
        on_step(2, 2)
        nothing = np.zeros((len(data.texts), len(labels)))
        return Training(_Student(dict(zip(TEXTS, TRUTH.tolist(), strict=True)), self.right), *[nothing] * 4)


def _comparing(*trainers, works=None, on_cpu=True, told=None):
    works = works or [1.0] * len(trainers)
    entrants = [Entrant(Candidate(one.name, work, 1_000_000), one) for one, work in zip(trainers, works, strict=True)]
    listener = Listener(on_notice=([] if told is None else told).append)
    return ComparingTrainer(entrants, on_cpu=on_cpu, listener=listener)


def _fit(trainer, data=None, *, on_step=unwatched):
    data = data or LabelledTexts(TEXTS, TRUTH.tolist())
    return trainer.fit(data, labels=("no", "yes"), seed=3, on_step=on_step)


def test_the_student_that_foretells_the_labels_best_is_trained_and_the_table_says_so():
    """Both are trained on each half; then the better one on everything, and no other in a later round."""
    poor, good, told = _Trainer("poor", 0.6), _Trainer("good", 0.9), []
    trainer = _comparing(poor, good, told=told)
    assert isinstance(trainer, ComparesStudents)
    assert "poor, good" == trainer.description["model"]
    _fit(trainer)
    _fit(trainer)
    assert [40, 40] == poor.taught
    assert [40, 40, 80, 80] == good.taught
    assert "good" == trainer.description["model"] == trainer.chosen_name
    worse, better = trainer.comparison["candidates"]
    assert (False, True) == (worse["chosen"], better["chosen"])
    assert worse["log_likelihood"] == pytest.approx(np.log(0.6), abs=1e-3)
    assert worse["difference"] == pytest.approx(np.log(0.6 / 0.9), abs=1e-3)
    assert 80 == trainer.comparison["texts"]
    assert 1 == len(told)
    assert "good is trained on" in told[0]


def test_only_the_winner_s_labels_are_judged_by_encoders():
    """A comparison looks at the students alone: encoders that judge would take as long again for each of them."""
    good = _Trainer("good", 0.9)
    _fit(_comparing(_Trainer("poor", 0.6), good))
    assert [False, False, True] == good.judged


def test_on_a_cpu_a_slower_student_must_earn_its_time():
    """Two hundredths of a nat more are not worth eight times the work, and are on a GPU."""
    quick, slow = _Trainer("quick", 0.80), _Trainer("slow", 0.816)
    for on_cpu, chosen in ((True, "quick"), (False, "slow")):
        trainer = _comparing(quick, slow, works=[1.0, 8.0], on_cpu=on_cpu)
        _fit(trainer)
        assert chosen == trainer.chosen_name


def test_a_job_that_was_killed_repeats_no_comparison(tmp_path):
    """Killed while the second student was compared, it goes on there; killed later, it compares nothing at all."""
    first, second = _Trainer("first", 0.7), _Trainer("second", 0.8, stops=True)
    killed = _comparing(first, second)
    killed.remember_in(tmp_path, has_trained=False)
    with pytest.raises(KeyboardInterrupt):
        _fit(killed)
    assert [40, 40] == first.taught
    again, second = _Trainer("first", 0.7), _Trainer("second", 0.8)
    resumed = _comparing(again, second)
    resumed.remember_in(tmp_path, has_trained=False)
    _fit(resumed)
    assert [] == again.taught
    assert [40, 40, 80] == second.taught
    later, alone = _Trainer("first", 0.7), _Trainer("second", 0.8)
    once_more = _comparing(later, alone)
    once_more.remember_in(tmp_path, has_trained=True)
    assert "second" == once_more.description["model"]
    assert resumed.comparison == once_more.comparison
    _fit(once_more)
    assert [80] == alone.taught
    assert [] == later.taught


def test_what_is_kept_is_of_those_labels_alone(tmp_path):
    """With a cap that was raised since, other texts have a label: then a student is compared again."""
    first, second = _Trainer("first", 0.7), _Trainer("second", 0.8, stops=True)
    killed = _comparing(first, second)
    killed.remember_in(tmp_path, has_trained=False)
    with pytest.raises(KeyboardInterrupt):
        _fit(killed, LabelledTexts(TEXTS, [*TRUTH[:60].tolist(), *[NO_LABEL] * 20]))
    again = _Trainer("first", 0.7)
    resumed = _comparing(again, _Trainer("second", 0.6))
    resumed.remember_in(tmp_path, has_trained=False)
    _fit(resumed)
    assert [40, 40, 80] == again.taught


@pytest.mark.parametrize("answered", [20, 60])
def test_a_choice_that_no_round_was_finished_with_is_of_its_labels_alone(tmp_path, answered):
    """A cap cut the first round off, behind the choice: once it is raised, students are compared on what has a label
    then. Killed before the round was written, the same labels are not compared twice."""
    few = LabelledTexts(TEXTS, [*TRUTH[:answered].tolist(), *[NO_LABEL] * (80 - answered)])
    for data, taught in ((few, None), (few, [80]), (None, [40, 40, 80])):
        first = _Trainer("first", 0.9)
        trainer = _comparing(first, _Trainer("second", 0.6))
        trainer.remember_in(tmp_path, has_trained=False)
        _fit(trainer, data)
        assert taught in (None, first.taught)
    assert 80 == trainer.comparison["texts"]


def test_they_are_compared_on_a_sample_of_bounded_size(monkeypatch):
    """What a comparison takes does not grow with the table."""
    texts = [f"text {number}" for number in range(COMPARED_TEXTS + 200)]
    monkeypatch.setitem(globals(), "TEXTS", texts)
    monkeypatch.setitem(globals(), "TRUTH", np.arange(len(texts)) % 2)
    one, other = _Trainer("one", 0.7), _Trainer("other", 0.8)
    trainer = _comparing(one, other)
    _fit(trainer, LabelledTexts(texts, (np.arange(len(texts)) % 2).tolist()))
    assert [COMPARED_TEXTS // FOLDS] * FOLDS == one.taught
    assert COMPARED_TEXTS == trainer.comparison["texts"]


def test_with_too_few_labels_the_first_student_is_trained_and_no_table_is_shown():
    """Nothing can be told from twenty texts, so nothing is."""
    one, other, told = _Trainer("one", 0.6), _Trainer("other", 0.9), []
    trainer = _comparing(one, other, told=told)
    _fit(trainer, LabelledTexts(TEXTS, [*TRUTH[:20].tolist(), *[NO_LABEL] * 60]))
    assert [80] == one.taught
    assert trainer.comparison is None
    assert "20 texts have a label, too few" in told[0]


def test_every_voice_is_in_what_a_student_is_measured_by():
    """A wrong label that both students and the other texts speak against counts for little."""
    ids = TRUTH.copy()
    ids[:16] = 1 - ids[:16]
    evidence = weighed(TEXTS, ids)
    rows_asked = []

    def weigh_of(rows):
        rows_asked.append(len(rows))
        return weighed([TEXTS[row] for row in rows], ids[rows]).weigh

    data = dataclasses.replace(evidence, weigh_of=weigh_of)
    trainer = _comparing(_Trainer("poor", 0.6), _Trainer("good", 0.95))
    _fit(trainer, data)
    assert {40, 80} == set(rows_asked)
    _, good = trainer.comparison["candidates"]
    assert good["agreement"] > 0.9


def test_near_duplicates_stand_on_one_side():
    """Who learned a text does not judge one that is nearly the same."""
    seen = []

    class Watching(_Trainer):
        def fit(self, data, **others):
            seen.append(set(data.groups.tolist()))
            return super().fit(data, **others)

    groups = np.arange(80) // 4
    _fit(
        _comparing(Watching("one", 0.7), _Trainer("other", 0.6)),
        LabelledTexts(TEXTS, TRUTH.tolist(), groups=groups),
    )
    assert set() == seen[0] & seen[1]


def test_steps_only_rise_and_end_at_their_total():
    """A progress bar sees one training, not five."""
    steps = []
    _fit(_comparing(_Trainer("one", 0.7), _Trainer("other", 0.8)), on_step=lambda *step: steps.append(step))
    done = [step for step, _ in steps]
    assert sorted(done) == done
    assert steps[-1][0] == steps[-1][1]


def test_without_a_label_nothing_is_compared():
    """The training itself says that there is nothing to train on."""

    class Strict(_Trainer):
        def fit(self, data, *, labels, seed, on_step):
            raise TrainingError(f"none of {len(data.texts)} texts has a label of {labels}, {seed}, {on_step}")

    trainer = _comparing(Strict("one", 0.7), Strict("other", 0.8))
    with pytest.raises(TrainingError):
        _fit(trainer, LabelledTexts(TEXTS, [NO_LABEL] * 80))
    assert trainer.chosen_name is None


def test_the_table_is_json():
    """It goes into metrics.json as it is."""
    trainer = _comparing(_Trainer("one", 0.7), _Trainer("other", 0.8))
    _fit(trainer)
    assert trainer.comparison == json.loads(json.dumps(trainer.comparison, allow_nan=False))
