"""Cross-entropy with label smoothing, and what a partial label says."""

import torch
from torch import Tensor
from torch.nn import functional as F


def everyday_loss(logits: Tensor, label: Tensor, denied: Tensor, smoothing: float) -> Tensor:
    """Mean over the batch of cross-entropy where the label is known and -log(1 - P(denied labels)) where only that is.

    logits: (B, K). label: (B,) int64, negative where unknown. denied: (B, K) bool; counts where the label is unknown.
    """
    known = label >= 0
    total = logits.new_zeros(())
    if known.any():
        total = total + F.cross_entropy(logits[known], label[known], label_smoothing=smoothing, reduction="sum")
    weak = ~known & denied.any(dim=1)
    if weak.any():
        total = total + denied_loss(logits[weak], denied[weak]).sum()
    return total / max(len(logits), 1)


def denied_loss(logits: Tensor, denied: Tensor) -> Tensor:
    """(B,) -log(1 - P(denied)), from logits, exact also where that P is near 1.

    denied: (B, K) bool; a row that denies every label says nothing that could be true and counts as infinite.
    """
    others = logits.masked_fill(denied, -torch.inf)
    return torch.logsumexp(logits, dim=1) - torch.logsumexp(others, dim=1)
