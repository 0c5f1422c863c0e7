"""A tiny causal language model for tests: a real GGUF file of one layer, random weights, written in milliseconds."""

from __future__ import annotations

from pathlib import Path

import numpy as np

_WIDTH, _HEADS, _INNER = 64, 2, 128


def tiny_language_model(path: Path, *, context: int = 128, seed: int = 0) -> Path:
    """Write a Llama with a byte-level vocabulary into the GGUF file `path`, and return it.

    It reads `context` tokens, nearly one per character. What it answers means nothing, but is the same for the same
    seed. Needs the package gguf (the extra `local`).
    """
    import gguf

    tokens = ["<unk>", "<s>", "</s>", *(chr(code) for code in range(33, 127)), "Ġ", "ab"]
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(context)
    writer.add_embedding_length(_WIDTH)
    writer.add_block_count(1)
    writer.add_feed_forward_length(_INNER)
    writer.add_head_count(_HEADS)
    writer.add_head_count_kv(_HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(_WIDTH // _HEADS)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    rng = np.random.default_rng(seed)
    for name, shape in _tensor_shapes(len(tokens)).items():
        writer.add_tensor(name, rng.normal(0, 0.1, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def _tensor_shapes(vocabulary: int) -> dict[str, tuple[int, ...]]:
    layer = {"attn_q": (_WIDTH, _WIDTH), "attn_k": (_WIDTH, _WIDTH), "attn_v": (_WIDTH, _WIDTH)}
    layer |= {"attn_output": (_WIDTH, _WIDTH), "ffn_gate": (_INNER, _WIDTH), "ffn_up": (_INNER, _WIDTH)}
    norms: dict[str, tuple[int, ...]] = {"attn_norm": (_WIDTH,), "ffn_norm": (_WIDTH,)}
    shapes: dict[str, tuple[int, ...]] = {
        f"blk.0.{name}.weight": shape for name, shape in (layer | {"ffn_down": (_WIDTH, _INNER)} | norms).items()
    }
    return shapes | {"token_embd.weight": (vocabulary, _WIDTH), "output_norm.weight": (_WIDTH,)}
