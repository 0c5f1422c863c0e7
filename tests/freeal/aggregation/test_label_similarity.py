"""Nearness to the labels' meanings joins a small model's answers, and only those."""

from __future__ import annotations

import zlib

import anyio
import numpy as np
import pytest

from freeal.aggregation import label_similarity
from freeal.annotation.first_demonstrations import starting_demonstrations
from freeal.settings import LoopSettings
from freeal.testing.scripted_model import ScriptedModel
from freeal.types import Annotation, Demonstration, Label, Reply, Status

NAMES = ("sports", "business")


def note(index, distribution):
    """An annotation with a distribution over both labels, or a plain label."""
    label = NAMES[0] if distribution is None else NAMES[int(np.argmax(distribution))]
    return Annotation(index, label, 0.6, (Status.OK,), 1, distribution=distribution)


def embed(texts):
    """Two dimensions: how much of a match, how much of a market."""
    found = np.array([[text.count("match") + 0.1, text.count("market") + 0.1] for text in texts])
    return found / np.linalg.norm(found, axis=1, keepdims=True)


def test_nearness_reads_descriptions():
    """A text is nearest to the label whose description says the same, whatever the label is called."""
    labels = (Label("a", "a market"), Label("b", "a match"))
    near = label_similarity.nearness_to_labels(["match of the day"] * 20 + ["market opens"] * 20, labels, embed)
    assert [1] * 20 + [0] * 20 == near.argmax(axis=1).tolist()
    np.testing.assert_allclose(1.0, near.sum(axis=1))


def test_both_voices_count_the_same():
    """An undecided answer follows the meanings, an undecided nearness leaves the answer, equal and opposite cancel."""
    said = [(0.5, 0.5), (0.9, 0.1), (0.8, 0.2), *[(0.9, 0.1), (0.1, 0.9)] * 5]
    near = np.array([[0.1, 0.9], [0.5, 0.5], [0.2, 0.8], *[(0.9, 0.1), (0.1, 0.9)] * 5])
    notes = [note(index, distribution) for index, distribution in enumerate(said)]
    first, second, third, *_ = label_similarity.joined_with_nearness(notes, near, NAMES)
    assert ("business", "sports") == (first.label, second.label)
    assert pytest.approx(0.5) == third.confidence
    assert pytest.approx(0.9**0.75 / (0.9**0.75 + 0.1**0.75)) == second.confidence


def test_meanings_that_the_encoder_hardly_tells_apart_weigh_little():
    """By the square of how far apart they are: alike for nothing, unlike as much as the answers."""

    def weight(*angles):
        labels = [Label(str(number), str(angle)) for number, angle in enumerate(angles)]
        return label_similarity.nearness_weight(
            labels, lambda texts: np.array([(np.cos(float(one)), np.sin(float(one))) for one in texts])
        )

    assert pytest.approx(0.0) == weight(1.0, 1.0)
    assert 1.0 == weight(0.0, np.pi / 2)
    assert pytest.approx(1.5 * (1 - np.cos(0.3))) == weight(0.0, 0.3)
    assert pytest.approx(1.5 * (1 - (np.cos(0.2) + 2 * np.cos(0.1)) / 3)) == weight(0.0, 0.1, 0.2)


def test_nearness_that_weighs_nothing_leaves_the_labels_as_they_are():
    """Only surer, for they are pooled; at half a weight an undecided answer follows the meanings already."""
    notes = [note(index, (0.6, 0.4) if index % 2 else (0.4, 0.6)) for index in range(20)]
    near = np.array([(0.7, 0.3) if index % 2 else (0.3, 0.7) for index in range(20)])
    near[0] = (0.9, 0.1)
    none, half = (label_similarity.joined_with_nearness(notes, near, NAMES, weight=weight) for weight in (0.0, 0.5))
    assert [one.label for one in notes] == [one.label for one in none]
    assert pytest.approx(0.6**1.25 / (0.6**1.25 + 0.4**1.25)) == none[1].confidence
    assert ("business", "sports") == (none[0].label, half[0].label)


def test_answers_without_a_distribution_are_left_alone():
    """What a writing model said is not touched."""
    said = note(0, None)
    assert [said] == label_similarity.joined_with_nearness([said], np.array([[0.0, 1.0]]), NAMES)


def test_a_label_off_the_shortlist_stays_out():
    """Nearness cannot give a text a label that it was not asked about."""
    names = ("a", "b", "c")
    said = [(0.6, 0.4, 0.0), *[(0.9, 0.1, 0.0), (0.1, 0.9, 0.0)] * 5]
    near = np.array([[0.0, 0.01, 0.99], *[(0.9, 0.1, 0.0), (0.1, 0.9, 0.0)] * 5])
    notes = [Annotation(n, names[int(np.argmax(d))], 0.6, (Status.OK,), 1, distribution=d) for n, d in enumerate(said)]
    first = label_similarity.joined_with_nearness(notes, near, names)[0]
    assert ("b", 0.0) == (first.label, first.distribution[2])


def test_nearness_that_agrees_by_chance_only_is_not_heard():
    """Labels whose names and descriptions say nothing leave the answers as they are."""
    notes = [note(index, (0.7, 0.3) if index % 2 else (0.3, 0.7)) for index in range(40)]
    near = np.array([(0.9, 0.1) if index % 4 < 2 else (0.1, 0.9) for index in range(40)])
    assert notes == label_similarity.joined_with_nearness(notes, near, NAMES)


TEXTS = [f"{'match' if number % 2 else 'market'} day {number}" for number in range(60)]
KNOWN = (Demonstration("a match", "sports", "user"), Demonstration("a market", "business", "user"))


@pytest.fixture
def questions(open_loop):
    """A small scoring model about matches and markets: one answer in four, confident, is wrong."""

    def asking(label_meanings, *, retrieval="auto"):
        def respond(prompt):
            text = prompt.specific.rsplit("Input: ", 1)[1].splitlines()[0]
            margin = 1.0 + zlib.crc32(text.encode()) % 100 / 100
            sports = ("match" in text) != (int(text.split()[-1]) % 8 < 2)
            return Reply(scores=(margin, 0.0) if sports else (0.0, margin))

        model = ScriptedModel(respond, style="completion", rows_per_call=16, provider="local")
        model.writes = False
        settings = LoopSettings(shots=2, demos_per_class=3, label_meanings=label_meanings, retrieval=retrieval)
        labels = (Label("sports", "match day"), Label("business", "market day"))
        return open_loop(TEXTS, model, labels=labels, settings=settings, free=True).questions

    return asking


def _expected(asked, notes):
    """The same answers, joined by hand."""
    near = label_similarity.nearness_to_labels(
        [TEXTS[note.index] for note in notes], asked.task.labels, asked.trainer.embed
    )
    weight = label_similarity.nearness_weight(asked.task.labels, asked.trainer.embed)
    assert 0.0 < weight < 1.0
    return label_similarity.joined_with_nearness(notes, near, NAMES, weight=weight)


def test_the_first_round_hears_the_meanings(questions):
    """What is learned from in round 1 are the pooled answers joined with nearness, once."""

    def first(asked):
        return anyio.run(lambda: asked.ask_first_round(range(60), KNOWN, zero_shot=()))

    plain, heard = first(questions("off")), first(questions("auto"))
    assert plain != heard
    assert _expected(questions("auto"), plain) == heard


@pytest.mark.parametrize("retrieval", ["shared", "nearest"])
def test_later_rounds_hear_the_meanings(questions, retrieval):
    """So are the answers of every later round, whichever way demonstrations are chosen."""
    proba, embeddings = np.full((60, 2), 0.5), questions("off").trainer.embed(TEXTS)

    def again(asked):
        return anyio.run(lambda: asked.ask_later_round(2, list(range(40)), KNOWN, proba=proba, embeddings=embeddings))

    plain, heard = (again(questions(wanted, retrieval=retrieval)) for wanted in ("off", "auto"))
    assert plain != heard
    assert _expected(questions("auto"), plain) == heard


def test_the_surest_rows_are_those_both_voices_are_sure_of(questions):
    """Demonstrations found among zero-shot answers are right although one confident answer in four is wrong."""

    def wrong(asked):
        found = anyio.run(lambda: starting_demonstrations(asked, (), indices=range(60)))
        return sum((demo.label == "sports") != ("match" in demo.text) for demo in found.demonstrations)

    assert 0 == wrong(questions("auto"))
    assert 0 < wrong(questions("off"))
