"""The terms of the robust loss, in numbers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from torch.nn import functional

from freeal.student.training import losses


def test_consistency_of_agreeing_views():
    """Two sure views that agree cost nothing, and no pair of views costs less than nothing."""
    sure = torch.tensor([[20.0, 0.0], [0.0, 20.0]])
    assert pytest.approx(0.0, abs=1e-6) == losses.consistency(sure, sure).item()
    rng = np.random.default_rng(0)
    for _ in range(20):
        one, two = torch.from_numpy(rng.normal(size=(2, 5, 3))).float()
        assert losses.consistency(one, two).item() >= 0


def test_consistency_by_hand():
    """The value is the mean of both divergences from targets sharpened by the temperature."""
    one, two = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 0.5]])
    expected = 0.0
    for target, logits in ((one, two), (two, one)):
        p = functional.softmax(target / 0.85, dim=1)[0]
        q = functional.softmax(logits, dim=1)[0]
        expected += sum(float(a) * math.log(float(a) / float(b)) for a, b in zip(p, q, strict=True)) / 2
    assert pytest.approx(expected, rel=1e-5) == losses.consistency(one, two).item()
    assert pytest.approx(expected, rel=1e-5) == losses.consistency(two, one).item()


def test_targets_get_no_gradient():
    """Each view learns from the other as a fixed target: the gradient is that of the two cross entropies alone."""
    one = torch.tensor([[1.0, 0.0, -1.0]], requires_grad=True)
    two = torch.tensor([[0.0, 0.5, 0.0]])
    losses.consistency(one, two).backward()
    target = functional.softmax(two / 0.85, dim=1)
    np.testing.assert_allclose(one.grad, (functional.softmax(one.detach(), dim=1) - target) / 2, atol=1e-6)


def test_mixup_of_one_label_is_its_cross_entropy():
    """Equal texts mix into themselves: whatever lambda and partner, the loss is the plain one."""
    features = torch.ones(4, 3)
    targets = torch.tensor([[0.0, 1.0]] * 4)
    head = torch.nn.Linear(3, 2)
    plain = functional.cross_entropy(head(features), targets)
    mixed = losses.mixup_loss(features, targets, head=head, rng=np.random.default_rng(0))
    assert pytest.approx(plain.item(), rel=1e-6) == mixed.item()


@pytest.mark.parametrize("seed", range(8))
def test_mixup_by_hand(seed):
    """The loss is that of the replayed lambda >= 1/2 and permutation."""
    features, targets = torch.eye(3), torch.eye(3)
    mixed = losses.mixup_loss(features, targets, head=lambda x: x * 4, rng=np.random.default_rng(seed))
    rng = np.random.default_rng(seed)
    share = float(rng.beta(4.0, 4.0))
    share = max(share, 1 - share)
    partner = rng.permutation(3)
    logits = 4 * (share * np.eye(3) + (1 - share) * np.eye(3)[partner])
    loss = np.log(np.exp(logits).sum(axis=1, keepdims=True)) - logits
    expected = np.mean([share * loss[i, i] + (1 - share) * loss[i, partner[i]] for i in range(3)])
    assert 0.5 <= share
    assert pytest.approx(expected, rel=1e-5) == mixed.item()


def test_second_view_hides_about_a_tenth():
    """Padding stays hidden, the first token stays visible, and of the others about a tenth is hidden."""
    mask = torch.ones(200, 50, dtype=torch.long)
    mask[:, 40:] = 0
    view = losses.drop_tokens(mask, np.random.default_rng(0))
    assert mask.dtype == view.dtype
    assert 0 == view[:, 40:].sum()
    assert view[:, 0].all()
    assert pytest.approx(0.9, abs=0.01) == view[:, 1:40].float().mean().item()
