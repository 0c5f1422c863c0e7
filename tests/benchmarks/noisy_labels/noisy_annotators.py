"""Annotators that are wrong in known ways, made from true labels; and answers of models as they were recorded."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from data_sets import DATA_SETS, LABEL_COLUMN, DataSet, draw

KINDS = ("random", "biased", "text")
"""`random`: any text, any other label. `biased`: a text of the first label three times as often as another, each label
taken for the next. `text`: the likelier, the less a bag-of-words model that knows the truth believes it; and for the
label which that model finds likeliest."""
RECORDED = ("gpt-3.5", "gemma", "llama", "mistral", "qwen", "yi")
_RECORDED_LABELS = {"numeric": "number"}
"""Where the recorded answers call a label otherwise."""
_BIAS = 3.0


def made(kind: str, truth: np.ndarray, beliefs: np.ndarray, *, error: float, labels: int, seed: int) -> np.ndarray:
    """Label ids int [n], the share `error` of them wrong; `beliefs` float [n, labels] are those of the other model."""
    rng = np.random.default_rng([seed, round(1000 * error), KINDS.index(kind)])
    own = np.arange(len(truth)), truth
    others = beliefs.copy()
    others[own] = -1.0
    weights = {
        "random": np.ones(len(truth)),
        "biased": np.where(truth == 0, _BIAS, 1.0),
        "text": np.maximum(1.0 - beliefs[own], 1e-6),
    }[kind]
    instead = {
        "random": (truth + rng.integers(1, labels, len(truth))) % labels,
        "biased": (truth + 1) % labels,
        "text": others.argmax(axis=1),
    }[kind]
    # the first to come of exponential clocks: drawn without replacement, in proportion to the weights
    wrong = np.argsort(rng.exponential(size=len(truth)) / weights, kind="stable")[: round(error * len(truth))]
    answers = truth.copy()
    answers[wrong] = instead[wrong]
    return answers


def bag_of_words_beliefs(texts: Sequence[str], truth: np.ndarray) -> np.ndarray:
    """P(label) [n, labels] by a bag-of-words model of the true labels that has not seen the text's own."""
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.model_selection import StratifiedKFold, cross_val_predict

    words = TfidfVectorizer(sublinear_tf=True).fit_transform(texts)
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    return np.asarray(
        cross_val_predict(LogisticRegression(max_iter=300), words, truth, cv=folds, method="predict_proba")
    )


def text_of(row: Mapping[str, str], data_set: DataSet) -> str:
    """A row's text columns as one."""
    return "\n".join(row[name] for name in data_set.text_columns)


def recorded(name: str, folder: Path, *, rows: int, seed: int) -> tuple[DataSet, list[str], np.ndarray, np.ndarray]:
    """Data set, texts, true label ids and a model's recorded answers (-1 where it gave none of the labels)."""
    data_set = DATA_SETS["mr" if name == "gpt-3.5" else "trec"]
    names = list(data_set.labels)
    if name == "gpt-3.5":
        found, column = draw(data_set, folder, split="train", rows=rows, seed=seed), "gpt35_label"
    else:
        with (folder / "trec_llms" / "train.csv").open(encoding="utf-8", newline="") as stream:
            everything = list(csv.DictReader(stream, strict=True))
        order = np.random.default_rng(seed).permutation(len(everything))[:rows]
        found, column = [everything[place] for place in order], f"{name}_label"

    def ids(which: str) -> np.ndarray:
        said = (_RECORDED_LABELS.get(row[which], row[which]) for row in found)
        return np.array([names.index(label) if label in names else -1 for label in said])

    return data_set, [text_of(row, data_set) for row in found], ids(LABEL_COLUMN), ids(column)
