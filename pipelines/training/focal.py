"""Losses that pick their samples: focal, soft-margin focal, and the sum over branches.

Sources: Lin et al.: Focal Loss for Dense Object Detection, ICCV 2017; Hu, Cui, Yu: Skeleton-Based Action Recognition
with Synchronous Local and Non-local Spatio-temporal Learning and Frequency Attention, ICME 2019 (seed 004).
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional as F


def focal_loss(logits: Tensor, label: Tensor, gamma: float = 2.0) -> Tensor:
    """(B,) -(1 - p)^gamma log p of the true class: easy samples count little; gamma 0 is cross-entropy.

    logits: (B, K). label: (B,) int64.
    """
    log_p = F.log_softmax(logits, dim=1).gather(1, label[:, None])[:, 0]
    return -((1 - log_p.exp()) ** gamma) * log_p


def soft_margin(logits: Tensor, label: Tensor, margin: float = 0.4) -> Tensor:
    """(B,) log(e^m + (1 - e^m) p) of the true class: what a margin m on its logit would add to cross-entropy."""
    p = F.softmax(logits, dim=1).gather(1, label[:, None])[:, 0]
    return torch.log(math.exp(margin) + (1 - math.exp(margin)) * p)


def soft_margin_focal_loss(logits: Tensor, label: Tensor, gamma: float = 2.0, margin: float = 0.4) -> Tensor:
    """(B,) soft margin plus focal loss; gamma 0 is cross-entropy with the margin taken off the true logit."""
    return soft_margin(logits, label, margin) + focal_loss(logits, label, gamma)


def pseudo_multi_task_loss(
    branches: Sequence[Tensor], label: Tensor, gamma: float = 2.0, margin: float = 0.4
) -> Tensor:
    """Mean over the batch of the sum of each branch's own soft-margin focal loss: all learn the one task apart."""
    losses = [soft_margin_focal_loss(logits, label, gamma, margin).mean() for logits in branches]
    return torch.stack(losses).sum()
