"""The outside yardstick: plain `transformers.Trainer`, its defaults, an encoder's folder. Nothing of ours is in it."""

from __future__ import annotations

import contextlib
import io
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

BATCH, MAX_LENGTH, RATE, EPOCHS = 32, 128, 5e-5, 3
"""Rate and epochs are the Trainer's own defaults; its batch of 8 would be slower here and no better."""
_SCORED_AT_ONCE = 64


def train(
    folder: Path, texts: Sequence[str], label_ids: Sequence[int], *, labels: int, seed: int, epochs: int = EPOCHS
) -> Callable[[Sequence[str]], np.ndarray]:
    """A classifier over `labels` taught the labels as they are; what comes back says the label ids int [n] of texts."""
    import torch
    from transformers import (
        AutoModelForSequenceClassification,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        logging,
    )

    logging.set_verbosity_error()
    torch.manual_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder, num_labels=labels)
    data: Any = [
        {**tokenizer(text, truncation=True, max_length=MAX_LENGTH), "labels": int(label)}
        for text, label in zip(texts, label_ids, strict=True)
    ]
    with tempfile.TemporaryDirectory() as output:
        arguments = TrainingArguments(
            output_dir=output, num_train_epochs=epochs, per_device_train_batch_size=BATCH, seed=seed, use_cpu=True,
            learning_rate=RATE, save_strategy="no", logging_strategy="no", report_to=[], disable_tqdm=True,
        )  # fmt: skip
        with contextlib.redirect_stdout(io.StringIO()):
            Trainer(model, arguments, train_dataset=data, data_collator=DataCollatorWithPadding(tokenizer)).train()

    def predict(others: Sequence[str]) -> np.ndarray:
        model.eval()
        found: list[int] = []
        with torch.inference_mode():
            for start in range(0, len(others), _SCORED_AT_ONCE):
                batch = tokenizer(
                    list(others[start : start + _SCORED_AT_ONCE]),
                    truncation=True,
                    max_length=MAX_LENGTH,
                    padding=True,
                    return_tensors="pt",
                )
                found += model(**batch).logits.argmax(1).tolist()
        return np.array(found)

    return predict
