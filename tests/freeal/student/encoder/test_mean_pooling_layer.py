"""The appended layer computes the mean of the tokens, in an ordinary checkpoint."""

from __future__ import annotations

import numpy as np
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

from freeal.student.encoder.mean_pooling_layer import SQUASH, append_mean_layer

SMALL = {"vocab_size": 50, "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 4, "intermediate_size": 48}


@pytest.mark.parametrize(
    ("model_class", "config_class"),
    [(BertForSequenceClassification, BertConfig), (RobertaForSequenceClassification, RobertaConfig)],
)
def test_features_are_the_normalised_mean(model_class, config_class):
    """What the head sees is, up to SQUASH and a small error, the layer-normalised mean over the tokens with mask 1."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = model_class(config_class(**SMALL)).eval()
    ids = torch.tensor([[2, 7, 8, 9, 10, 11], [2, 12, 13, 1, 1, 1]])
    mask = torch.tensor([[1, 1, 1, 1, 1, 1], [1, 1, 1, 0, 0, 0]])
    with torch.inference_mode():
        hidden = model.base_model(input_ids=ids, attention_mask=mask).last_hidden_state
    expected = torch.nn.functional.layer_norm(
        (hidden * mask[..., None]).sum(1) / mask.sum(1, keepdim=True), [hidden.shape[-1]]
    )
    assert append_mean_layer(model)
    seen = []
    head = model.classifier if model_class is BertForSequenceClassification else model.classifier.out_proj
    head.register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    with torch.inference_mode():
        model(input_ids=ids, attention_mask=mask)
    cosine = torch.nn.functional.cosine_similarity(seen[0] / SQUASH, expected)
    assert cosine.min() > 0.98
    assert 3 == model.config.num_hidden_layers == len(model.base_model.encoder.layer)


def test_unknown_shapes_are_left_alone():
    """An architecture without a known place for the layer keeps its weights, layer by layer."""
    model = DistilBertForSequenceClassification(
        DistilBertConfig(vocab_size=50, dim=32, n_layers=1, n_heads=4, hidden_dim=48)
    )
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    assert not append_mean_layer(model)
    for name, tensor in model.state_dict().items():
        np.testing.assert_array_equal(before[name], tensor)
