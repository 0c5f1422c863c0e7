"""A tiny causal language model for tests: real code paths, two layers, random weights, nothing fetched."""

from __future__ import annotations

from pathlib import Path

_TEXT = """Classify the film. Input: a good film, warm and funny. Output: positive
Input: a bad film, slow and dull. Output: negative. Input: it is neither good nor bad. Output: neither good nor bad"""


def tiny_causal(folder: Path) -> Path:
    """Write a random Llama (2 layers, 64 dimensions) with a byte-level BPE trained on a few words into `folder`, and
    return `folder`. It serves as `llm.model` of the local provider, and is the same every time."""
    import torch
    from tokenizers import ByteLevelBPETokenizer
    from transformers import LlamaConfig, LlamaForCausalLM, PreTrainedTokenizerFast

    from freeal.compute.quiet_transformers import quiet_transformers

    trained = ByteLevelBPETokenizer()
    trained.train_from_iterator([_TEXT] * 4, vocab_size=330, special_tokens=["<s>", "</s>"], show_progress=False)
    ends = {"bos_token": "<s>", "eos_token": "</s>"}
    PreTrainedTokenizerFast(tokenizer_object=trained._tokenizer, **ends).save_pretrained(folder)
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
    with torch.random.fork_rng(devices=[]), quiet_transformers():
        torch.manual_seed(0)
        LlamaForCausalLM(config).save_pretrained(folder)
    return folder
