"""Our folders as text-embeddings-inference reads them."""

from __future__ import annotations

import json
import shutil

import pytest

from freeal.export.embeddings_inference import faults


def test_a_folder_of_ours_can_be_served(classifier):
    """Architecture, both label maps, tokenizer, and every tensor by name and shape."""
    assert [] == faults(classifier)


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        ({"architectures": ["BertModel"]}, "architectures names no ...Classification"),
        ({"id2label": None}, "id2label is no map"),
        ({"label2id": {"no": 1, "y < es": 0}}, "label2id is not the reverse"),
        ({"model_type": "gpt2"}, "model_type 'gpt2'"),
        ({"hidden_size": 64}, "bert.embeddings.word_embeddings.weight has the shape"),
        ({"num_hidden_layers": 9}, "the tensor bert.encoder.layer.8.attention.self.query.weight is missing"),
        ({"pad_token_id": None}, "pad_token_id is no whole number"),
    ],
)
def test_what_the_server_would_refuse_is_named(classifier, tmp_path, change, fault):
    """Each in a sentence."""
    shutil.copytree(classifier, tmp_path / "changed")
    path = tmp_path / "changed" / "config.json"
    config = json.loads(path.read_text(encoding="utf-8")) | change
    path.write_text(json.dumps(config), encoding="utf-8")
    assert any(fault in one for one in faults(tmp_path / "changed"))


def test_damaged_files_are_named(classifier, tmp_path):
    """No config, no tokenizer."""
    assert "config.json cannot be read" in faults(tmp_path)[0]
    shutil.copytree(classifier, tmp_path / "changed")
    (tmp_path / "changed" / "tokenizer.json").write_text("{", encoding="utf-8")
    assert "tokenizer.json cannot be read" in faults(tmp_path / "changed")[0]
