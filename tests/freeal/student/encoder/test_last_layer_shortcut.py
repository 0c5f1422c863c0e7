"""The shortened last layer gives what the whole one gives."""

from __future__ import annotations

import copy

import pytest
import torch
from transformers import (
    BertConfig,
    BertForSequenceClassification,
    DistilBertConfig,
    DistilBertForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from freeal.student.encoder.last_layer_shortcut import shorten_last_layer

SIZES = {
    "vocab_size": 50, "hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32,
    "max_position_embeddings": 32, "hidden_dropout_prob": 0.0, "attention_probs_dropout_prob": 0.0,
}  # fmt: skip


@pytest.mark.parametrize(
    "whole",
    [BertForSequenceClassification(BertConfig(**SIZES)), RobertaForSequenceClassification(RobertaConfig(**SIZES))],
    ids=["bert", "roberta"],
)
@pytest.mark.parametrize("padded", [False, True])
def test_logits_and_gradients_are_those_of_the_whole_layer(whole, padded):
    """Of a batch with and without padding, for the architectures that are shortened."""
    torch.manual_seed(0)
    whole = copy.deepcopy(whole)
    short = copy.deepcopy(whole)
    assert shorten_last_layer(short)
    ids, mask = torch.randint(3, 50, (3, 7)), torch.ones(3, 7, dtype=torch.int64)
    if padded:
        mask[1, 4:] = 0
    for model in (whole, short):
        model.train()
        model(input_ids=ids, attention_mask=mask).logits.square().sum().backward()
    expected, found = (dict(model.named_parameters()) for model in (whole, short))
    with torch.no_grad():
        torch.testing.assert_close(
            whole(input_ids=ids, attention_mask=mask).logits, short(input_ids=ids, attention_mask=mask).logits
        )
    for name, weight in expected.items():
        if weight.grad is not None:
            torch.testing.assert_close(weight.grad, found[name].grad, atol=1e-5, rtol=1e-4, msg=name)


def test_a_shortened_model_is_saved_as_the_whole_one(tmp_path):
    """Whoever loads what was saved gets all layers, for all tokens."""
    model = BertForSequenceClassification(BertConfig(**SIZES))
    names = set(model.state_dict())
    shorten_last_layer(model)
    model.save_pretrained(tmp_path)
    loaded = BertForSequenceClassification.from_pretrained(tmp_path).eval()
    assert names == set(loaded.state_dict())
    assert (1, 5, 16) == tuple(loaded.bert(torch.ones(1, 5, dtype=torch.int64)).last_hidden_state.shape)


def test_another_architecture_stays_as_it_is():
    """DistilBERT's layers are named otherwise: it is computed whole."""
    config = DistilBertConfig(vocab_size=50, dim=16, n_layers=1, n_heads=2, hidden_dim=32)
    assert not shorten_last_layer(DistilBertForSequenceClassification(config))
