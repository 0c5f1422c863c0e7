"""What the tests of the language model edge share."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from freeal.annotation.prompts import label_prompt
from freeal.llm.credentials import ApiKey
from freeal.llm.limits.retry import PauseGate, Retry
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


_TINY_TEXT = """Classify the film. Input: a good film, warm and funny. Output: positive
Input: a bad film, slow and dull. Output: negative. Input: it is neither good nor bad. Output: neither good nor bad"""


@pytest.fixture(scope="session")
def tiny_causal(tmp_path_factory) -> Path:
    """A Hugging Face folder: a random Llama of two layers with a byte-level BPE trained on a few words."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    folder = tmp_path_factory.mktemp("models") / "tiny-causal"
    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([_TINY_TEXT] * 4, vocab_size=330, special_tokens=["<s>", "</s>"], show_progress=False)
    PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, bos_token="<s>", eos_token="</s>").save_pretrained(
        folder
    )
    config = LlamaConfig(
        vocab_size=trained.get_vocab_size(),
        hidden_size=64,
        intermediate_size=128,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=256,
        bos_token_id=0,
        eos_token_id=1,
        initializer_range=0.3,  # the default gives a network that hardly looks at its context
    )
    with torch.random.fork_rng():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
