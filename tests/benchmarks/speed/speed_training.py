"""Training a student beside `transformers.Trainer` with its defaults and setfit's default recipe: rows/s, accuracy."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import statistics
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import data_sets
import numpy as np
import plain_trainer
import speed_timing
from speed_timing import Way

from freeal.settings import StudentSettings
from freeal.student.encoder import locate_encoder
from freeal.student.labelled_texts import LabelledTexts
from freeal.student.trainer_factory import make_trainer
from freeal.text.row_text import row_text

TRAINER, SETFIT = "`transformers.Trainer`, defaults", "setfit, default recipe"
PLAIN, ROBUST = "FreeAL, plain", "FreeAL, robust"
_SETTINGS = {
    PLAIN: {"clean_split": "none", "mixup": False},
    ROBUST: {"clean_split": "mixture", "mixup": True},
}
_WARM_UP_ROWS = 16
SETFIT_ROWS = 32
"""setfit's recipe takes all pairs of rows, so it is meant for few: it is timed on these, its accuracy is of them."""

Rows = tuple[list[str], np.ndarray]


def rows_of(data: str, folder: Path, *, split: str, rows: int, seed: int) -> Rows:
    """Texts and label ids of a data set."""
    data_set = data_sets.DATA_SETS[data]
    names, columns = tuple(data_set.labels), data_set.text_columns
    drawn = data_sets.draw(data_set, folder, split=split, rows=rows, seed=seed)
    texts = [row_text(columns, [row[name] for name in columns]) for row in drawn]
    return texts, np.array([names.index(row[data_sets.LABEL_COLUMN]) for row in drawn])


def measure(
    data: str, folder: Path, *, rows: int, test_rows: int, epochs: int, seeds: Sequence[int]
) -> tuple[dict[str, Way], dict[str, float]]:
    """Every way once per seed; results are test accuracies. And the share of the matrix peak of each way of ours."""
    names = tuple(data_sets.DATA_SETS[data].labels)
    test = rows_of(data, folder, split="test", rows=test_rows, seed=0)
    drawn = {seed: rows_of(data, folder, split="train", rows=rows, seed=seed) for seed in seeds}
    accuracy: dict[str, list[float]] = {}

    def judged(way: str, train: Callable[..., Callable[[list[str]], np.ndarray]]) -> Callable[[int], object]:
        """Training is timed; what it gives is tested afterwards."""
        return lambda seed: (way, train(drawn[seed], names=names, epochs=epochs, seed=seed))

    ways = {TRAINER: judged(TRAINER, _trainer), PLAIN: judged(PLAIN, _ours), ROBUST: judged(ROBUST, _robust)}
    if importlib.util.find_spec("setfit") is not None:
        ways[SETFIT] = judged(SETFIT, _setfit)
    for train in (_trainer, _ours, _robust):  # what is imported and loaded late is not training
        train((test[0][:_WARM_UP_ROWS], test[1][:_WARM_UP_ROWS]), names=names, epochs=1, seed=0)
    peaks = speed_timing.matrix_peak()
    found = speed_timing.in_turn(ways, seeds)
    for name, way in found.items():
        accuracy[name] = [float((predict(test[0]) == test[1]).mean()) for _, predict in way.results]
        way.results = list(accuracy[name])
    operations = _operations(drawn[seeds[0]][0], epochs=epochs)
    shares = {name: operations / found[name].processor / 1e9 / max(peaks.values()) for name in (PLAIN, ROBUST)}
    return found, shares


def table(found: dict[str, Way], shares: dict[str, float], *, rows: int, epochs: int) -> str:
    """Markdown: a line per way."""
    lines = [
        "| way | rows/s of a processor | times the Trainer | test accuracy | share of the matrix peak |",
        "| --- | ---: | ---: | ---: | ---: |",
    ]
    for name, way in found.items():
        done = SETFIT_ROWS if name == SETFIT else rows * epochs
        times = done / way.processor / (rows * epochs / found[TRAINER].processor)
        accuracies = [float(one) for one in way.results]
        spread = f" ± {100 * statistics.stdev(accuracies):.1f}" if len(accuracies) > 1 else ""
        share = f"{100 * shares[name]:.0f} %" if name in shares else ""
        lines.append(
            f"| {name} | {done / way.processor:.1f} | {times:.2f} "
            f"| {100 * statistics.mean(accuracies):.1f}{spread} | {share} |"
        )
    return "\n".join(lines)


def _operations(texts: list[str], *, epochs: int) -> float:
    """Floating point operations of training on `texts`: six per weight of the layers and token (forward, backward)."""
    from transformers import AutoModel, AutoTokenizer

    folder = _folder()
    model, tokenizer = AutoModel.from_pretrained(folder), AutoTokenizer.from_pretrained(folder)
    weights = sum(weight.numel() for weight in model.encoder.parameters())
    tokens = sum(map(len, tokenizer(texts, truncation=True, max_length=plain_trainer.MAX_LENGTH).input_ids))
    return 6.0 * weights * tokens * epochs


def _folder() -> Path:
    return locate_encoder.resolve_weights(locate_encoder.PACKAGED).folder


def _ours(
    rows: Rows, *, names: Sequence[str], epochs: int, seed: int, way: str = PLAIN
) -> Callable[[list[str]], np.ndarray]:
    settings = StudentSettings(model="minilm", mode="finetune", epochs=epochs, device="cpu", **_SETTINGS[way])
    texts, ids = rows
    trainer = make_trainer(settings, texts=len(texts))
    fitted = trainer.fit(LabelledTexts(texts, ids.tolist()), labels=names, seed=seed, on_step=lambda *_: None)
    return lambda others: np.asarray(fitted.student.predict_proba(others).argmax(axis=1))


def _robust(rows: Rows, *, names: Sequence[str], epochs: int, seed: int) -> Callable[[list[str]], np.ndarray]:
    return _ours(rows, names=names, epochs=epochs, seed=seed, way=ROBUST)


def _trainer(rows: Rows, *, names: Sequence[str], epochs: int, seed: int) -> Callable[[list[str]], np.ndarray]:
    return plain_trainer.train(_folder(), *rows, labels=len(names), seed=seed, epochs=epochs)


def _setfit(rows: Rows, *, names: Sequence[str], epochs: int, seed: int) -> Callable[[list[str]], np.ndarray]:
    import datasets
    import setfit

    del names, epochs
    texts, ids = rows[0][:SETFIT_ROWS], rows[1][:SETFIT_ROWS].tolist()
    model = setfit.SetFitModel.from_pretrained(str(_folder()))
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stdout(io.StringIO()):
        arguments = setfit.TrainingArguments(output_dir=folder, seed=seed, report_to="none", show_progress_bar=False)
        train = datasets.Dataset.from_dict({"text": texts, "label": ids})
        setfit.Trainer(model=model, args=arguments, train_dataset=train).train()
    return lambda others: np.asarray(model.predict(others))
