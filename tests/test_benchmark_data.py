"""The data of the accuracy benchmark: rows as they are drawn, answers as they are damaged, purity as it is counted."""

from __future__ import annotations

import csv
import io
import sys
import tarfile
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "shared"))  # scripts: their folder is their path
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "accuracy"))
sys.path.insert(0, str(Path(__file__).parent / "benchmarks" / "label_kinds"))

import cases
import data_sets
import ordinal_labels
import packaged_sets
import scores
from cells import Cell
from data_sets import DATA_SETS


@pytest.fixture
def data_folder(tmp_path):
    """MR with seven rows: one text twice, one without an answer, the other answers right."""
    folder = tmp_path / "data"
    (folder / "mr").mkdir(parents=True)
    for split in ("train", "test"):
        with (folder / "mr" / f"{split}.csv").open("w", encoding="utf-8", newline="") as stream:
            writer = csv.writer(stream)
            writer.writerow(["text", "label", "gpt35_label", "back_translation"])
            writer.writerows([f"text {number}", "positive", "positive", "again"] for number in range(3))
            writer.writerows([f"text {number}", "negative", "negative", "again"] for number in range(3, 5))
            writer.writerow(["text 5", "positive", "", "again"])
            writer.writerow(["text 0", "positive", "positive", "again"])
    return folder


def _packed(**files):
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            about = tarfile.TarInfo(f"package/{name.replace('__', '.')}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return packed.getvalue()


def test_sets_of_packages_are_read_with_their_labels():
    """Files of archives within archives too; what is neither, retweets and lines about columns are left out."""
    rated = "1\t1.5\tso good\n2\t0.1\ta thing\n3\t-2.0\tso bad\n".encode("latin-1")
    files = dict(packaged_sets._files(_packed(a__txt=b"1", inner__tar__gz=_packed(tweets__txt=rated))))
    assert {"a.txt", "tweets.txt"} == set(files)
    assert [("so good", "positive"), ("so bad", "negative")] == list(packaged_sets._rated(files["tweets.txt"]))
    tab = "Author\tIs retweet\tContent\nclass\td\ts\n\t\t\nA\tFalse\tmine https://x.y z\nB\tTrue\tyours\n"
    assert [("mine  z", "A")] == list(packaged_sets._candidates(tab.encode()))
    hedged = '\ufeff"1","It is."\n"-1","It may be."\n'
    assert [("It is.", "certain"), ("It may be.", "uncertain")] == list(packaged_sets._hedging(hedged.encode()))
    assert set(packaged_sets.SETS) <= set(DATA_SETS)


def test_sets_of_packages_are_cut_in_two_without_a_text_in_both(tmp_path):
    """A third to test on, each text once, spaces joined, no longer than promised."""
    packaged_sets._write(tmp_path / "set", [(f"text  {number % 8} {'x' * 900}", "a") for number in range(16)])
    parts = {}
    for split in ("train", "test"):
        with (tmp_path / "set" / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
            parts[split] = [row["text"] for row in csv.DictReader(stream)]
    assert (6, 2) == (len(parts["train"]), len(parts["test"]))
    assert 8 == len({*parts["train"], *parts["test"]})
    assert {packaged_sets.MOST_CHARACTERS} == {len(text) for text in parts["train"]}


@pytest.mark.parametrize("share", [0.2, 0.3])
def test_damage_changes_the_share_it_says_with_the_bias_it_says(share):
    """Of the valid answers exactly that share changes, the first label's twice as often; invalid ones stay."""
    answers = [*["positive"] * 4000, *["negative"] * 5000, *[None] * 300]
    changed = data_sets.damaged(answers, ("positive", "negative"), share=share, seed=0)
    moves = Counter((a, b) for a, b in zip(answers, changed, strict=True) if a != b)
    assert {("positive", "negative"), ("negative", "positive")} == set(moves)
    assert round(share * 9000) == moves.total()
    rates = moves[("positive", "negative")] / 4000, moves[("negative", "positive")] / 5000
    assert data_sets.BIAS == pytest.approx(rates[0] / rates[1], rel=0.01)


def test_damage_depends_on_its_seed_alone():
    """The same seed damages the same answers, another seed others; a share of nothing changes nothing."""
    answers = ["a", "b", "c"] * 30
    names = ("a", "b", "c")
    assert data_sets.damaged(answers, names, share=0.3, seed=1) == data_sets.damaged(answers, names, share=0.3, seed=1)
    assert data_sets.damaged(answers, names, share=0.3, seed=1) != data_sets.damaged(answers, names, share=0.3, seed=2)
    assert answers == data_sets.damaged(answers, names, share=0.0, seed=1)


def test_damage_that_cannot_be_done_is_refused():
    """A share that would change more answers of a label than there are is an error."""
    with pytest.raises(ValueError, match="cannot be changed"):
        data_sets.damaged(["a", "a", "b", "b"], ("a", "b"), share=1.0, seed=0)


def test_drawn_rows_depend_on_the_seed_and_smaller_draws_are_parts(data_folder):
    """A seed draws the same rows every time; of another seed the order differs."""
    draw = {
        (rows, seed): [
            row["text"] for row in data_sets.draw(DATA_SETS["mr"], data_folder, split="train", rows=rows, seed=seed)
        ]
        for rows in (3, None)
        for seed in (0, 1)
    }
    assert draw[(None, 0)][:3] == draw[(3, 0)]
    assert draw[(None, 0)] != draw[(None, 1)]
    assert sorted(draw[(None, 0)]) == sorted(draw[(None, 1)])


def test_a_case_counts_texts_once_and_keeps_answers_with_their_texts(data_folder, tmp_path):
    """Recorded answers follow their text into the pool; an empty one is no label; truth is there to evaluate."""
    cell = Cell("mr-recorded", "robust", 0, None, None, "recorded", "minilm", None, None)
    case = cases.prepare(cell, data_folder=data_folder, work=tmp_path)
    answer_of = dict(zip(case.pool.texts, case.recorded, strict=True))
    assert {f"text {number}" for number in range(6)} == set(answer_of)
    assert ("positive", "negative", None) == (answer_of["text 0"], answer_of["text 4"], answer_of["text 5"])
    assert 7 == len(case.test_texts) == len(case.test_labels)
    assert pytest.approx(6 / 7, abs=1e-4) == scores.of_pool(case.recorded, case)
    assert 1.0 == scores.of_pool(case.true_labels, case)


def test_purity_is_that_of_the_cleanest_texts_with_a_label(data_folder, tmp_path):
    """Trusted is a label above the threshold; coverage ranks by P(clean), then loss; equal values split nothing."""
    cell = Cell("mr", "freeal", 0, None, None, "smollm2", "minilm", None, None)
    case = cases.prepare(cell, data_folder=data_folder, work=tmp_path)
    wrong = next(index for index, text in enumerate(case.pool.texts) if text == "text 1")
    unlabelled = next(index for index, text in enumerate(case.pool.texts) if text == "text 5")
    labels = list(case.true_labels)
    labels[wrong], labels[unlabelled] = "negative", None
    probability, losses = np.full(6, 0.9), np.zeros(6)
    assert {} == scores.of_clean_set(probability, losses, labels, case)
    probability[wrong] = 0.8
    found = scores.of_clean_set(probability, losses, labels, case)
    assert round(5 / 6, 4) == found["clean_share"]
    assert round(5 / 6, 4) == found["clean_purity"]  # text 0 stands in two rows
    assert 1.0 == found["purity_60"]
    probability[:3], losses[wrong] = 0.95, 9.0
    probability[wrong] = 0.95
    assert 1.0 == scores.of_clean_set(probability, losses, labels, case)["purity_18"]


def test_reviews_are_many_different_and_balanced():
    """600 texts, none twice, as many of each star about each product and in each style."""
    with ordinal_labels.REVIEWS.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, strict=True))
    assert 600 == len({row["text"] for row in rows}) == len(rows)
    kinds = Counter((row["stars"], row["product"], row["style"]) for row in rows)
    assert {5} == set(kinds.values())
    assert 5 * 12 * 2 == len(kinds)


@pytest.mark.parametrize("annotator", ordinal_labels.ANNOTATORS, ids=lambda one: f"{one.errors}")
def test_an_annotator_of_stars_errs_as_it_says(annotator):
    """So many answers are wrong, and of those so many by one star; the same in each call, others for another seed."""
    stars = list(ordinal_labels.STARS) * 2000
    said = ordinal_labels.answers_of(annotator, stars, seed=3)
    steps = np.abs(np.array(said, dtype=int) - np.array(stars, dtype=int))
    assert annotator.errors == pytest.approx((steps > 0).mean(), abs=0.02)
    assert pytest.approx((steps[steps > 0] == 1).mean(), abs=0.02) == ordinal_labels.ONE_OFF
    assert said == ordinal_labels.answers_of(annotator, stars, seed=3)
    assert said != ordinal_labels.answers_of(annotator, stars, seed=4)
