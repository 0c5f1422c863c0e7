"""Runs that take a moment: a scripted language model, a student of hashed words, folders of their own."""

from __future__ import annotations

import pytest

import freeal
from freeal.testing.scripted_model import ScriptedModel, text_of
from freeal.testing.tiny_student import TinyTrainer


@pytest.fixture
def spec():
    """What is asked, in two rounds at most."""
    return {"description": "Is it good?", "labels": {"yes": "it is good", "no": "it is not"}, "iterations": 2}


@pytest.fixture
def model():
    """Says yes to what has `good` in it."""
    return ScriptedModel(lambda prompt: "yes" if "good" in text_of(prompt.specific) else "no")


@pytest.fixture
def start(tmp_path, monkeypatch, model, spec):
    """`freeal.run` with those, into a folder of its own; answers are kept below tmp_path."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)

    def started(data, other=None, **given):
        return freeal.run(data, spec if other is None else other, **({"llm": model, "student": TinyTrainer()} | given))

    return started
