"""Whether new texts look like the training texts."""

from __future__ import annotations

import csv
import random
from pathlib import Path

import numpy as np
import pytest

from freeal.errors import CorruptModelError
from freeal.prediction import text_profile as profiles
from freeal.prediction.drift import drift_from_training
from freeal.prediction.predict_csv import predict_csv
from freeal.prediction.summary_counts import Tally

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
real_data = pytest.mark.skipif(not DATA.is_dir(), reason="the data sets are not beside this checkout")


def _texts(data, part="train"):
    with (DATA / data / f"{part}.csv").open(encoding="utf-8", newline="") as stream:
        return [row["text"] for row in csv.DictReader(stream)]


def _profile(texts, *, share=0.5, confidence=0.8):
    full = sum(1 for text in texts if text)
    given = [("yes",) if place >= share * full else ("no",) for place in range(full)]
    return profiles.profile_of_texts(texts, given, np.full(full, confidence), ["no", "yes"])


def _tally(texts, *, yes=0.5, confidence=0.8):
    return _tally_of(profiles.text_vectors(texts), yes=yes, confidence=confidence)


def _tally_of(vectors, *, yes=0.5, confidence=0.8):
    rows = len(vectors)
    return Tally(
        labels=("no", "yes"),
        rows=rows,
        confidence=confidence * rows,
        compared=rows,
        counts=[rows - round(yes * rows), round(yes * rows)],
        vector_sum=[float(value) for value in vectors.sum(axis=0)],
    )


def _sentences(rng, rows, *, words="the film was good bad long short plot actor story and not very a of in"):
    return [" ".join(rng.choices(words.split(), k=rng.randint(5, 20))) for _ in range(rows)]


@real_data
@pytest.mark.parametrize("rows", [50, 1_000])
def test_rows_of_the_same_kind_raise_no_alarm(rows):
    """In fewer than 1 of 20 draws from the half of MR the profile has not seen."""
    texts = _texts("mr")
    rng = random.Random(0)
    rng.shuffle(texts)
    half = len(texts) // 2
    profile, rest = _profile(texts[:half]), profiles.text_vectors(texts[half:])
    drawn = (rest[rng.sample(range(len(rest)), rows)] for _ in range(100))
    alarms = [drift_from_training(_tally_of(vectors), profile)["warnings"] for vectors in drawn]
    assert sum(map(bool, alarms)) < 5


@real_data
@pytest.mark.parametrize(("trained", "given"), [("mr", "trec"), ("trec", "mr"), ("mr", "cr")])
def test_rows_of_another_kind_raise_an_alarm(trained, given):
    """Fifty questions are no movie reviews, nor are fifty product reviews; it is said in plain words."""
    profile = _profile(_texts(trained))
    rng = random.Random(0)
    for _ in range(20):
        note = drift_from_training(_tally(rng.sample(_texts(given), 50)), profile)
        assert "these texts look different from those the model was trained on" in note["warnings"][0]
        assert note["text_distance"]["here"] > note["text_distance"]["threshold"]


def test_other_shares_of_labels_are_remarked_upon():
    """A shift by forty points is; one that chance makes of forty rows is not."""
    rng = random.Random(0)
    profile = _profile(_sentences(rng, 500))
    [warning] = drift_from_training(_tally(_sentences(rng, 300), yes=0.9), profile)["warnings"]
    assert "'yes' has 90% of the rows, it had 50%" in warning or "'no' has 10% of the rows, it had 50%" in warning
    assert [] == drift_from_training(_tally(_sentences(rng, 40), yes=0.6), profile)["warnings"]


def test_a_model_that_is_less_sure_is_remarked_upon():
    """A little less is what new texts always do to it."""
    rng = random.Random(0)
    profile = _profile(_sentences(rng, 500))
    [warning] = drift_from_training(_tally(_sentences(rng, 300), confidence=0.6), profile)["warnings"]
    assert "mean confidence 0.60, it was 0.80" in warning
    assert [] == drift_from_training(_tally(_sentences(rng, 300), confidence=0.7), profile)["warnings"]


def test_a_handful_of_rows_is_not_judged():
    """Nor is anything by a model that says nothing about its training."""
    rng = random.Random(0)
    profile = _profile(_sentences(rng, 500))
    assert "not_judged" in drift_from_training(_tally(_sentences(rng, 10)), profile)
    assert "not_judged" in drift_from_training(_tally(_sentences(rng, 300)), None)


def test_a_profile_reads_back(tmp_path):
    """All of it; a model folder without one has none; a damaged one is named."""
    profile = _profile([*_sentences(random.Random(0), 100), ""])
    assert profiles.read_profile(tmp_path) is None
    profiles.write(tmp_path, profile)
    assert profile == profiles.read_profile(tmp_path)
    assert pytest.approx(1 / 101) == profile.empty_share
    (tmp_path / profiles.FILE_NAME).write_text('{"format": 1, "center": []}')
    with pytest.raises(CorruptModelError, match=r"training_profile\.json"):
        profiles.read_profile(tmp_path)


def test_one_text_many_times_can_be_profiled():
    """No spread at all is no division by zero."""
    note = drift_from_training(_tally(["same"] * 50), _profile(["same"] * 100))
    assert [] == note["warnings"]


def test_long_tables_are_compared_by_evenly_spread_rows(classifier, table, job, tmp_path):
    """The summary's note speaks of about as many rows as are compared at most, the first thousands not preferred."""
    rng = random.Random(0)
    classifier.profile = _profile(_sentences(rng, 500))
    texts = _sentences(rng, 9_000) + ["zzz qqq"] * 1_000
    summary = predict_csv(job(table(texts), chunk_rows=5_000), classifier=classifier)
    assert 1_950 <= summary["drift"]["compared_rows"] <= 2_050
    assert summary["drift"]["text_distance"]["here"] > 0
