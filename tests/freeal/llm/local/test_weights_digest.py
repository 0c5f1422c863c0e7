"""freeal/llm/local/weights_digest.py."""

from __future__ import annotations

import json
import os

import pytest

from freeal.llm.local.weights_digest import folder_digest, weights_digest


def test_the_digest_sees_every_byte(tmp_path):
    """Files that differ at either end, in length, or in a single byte in the middle have different digests."""
    content = bytearray(3 << 20)
    middle = bytes(content[: 1 << 20]) + b"x" + bytes(content[(1 << 20) + 1 :])
    versions = [bytes(content), bytes(content) + b"\0", b"x" + content[1:], bytes(content[:-1]) + b"x", middle]
    digests = set()
    for number, version in enumerate(versions):
        file = tmp_path / f"weights-{number}"
        file.write_bytes(version)
        digests.add(weights_digest(file, cache=tmp_path / "cache"))
    assert len(versions) == len(digests)


def test_other_weights_of_the_same_size_and_time_are_other_weights(tmp_path):
    """Overwritten in place with the old time put back, as a copy with `cp -p` does: the digest is another."""
    file, cache = tmp_path / "model.safetensors", tmp_path / "cache"
    file.write_bytes(b"a" * 100)
    before, digest = file.stat(), weights_digest(file, cache=cache)
    file.write_bytes(b"b" * 100)
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert digest != weights_digest(file, cache=cache)


def test_a_file_is_read_once(tmp_path):
    """The second time its digest comes from the cache folder; a damaged or unwritable memory costs time alone."""
    file, cache = tmp_path / "model.safetensors", tmp_path / "cache"
    file.write_bytes(b"weights")
    digest = weights_digest(file, cache=cache)
    [memory] = cache.iterdir()
    [identity] = json.loads(memory.read_text())
    memory.write_text(json.dumps({identity: "remembered"}))
    assert "remembered" == weights_digest(file, cache=cache)
    memory.write_text("{")
    assert digest == weights_digest(file, cache=cache)
    assert digest == weights_digest(file, cache=file / "no folder")


@pytest.mark.parametrize("name", ["model-00002-of-00002.safetensors", "config.json", "tokenizer.json", "merges.txt"])
def test_a_folder_is_all_that_changes_an_answer(tmp_path, name):
    """Another shard, configuration or tokenizer is another model; a note beside it is not."""
    for one in ("model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", "config.json"):
        (tmp_path / one).write_bytes(b"{}")
    before = folder_digest(tmp_path, cache=tmp_path / "cache")
    (tmp_path / "README.md").write_text("a note")
    assert before == folder_digest(tmp_path, cache=tmp_path / "cache")
    (tmp_path / name).write_bytes(b"{ }")
    assert before != folder_digest(tmp_path, cache=tmp_path / "cache")
