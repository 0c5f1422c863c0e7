"""Which rows a person should see first."""

from __future__ import annotations

import csv
import dataclasses

import numpy as np
import pytest

from freeal.corrections.review_queue import MOST_TEXTS, NEAREST, REVIEW_COLUMNS, review_queue, write_review_queue
from freeal.loop.final_label import decide_final_labels
from freeal.pool.text_pool import build_pool
from freeal.spec.job_spec import Spec
from freeal.table import read_table
from freeal.types import Annotation, Demonstration, Status

LABELS = ("no", "yes")


@pytest.fixture
def queue_of(tmp_path, make_round):
    """The queue over texts (a sure `yes` on all, but for what is named), and what it is made of."""

    def queue(texts, *, llm=None, clean=None, proba=None, sure=None, unasked=(), demonstrations=(), truth=None):
        with (tmp_path / "in.csv").open("w", encoding="utf-8", newline="") as stream:
            csv.writer(stream).writerows(
                [["key", "text", "other"], *([f"k{n}", text, (truth or {}).get(n, "")] for n, text in enumerate(texts))]
            )
        table = read_table(tmp_path / "in.csv")
        spec = Spec(
            name="t",
            description="d",
            labels=list(LABELS),
            text_columns=["text"],
            id_column="key",
            label_column="other" if truth else None,
        )
        pool = build_pool(table, spec)
        size = len(pool)
        llm = dict.fromkeys(range(size), "yes") | (llm or {})
        clean = dict.fromkeys(range(size), 1.0) | (clean or {})
        proba = dict.fromkeys(range(size), 0.99) | (proba or {})
        state = make_round(
            [llm[n] for n in range(size)],
            [clean[n] for n in range(size)],
            [[1 - proba[n], proba[n]] for n in range(size)],
        )
        notes = [
            Annotation(n, None, 0.0, (Status.NOT_ASKED,), 0) if n in unasked else note
            for n, note in enumerate(state.annotations)
        ]
        rng = np.random.default_rng(0)
        vectors = rng.normal(size=(size, 8))
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        posterior = state.posterior.copy()
        for n, share in (sure or {}).items():
            posterior[n] = (1.0 - share, share)
        state = dataclasses.replace(
            state,
            posterior=posterior,
            annotations=tuple(notes),
            representatives=tuple(demonstrations),
            embeddings=vectors,
        )
        decisions = decide_final_labels(state, LABELS, abstain_below=0.0)
        found = review_queue(state, pool, decisions)
        write_review_queue(tmp_path / "queue.csv", found, table=table, pool=pool, decisions=decisions, spec=spec)
        with (tmp_path / "queue.csv").open(encoding="utf-8", newline="") as stream:
            return found, list(csv.DictReader(stream)), vectors

    return queue


TEXTS = [f"text {number}" for number in range(40)]


def test_the_least_sure_come_first_and_say_why(queue_of):
    """Rows come by the probability that their label is wrong; the reasons are those of the voices."""
    found, rows, _ = queue_of(TEXTS, llm={7: "no"}, clean={7: 0.1}, proba={30: 0.55}, sure={7: 0.6, 20: 0.7, 30: 0.8})
    assert [7, 20, 30, 0] == [look.index for look in found]
    assert [0.4, 0.3, 0.2] == [pytest.approx(look.value, abs=1e-5) for look in found[:3]]
    assert "language model and student differ; answer looks wrong" == rows[0]["freeal_why"]
    assert "student undecided" == rows[2]["freeal_why"]


def test_a_rare_label_weighs_more(queue_of):
    """Of two equal doubts the one about the label that few texts have comes first, wherever it stands."""
    found, _, _ = queue_of(TEXTS, llm={30: "no"}, proba={30: 0.01}, sure={3: 0.8, 30: 0.2})
    assert [30, 3] == [look.index for look in found][:2]


def test_a_text_of_many_rows_stands_once_and_weighs_more(queue_of):
    """Duplicates are one line that says how many rows it settles."""
    found, rows, _ = queue_of([*TEXTS, "text 9", "text 9"], sure={5: 0.7, 9: 0.7})
    assert (9, 3) == (found[0].index, found[0].rows)
    assert ("10", "3") == (rows[0]["freeal_row"], rows[0]["freeal_rows"])
    assert len(rows) == len({row["text"] for row in rows}) == 4


def test_what_was_never_asked_is_told_from_what_was_not_answered(queue_of):
    """Both are the student's alone, and as urgent as it is unsure."""
    found, _, _ = queue_of(TEXTS, llm={4: None, 8: None}, clean={4: 0.0, 8: 0.0}, sure={4: 0.8, 8: 0.7}, unasked=(4,))
    assert [8, 4] == [look.index for look in found][:2]
    assert [("no usable answer",), ("never asked",)] == [look.why for look in found][:2]


def test_the_queue_is_short_and_always_the_same(queue_of):
    """A tenth of the texts, at most 500; equals in the order of the file."""
    many = [f"text {number}" for number in range(6000)]
    found, _, _ = queue_of(many)
    assert list(range(MOST_TEXTS)) == [look.index for look in found]
    assert 1 == len(queue_of(["one", "two", "three"])[0])


def test_the_nearest_demonstrations_are_shown(queue_of):
    """By embedding, nearest first, never the text itself; those that are not of the pool have no place in it."""
    shown = [Demonstration(TEXTS[n], "yes", "student", n) for n in (0, 5, 11, 17)]
    shown.append(Demonstration("made up", "no", "generated"))
    found, rows, vectors = queue_of(TEXTS, sure={5: 0.6}, demonstrations=shown)
    others = [0, 11, 17]
    expected = sorted(others, key=lambda n: -float(vectors[n] @ vectors[5]))
    assert (5, expected) == (found[0].index, [demo.index for demo in found[0].nearest])
    assert f"yes: {TEXTS[expected[0]]}" == rows[0]["freeal_nearest_1"]
    assert NEAREST == len(found[0].nearest)


def test_the_columns(queue_of):
    """Id, text, what we say, and an empty column to fill in; other columns of the file are left out."""
    _, rows, _ = queue_of(TEXTS)
    assert ["key", "text", *REVIEW_COLUMNS] == list(rows[0])
    assert {""} == {row["freeal_corrected"] for row in rows}
    assert "k0" == rows[0]["key"]


def test_what_the_csv_holds_the_label_of_is_asked_last(queue_of):
    """A person's look is for what nobody knows; that it is known stands beside it."""
    llm = dict.fromkeys((3, 5, 7, 9, 11), "no")
    sure = dict.fromkeys(llm, 0.4)
    found, rows, _ = queue_of(TEXTS, llm=llm, sure=sure, truth={3: "yes", 5: "no", 7: "yes", 9: "yes"})
    assert 11 == found[0].index
    assert set() == {look.index for look in found} & {3, 5, 7, 9}
    _, rows, _ = queue_of(TEXTS, llm=llm, truth=dict.fromkeys(range(40), "yes"))
    assert all(row["freeal_why"].endswith("the CSV holds its label") for row in rows)


@pytest.mark.parametrize(("given", "why"), [(18, "least sure of the rest"), (10, "rare label")])
def test_a_label_of_many_texts_is_not_called_rare(queue_of, given, why):
    """Of two labels one with a quarter of the texts is rare, one with nearly half of them is not."""
    rest = dict.fromkeys(range(given), 0.02) | dict.fromkeys(range(given, 40), 0.99)
    _, rows, _ = queue_of(
        TEXTS, llm=dict.fromkeys(range(given), "no"), proba=dict.fromkeys(range(given), 0.01), sure=rest
    )
    assert {why} == {row["freeal_why"] for row in rows}


def test_a_text_that_nothing_speaks_against_says_so(queue_of):
    """No rare label where the label is the commonest, and no many rows where there is one."""
    sure = dict.fromkeys(range(40), 0.98) | {1: 0.02, 2: 0.02}
    _, rows, _ = queue_of([*TEXTS, "text 9"], llm=dict.fromkeys((1, 2), "no"), proba={1: 0.01, 2: 0.01}, sure=sure)
    why = {row["text"]: row["freeal_why"] for row in rows}
    assert {"rare label"} == {why["text 1"], why["text 2"]}
    assert "stands in 2 rows" == why["text 9"]
