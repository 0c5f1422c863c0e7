"""What the first screen of a report says in words."""

from __future__ import annotations

import dataclasses
import json
import re

import numpy as np
import pytest

from freeal.money.budget_ledger import Ledger
from freeal.report.key_facts import facts_on_who_answered, weak_classes
from freeal.report.round_chart_data import scores_per_round
from freeal.report.row_arrays import Rows
from freeal.results import previous_version
from freeal.results.finished_run import Answerer
from freeal.results.metrics_as_text import confidence_error_in_words, metrics_in_words
from freeal.types import Bill


@pytest.mark.parametrize(
    ("mean", "right", "error", "said"),
    [
        (0.71, 0.93, 0.22, "too low: 71.0 % on average where 93.0 % are right."),
        (0.97, 0.80, 0.17, "too high: 97.0 % on average where 80.0 % are right."),
        (0.81, 0.80, 0.15, "too high for some rows and too low for others."),
    ],
)
def test_an_error_of_confidence_has_a_direction(mean, right, error, said):
    """A reader learns whether to trust the figures more or less than they say."""
    final = {"mean_confidence": mean, "calibration_error": error, "coverage_curve": [{"accuracy": right}]}
    [(what, told)] = confidence_error_in_words(final)
    assert ("confidence", True) == (what, told.endswith(said))
    assert told.startswith(f"off by {error * 100:.0f} points on average")
    assert [] == confidence_error_in_words(final | {"calibration_error": 0.1})


@pytest.mark.parametrize(("processes", "said"), [(1, "one process"), (2, "2 processes")])
def test_the_student_tells_of_the_cluster_that_trained_it(finish, processes, said):
    """A reader sees over what it was trained, also where a later round settled; nothing where it was this process."""
    run = finish()
    assert "trained over" not in dict(facts_on_who_answered(run))["student"]
    trained = {"training_engine": "ray", "training_processes": processes}
    [*before, last] = run.result.rounds
    over_ray = dataclasses.replace(last, metrics=last.metrics | trained, settled=False)
    settled = dataclasses.replace(last, round=last.round + 1, settled=True)
    result = dataclasses.replace(run.result, rounds=(*before, over_ray, settled), best=settled)
    facts = dict(facts_on_who_answered(dataclasses.replace(run, result=result)))
    assert facts["student"].endswith(f", trained over Ray by {said}")


def test_a_language_model_over_a_cluster_was_not_in_this_machines_memory(finish, publish):
    """Report, model card and metrics.json say where it was, and so does a version made from this one."""
    run, one = finish(), Answerer("local", "packaged", "completion", form="plain")
    here = dataclasses.replace(run, answerers=(one,))
    assert "packaged, in this machine's memory (local)" == dict(facts_on_who_answered(here))["language model"]
    folder = publish(dataclasses.replace(run, answerers=(dataclasses.replace(one, engine="ray"),)))
    page, card = ((folder / name).read_text() for name in ("report.html", "model/README.md"))
    assert ("in the memory of a Ray cluster (local)" in page, "in the memory of a Ray cluster" in card) == (True, True)
    assert ("no text left the cluster" in page, "this machine" in page) == (True, False)
    assert "ray" == json.loads((folder / "metrics.json").read_text())["llm"]["engine"]
    assert "ray" == previous_version.how_it_asked(folder)[0].engine


@pytest.mark.parametrize("usd", [0.0, 0.25])
def test_a_price_that_nobody_knows_is_never_shown_as_nothing_paid(finish, publish, usd):
    """Report, figures and metrics.json say that dollars are missing, rather than 0 USD."""
    run = finish()
    ledger = Ledger(None, None, spent=Bill(usd, run.ledger.usage))
    rounds = [dataclasses.replace(one, metrics=one.metrics | {"usd": 0.0}) for one in run.result.rounds]
    folder = publish(
        dataclasses.replace(run, ledger=ledger, result=dataclasses.replace(run.result, rounds=tuple(rounds)))
    )
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["cost"]["is_priced"] is False
    said = "0.2500 USD, and what the model without a price cost" if usd else "unknown: no price is set for this model"
    assert dict(metrics_in_words(metrics))["cost of this run"].startswith(said)
    page = (folder / "report.html").read_text()
    assert said in page
    assert not re.search("(<td[^>]*>|, )0 USD", page)


def test_labels_that_were_never_given_before_are_not_called_changed(finish):
    """In the first round none stands before them: there is nothing to be unchanged, and a dash says so."""
    run = finish(truth=False)
    _, _, kept = scores_per_round(run, run.metrics()).lines
    assert ("labels unchanged", None) == (kept.name, kept.values[0])
    assert all(0.0 <= value <= 1.0 for value in kept.values[1:])


def test_figures_in_a_terminal_tell_what_a_person_should_know(finish):
    """Who never opens the report learns of a label that no row got; names of labels that are numbers stay apart."""
    metrics = finish().metrics()
    final = metrics["final"] | {"label_counts": {"1": 113, "0": 87}}
    told = metrics_in_words(metrics | {"final": final, "warnings": ["label given to no row: '2'"]})
    assert ("look at", "label given to no row: '2'") == told[-1]
    assert "1: 113, 0: 87" == dict(told)["labels"]


def test_a_label_that_is_given_too_often_is_weak():
    """A label that is found in all of its rows is weak where half of the rows that have it are another's."""
    truth = np.array([0] * 40 + [1] * 200 + [2] * 160)
    final = np.array([0] * 40 + [0] * 40 + [1] * 160 + [2] * 160)
    count = len(truth)
    rows = Rows(
        labels=("rare", "common", "sure"),
        names=("rare", "common", "sure"),
        members=np.vstack([np.eye(3, dtype=bool), np.zeros((1, 3), dtype=bool)]),
        index=np.arange(count),
        final=final,
        likeliest=final,
        llm=final,
        student=final,
        truth=truth,
        confidence=np.ones(count),
        kinds=np.arange(count),
        told=np.zeros(count, dtype=bool),
    )
    assert [
        "rare, right in 50.0 % of 80 rows that have it",
        "common, found in 80.0 % of 200 rows",
    ] == weak_classes(rows)
