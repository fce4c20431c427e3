"""A wrapper for serving: person slots without a person cost nothing, and the logits stay the same.

The networks average over all slots, also over empty ones, as the reference does (SLnL-rFA takes their maximum); what
an empty slot adds depends on the network, the slot and the number of frames alone, so it is computed once and stored.
"""

import torch
from torch import Tensor, nn

from models.nets.layers import PeopleNetwork


class SkipEmptySlots(nn.Module):
    """Run `network` on present people only: (B, M, T, V, C) to (B, K), equal to the network's own answer.

    num_frames: the T for which empty slots are free. At any other T, and when nobody at all is present, one empty
    person per slot is computed for the whole batch. For evaluation only: in training, batch norm would see other
    statistics.
    """

    def __init__(self, network: PeopleNetwork, num_frames: int) -> None:
        super().__init__()
        self.network = network.eval()
        self.num_frames = num_frames
        self.num_slots = max(1, network.num_slots)
        # Of the network's own kind: half precision or another device as well.
        nobody = next(network.parameters()).new_zeros(1, self.num_slots, num_frames, *network.person_shape)
        self.empty: Tensor
        with torch.no_grad():
            self.register_buffer("empty", network.describe(network.normalise(nobody)))

    def forward(self, x: Tensor) -> Tensor:
        """(B, M, T, V, C) joints to (B, K) logits."""
        B, M, T, _, _ = x.shape
        present = (x != 0).flatten(2).any(dim=2).flatten()
        # A comparison of tensors: a Python one would fix T in the exported graph.
        is_other_length = torch.scalar_tensor(T, device=x.device) != self.num_frames
        needs_empty = (is_other_length | ~present.any()).expand(self.num_slots)
        index = torch.nonzero(torch.cat([present, needs_empty]))[:, 0]
        # Never nobody: an empty batch is more than convolutions, or the exporter, can take.
        torch._check(index.shape[0] > 0)  # type: ignore[no-untyped-call]
        nobody = torch.zeros_like(x[:1, : self.num_slots])
        people = torch.cat([self.network.normalise(x), self.network.normalise(nobody)])
        rows = torch.cat([self._spread(self.empty, B, M), self.empty])
        # Under autocast the network describes people in half precision; what is stored of empty slots is in full.
        rows = rows.index_put((index,), self.network.describe(people[index]).type_as(rows))
        filled = torch.where(present[:, None], rows[: B * M], self._spread(rows[B * M :], B, M))
        return self.network.classify(filled.reshape(B, M, -1))

    def _spread(self, slots: Tensor, B: int, M: int) -> Tensor:
        """One row per slot, or one for any slot, to one per person."""
        return slots.expand(B * M, -1) if self.num_slots == 1 else slots.repeat(B, 1)
