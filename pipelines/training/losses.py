"""Cross-entropy with label smoothing, and what a partial label says."""

import torch
from torch import Tensor
from torch.nn import functional as F


def everyday_loss(logits: Tensor, label: Tensor, not_fall: Tensor, fall_index: int, smoothing: float) -> Tensor:
    """Mean over the batch of cross-entropy where the label is known and -log(1 - P(fall)) where only that is.

    logits: (B, K). label: (B,) int64, negative where unknown. not_fall: (B,) bool; counts where the label is unknown.
    """
    known = label >= 0
    total = logits.new_zeros(())
    if known.any():
        total = total + F.cross_entropy(logits[known], label[known], label_smoothing=smoothing, reduction="sum")
    weak = ~known & not_fall
    if weak.any():
        total = total + not_label_loss(logits[weak], fall_index).sum()
    return total / max(len(logits), 1)


def not_label_loss(logits: Tensor, index: int) -> Tensor:
    """(B,) -log(1 - P(index)), from logits, exact also where P is near 1."""
    others = torch.cat([logits[:, :index], logits[:, index + 1 :]], dim=1)
    return torch.logsumexp(logits, dim=1) - torch.logsumexp(others, dim=1)
