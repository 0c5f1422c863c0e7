"""Layers that are computed twice keep less and change nothing."""

from __future__ import annotations

import torch
from transformers import BertConfig, BertForSequenceClassification

from freeal.compute import device
from freeal.student.encoder import activation_memory, encoder
from freeal.student.encoder.locate_encoder import resolve_weights

LAYERS = 4


def _gradients(tokens: int) -> tuple[dict[str, torch.Tensor], int]:
    """Of one step with dropout over a batch that is said to have so many tokens, and the bytes kept for it."""
    torch.manual_seed(0)
    config = BertConfig(
        vocab_size=50, hidden_size=16, num_hidden_layers=LAYERS, num_attention_heads=2, intermediate_size=32
    )
    model = BertForSequenceClassification(config).train()
    activation_memory.bound_activation_memory(activation_memory.bounded_layers(model), tokens=tokens)
    kept: dict[int, int] = {}

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        kept[tensor.data_ptr()] = tensor.numel() * tensor.element_size()
        return tensor

    torch.manual_seed(1)
    ids = torch.arange(3, 43).reshape(4, 10)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        loss = model(input_ids=ids, labels=torch.tensor([0, 1, 0, 1])).loss
    held = sum(kept.values())
    loss.backward()
    after = torch.rand(1)  # chance goes on as if nothing had been computed twice
    found = {name: weight.grad for name, weight in model.named_parameters() if weight.grad is not None}
    return found | {"chance": after}, held


def test_gradients_are_the_same_to_the_last_bit_and_less_is_kept():
    """Dropout included; the more tokens, the less is kept of them."""
    whole, most = _gradients(activation_memory.KEPT_TOKENS)
    half, less = _gradients(2 * activation_memory.KEPT_TOKENS)
    none, least = _gradients(LAYERS * activation_memory.KEPT_TOKENS + 1)
    for found in (half, none):
        assert whole.keys() == found.keys()
        assert all(torch.equal(whole[name], found[name]) for name in whole)
    assert most > less > least


def test_all_layers_of_a_short_batch_are_kept():
    """What fits costs nothing more."""
    layers = [torch.nn.Identity() for _ in range(LAYERS)]
    assert 0 == activation_memory.bound_activation_memory(layers, tokens=activation_memory.KEPT_TOKENS)
    assert LAYERS // 2 == activation_memory.bound_activation_memory(layers, tokens=2 * activation_memory.KEPT_TOKENS)
    assert LAYERS == activation_memory.bound_activation_memory(layers, tokens=1_000_000)
    assert all(layer.gradient_checkpointing for layer in layers)


def test_an_encoder_on_the_cpu_is_bounded_anew_for_each_batch(settings):
    """A long batch leaves nothing behind for a short one."""
    compute = device.choose(settings)
    one = encoder.load_encoder(
        resolve_weights(settings.model), labels=("good", "bad"), max_length=32, compute=compute, seed=0
    )
    one.model.train()
    long, short = torch.ones(300, 20, dtype=torch.int64), torch.ones(2, 4, dtype=torch.int64)
    for ids, expected in ((long, True), (short, False)):
        one.forward(ids, torch.ones_like(ids))
        assert expected == activation_memory.bounded_layers(one.model)[0].gradient_checkpointing
