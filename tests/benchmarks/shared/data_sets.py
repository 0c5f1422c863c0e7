"""The data sets of the accuracy benchmark, as a user would describe them, and how rows are drawn from them.

Nothing of the data is part of this repository: the folder that holds `<name>/train.csv` and `<name>/test.csv` is named
on the command line, and where it is absent the benchmark says so.
"""

from __future__ import annotations

import csv
import dataclasses
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Literal

LABEL_COLUMN = "label"
BIAS = 2
"""How many times as often a label of the favoured class is changed as one of another."""


@dataclasses.dataclass(frozen=True)
class DataSet:
    """One task. `folder` is where its files are, below the data folder; `annotation_column` of train.csv holds recorded
    answers of a language model (empty: an answer outside of the label set), of which `damage` is the share that is
    changed. `other_columns` stand in the job's CSV for methods whose spec names them. `supervised_as` names the data
    set whose supervised student is also this one's."""

    name: str
    folder: str
    title: str
    description: str
    labels: Mapping[str, str]
    text_columns: tuple[str, ...] = ("text",)
    other_columns: tuple[str, ...] = ()
    annotation_column: str | None = None
    damage: float = 0.0
    supervised_as: str = ""


_MR = DataSet(
    "mr",
    "mr",
    "MR (movie reviews)",
    "Decide whether a movie review is positive or negative.",
    {"positive": "the reviewer likes the movie", "negative": "the reviewer does not like the movie"},
    other_columns=("back_translation",),
)
_RECORDED = dataclasses.replace(
    _MR, name="mr-recorded", title="MR, GPT-3.5's answers as recorded", annotation_column="gpt35_label"
)
_ALL = (
    _MR,
    DataSet(
        "cr",
        "cr",
        "CR (product reviews)",
        "Decide whether a sentence from a product review is positive or negative.",
        {"positive": "the customer is satisfied", "negative": "the customer is not satisfied"},
    ),
    DataSet(
        "agnews",
        "agnews",
        "AG News (topics)",
        "Decide the topic of a news article.",
        {
            "world": "politics and events around the world",
            "sports": "games, athletes and teams",
            "business": "companies, markets and the economy",
            "science and technology": "research, computers and the internet",
        },
        text_columns=("title", "body"),
    ),
    DataSet(
        "trec",
        "trec",
        "TREC (question types)",
        "Decide what a question asks for.",
        {
            "abbreviation": "what an abbreviation stands for",
            "entity": "a thing, animal, product or event",
            "description": "a definition, reason or explanation",
            "human": "a person or a group of people",
            "location": "a place, city or country",
            "number": "a count, date, price or other quantity",
        },
    ),
    _RECORDED,
    *(
        dataclasses.replace(
            _RECORDED,
            name=f"mr-damaged{percent}",
            title=f"MR, GPT-3.5's answers with {percent} % of them changed",
            damage=percent / 100,
            supervised_as=_RECORDED.name,
        )
        for percent in (20, 30)
    ),
)
_SENTIMENT = {"positive": "the writer is pleased", "negative": "the writer is not pleased"}
_PACKAGED = (
    DataSet("tweets", "tweets", "Tweets (sentiment)", "Decide whether a tweet is positive or negative.", _SENTIMENT),
    DataSet(
        "editorials",
        "editorials",
        "Editorials (sentiment)",
        "Decide whether a sentence of an editorial is positive or negative.",
        _SENTIMENT,
    ),
    DataSet(
        "products", "products", "Products (sentiment)", "Decide whether a review is positive or negative.", _SENTIMENT
    ),
    DataSet(
        "french", "french", "French reviews (sentiment)", "Decide whether a review is positive or negative.", _SENTIMENT
    ),
    DataSet(
        "hedging",
        "hedging",
        "Hedging",
        "Decide whether a sentence says that something is uncertain.",
        {"certain": "states a fact", "uncertain": "says that something may be so"},
    ),
    DataSet(
        "candidates",
        "candidates",
        "Candidates (authors)",
        "Decide which candidate wrote a tweet.",
        {"realDonaldTrump": "written by Donald Trump", "HillaryClinton": "written by Hillary Clinton"},
    ),
    DataSet(
        "reuters",
        "reuters",
        "Reuters (topics)",
        "Decide the topic of a news wire.",
        dict.fromkeys(("earn", "acq", "crude", "trade", "money-fx", "interest", "ship", "grain"), ""),
    ),
)
"""Of packaged_sets.py."""
DATA_SETS: Mapping[str, DataSet] = {data_set.name: data_set for data_set in (*_ALL, *_PACKAGED)}


def missing(data_set: DataSet, folder: Path) -> str | None:
    """Why the data set cannot be read from the data folder, or None."""
    for split in ("train", "test"):
        file = folder / data_set.folder / f"{split}.csv"
        if not file.is_file():
            return f"{data_set.name}: {file} is not there; --data-folder names the folder of the data sets"
    return None


def draw(
    data_set: DataSet, folder: Path, *, split: Literal["train", "test"], rows: int | None, seed: int
) -> list[dict[str, str]]:
    """`rows` rows (None: all) of a split in an order that depends on `seed` alone; files may be sorted by label."""
    with (folder / data_set.folder / f"{split}.csv").open(encoding="utf-8", newline="") as stream:
        found = list(csv.DictReader(stream, strict=True))
    random.Random(f"{data_set.folder} {split} {seed}").shuffle(found)
    return found[:rows]


def annotations(data_set: DataSet, rows: Sequence[Mapping[str, str]], *, seed: int) -> list[str | None] | None:
    """The recorded answer of each row, damaged where the data set says so; None where nothing was recorded."""
    if data_set.annotation_column is None:
        return None
    recorded = [row[data_set.annotation_column] or None for row in rows]
    return damaged(recorded, tuple(data_set.labels), share=data_set.damage, seed=seed)


def damaged(answers: Sequence[str | None], labels: Sequence[str], *, share: float, seed: int) -> list[str | None]:
    """`answers` with class-biased errors: `share` of those that are not None are changed, rounded to a whole number.

    Ground truth is not looked at: an answer that was wrong may become right. A changed answer becomes the next of
    `labels`, the last one the first; an answer that is the first label is changed BIAS times as often as another.
    So every class is confused with one other, and one class bleeds more than the rest, which is how language models
    err: of GPT-3.5's wrong answers on MR, three in four are positive reviews called negative. Raises ValueError for a
    share that cannot be reached with that bias.
    """
    changes = changes_per_label(Counter(answer for answer in answers if answer is not None), labels, share=share)
    rng = random.Random(f"damage {seed}")
    result = list(answers)
    for position, label in enumerate(labels):
        holders = [index for index, answer in enumerate(answers) if answer == label]
        for index in rng.sample(holders, changes[label]):
            result[index] = labels[(position + 1) % len(labels)]
    return result


def changes_per_label(counts: Mapping[str, int], labels: Sequence[str], *, share: float) -> dict[str, int]:
    """How many answers of each label are changed, from how many there are."""
    total = round(share * sum(counts.values()))
    weights = [(BIAS if position == 0 else 1) * counts.get(label, 0) for position, label in enumerate(labels)]
    bounds = [0]
    for weight in weights:
        bounds.append(bounds[-1] + weight)
    # Differences of rounded running sums: each is rounded, and together they are exactly the total.
    ends = [round(total * bound / max(1, bounds[-1])) for bound in bounds]
    changes = {label: ends[position + 1] - ends[position] for position, label in enumerate(labels)}
    for label, count in changes.items():
        if count > counts.get(label, 0):
            raise ValueError(f"{count} answers {label!r} cannot be changed, there are {counts.get(label, 0)}")
    return changes
