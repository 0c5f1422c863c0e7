"""What the tests of the language model edge share."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from freeal.annotation.prompts import label_prompt
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.pause_gate import PauseGate
from freeal.llm.limits.retry import Retry
from freeal.testing.tiny_causal import tiny_causal as tiny_causal_model
from freeal.types import Label, Prompt, Task


class FakeTime:
    """A clock that only sleeping moves; `slept` lists how long."""

    def __init__(self):
        self.now = 0.0
        self.slept = []

    async def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


@pytest.fixture
def time():
    """A clock that only sleeping moves."""
    return FakeTime()


@pytest.fixture
def retry(time):
    """Three tries; waiting takes no time."""
    gate = PauseGate(clock=lambda: time.now, sleep=time.sleep)
    return Retry(3, gate=gate, sleep=time.sleep, rng=random.Random(0))


@pytest.fixture
def task():
    """Two labels."""
    return Task("Say whether the review is positive or negative.", (Label("positive"), Label("negative")))


@pytest.fixture
def prompt(task) -> Prompt:
    """One row of the task."""
    return label_prompt(task, "a good film", style="chat")


@pytest.fixture
def key():
    """A key like a real one."""
    return ApiKey("sk-ant-test", "a test")


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory) -> Path:
    """A Hugging Face folder: a random Llama of two layers with a byte-level BPE trained on a few words."""
    return tiny_causal_model(tmp_path_factory.mktemp("models") / "tiny-causal")
