"""Small rounds to judge, decide and write; whole loops on scripted language models; a tiny encoder."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from freeal.annotation.annotator import Annotator
from freeal.evaluation.metrics import Evaluation
from freeal.events import ignore
from freeal.llm.store.answer_store import MemoryStore
from freeal.loop.freeal_loop import Loop
from freeal.loop.round_state import RoundState
from freeal.loop.round_store import RoundStore
from freeal.money.budget_ledger import Ledger
from freeal.pool.text_pool import Pool
from freeal.settings import LoopSettings, Price
from freeal.testing.tiny_encoder import tiny_encoder
from freeal.testing.tiny_student import TinyTrainer
from freeal.types import Annotation, Label, Status, Task


def _annotation(index: int, label: str | None, round_number: int) -> Annotation:
    status = Status.OK if label else Status.INVALID_ANSWER
    return Annotation(index, label, 0.9 if label else 0.0, (status,), round_number)


def _posterior(llm: Sequence[str | None], clean: Sequence[float], proba: Sequence[Sequence[float]]) -> np.ndarray:
    """P(clean) to the LLM's label ("no" is the first), the rest to what the student says."""
    shares = np.array([0.0 if label is None else share for label, share in zip(llm, clean, strict=True)])
    said = np.array([label == "yes" for label in llm], dtype=int)
    return np.asarray(shares[:, None] * np.eye(2)[said] + (1.0 - shares[:, None]) * np.array(proba), dtype=np.float32)


@pytest.fixture
def make_round() -> Callable[..., RoundState]:
    """A finished round from the LLM's labels, P(clean) and the student's probabilities, one entry per pool text."""

    def make(
        llm: Sequence[str | None],
        clean: Sequence[float],
        proba: Sequence[Sequence[float]],
        *,
        number: int = 1,
        agreement: float = 0.9,
    ) -> RoundState:
        notes = tuple(_annotation(index, label, number) for index, label in enumerate(llm))
        return RoundState(
            round=number,
            asked=notes,
            annotations=notes,
            demonstrations=(),
            representatives=(),
            held_out=np.log(np.maximum(np.array(proba, dtype=np.float32), 1e-6)),
            posterior=_posterior(llm, clean, proba),
            clean_probability=np.array(clean, dtype=np.float32),
            proba=np.array(proba, dtype=np.float32),
            embeddings=np.eye(len(llm), dtype=np.float32),
            losses=np.zeros(len(llm), dtype=np.float32),
            metrics={"round": number, "agreement": agreement},
        )

    return make


@pytest.fixture(scope="session")
def encoder_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A random two-layer BERT."""
    return tiny_encoder(tmp_path_factory.mktemp("encoder"))


@pytest.fixture(scope="session")
def still(encoder_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny encoder without dropout: the one thing that each process draws for itself."""
    folder = shutil.copytree(encoder_folder, tmp_path_factory.mktemp("still") / "encoder")
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    config |= {"hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0}
    (folder / "config.json").write_text(json.dumps(config), encoding="utf-8")
    return folder


@pytest.fixture
def open_loop(tmp_path: Path) -> Callable[..., Loop]:
    """A loop over texts with a model of its own; the parts not named are small, fresh and free of charge."""

    def opened(
        texts,
        model,
        *,
        labels=("happy", "angry"),
        truth=None,
        paraphrases=None,
        trainer=None,
        settings=None,
        store=None,
        folder="rounds",
        emit=ignore,
        annotator=Annotator,
        free=False,
        budget_usd=None,
        form="plain",
        description="Is the customer happy?",
    ):
        rows = tuple(range(len(texts)))
        pool = Pool(tuple(texts), rows, rows, ("text",), truth and tuple(truth), 0, paraphrases)
        cost = 0.0 if free else 1.0
        price = Price(input=cost, output=cost, cached_input=cost)
        ledger = Ledger(price, budget_usd, model="script-1")
        return Loop(
            task=Task(description, tuple(label if isinstance(label, Label) else Label(label) for label in labels)),
            pool=pool,
            annotator=annotator(model, MemoryStore() if store is None else store, ledger, emit, form=form),
            trainer=trainer or TinyTrainer(),
            settings=settings or LoopSettings(iterations=2, shots=4),
            store=RoundStore(tmp_path / folder, question="q"),
            evaluation=Evaluation.of(pool),
            seed=0,
            emit=emit,
        )

    return opened
