"""The terms of the robust loss (FreeAL section 3.3). All take logits, float32 [batch, labels]."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional

CONSISTENCY_TEMPERATURE = 0.85
MIXUP_ALPHA = 4.0
TOKEN_DROPOUT = 0.1


def consistency(first: torch.Tensor, second: torch.Tensor) -> torch.Tensor:
    """Symmetric Kullback-Leibler divergence of two views, each the other's fixed, slightly sharpened target."""
    return (_divergence(first, second) + _divergence(second, first)) / 2


def _divergence(target: torch.Tensor, logits: torch.Tensor) -> torch.Tensor:
    sharp = functional.softmax(target.detach() / CONSISTENCY_TEMPERATURE, dim=1)
    return functional.kl_div(functional.log_softmax(logits, dim=1), sharp, reduction="batchmean")


def mixup_loss(
    features: torch.Tensor,
    targets: torch.Tensor,
    *,
    head: Callable[[torch.Tensor], torch.Tensor],
    rng: np.random.Generator,
) -> torch.Tensor:
    """Cross entropy of mixed features against equally mixed targets.

    `features` [batch, d] are the encoder's output, `targets` [batch, labels] probabilities of the labels; one lambda ~
    Beta(4, 4) per batch, max(lambda, 1 - lambda), so that each text stays nearer to itself than to its partner.
    """
    share = float(rng.beta(MIXUP_ALPHA, MIXUP_ALPHA))
    share = max(share, 1.0 - share)
    partner = torch.from_numpy(rng.permutation(len(features))).to(features.device)
    logits = head(share * features + (1.0 - share) * features[partner])
    return functional.cross_entropy(logits, share * targets + (1.0 - share) * targets[partner])


def drop_tokens(mask: torch.Tensor, rng: np.random.Generator) -> torch.Tensor:
    """The attention mask of a second view: each token but the first is hidden with probability TOKEN_DROPOUT.

    Hidden, not replaced: it needs no mask token, so every encoder can do it, and both views fit into one batch.
    """
    kept = torch.from_numpy(rng.random(tuple(mask.shape)) >= TOKEN_DROPOUT).to(mask.device)
    kept[:, 0] = True
    return mask * kept
