"""A fusion of action models: each judges the same windows, and the weighted mean of their probabilities counts."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Self

from models.arrays import FloatArray
from models.errors import ContractMismatch
from models.runtime.action import ActionModel, Network, log_mean, softmax
from models.runtime.contract import ActionContract
from models.runtime.preprocess import People
from models.runtime.session import Session, sessions_of

_SHARED: Mapping[str, str] = MappingProxyType({"layout": "", "window_s": " s", "rate_hz": " Hz"})
"""What else the members must agree on, with its unit: they judge the same joints of the same seconds."""


class FusedModel(ActionModel):
    """Several models as one; temperature belongs to each member, the unknown rule to the whole.

    members: in the order of `contract.members`. Raises ContractMismatch where they are not alike.
    """

    def __init__(self, contract: ActionContract, members: Sequence[ActionModel]) -> None:
        require_alike([contract, *(member.contract for member in members)])
        if any(member.contract.is_continual for member in members):
            raise ContractMismatch(f"{contract.name}: a continual network has no window to share with others")
        self.contract = contract
        self._members = tuple(members)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """What its members run on."""
        return sessions_of(*self._members)

    def over(self, wrap: Callable[[Network], Network]) -> Self:
        """The same fusion with something between each member and its network."""
        return type(self)(self.contract, [member.over(wrap) for member in self._members])

    @property
    def wants_pictures(self) -> bool:
        """Whether any member looks at pictures."""
        return any(member.wants_pictures for member in self._members)

    @property
    def num_pictures(self) -> int:
        """Pictures of a window that the most curious member looks at."""
        return max(member.num_pictures for member in self._members)

    def scaled_logits(self, people: People) -> FloatArray:
        """(B, K) logarithms of the members' weighted mean."""
        answers = [softmax(member.scaled_logits(people)) for member in self._members]
        return log_mean(answers, [member.weight for member in self.contract.members])


def require_alike(contracts: Sequence[ActionContract]) -> None:
    """Raise ContractMismatch, which says what differs, unless one chain of stages can feed all of them."""
    first = contracts[0]
    for other in contracts[1:]:
        if other.labels != first.labels:
            raise ContractMismatch(f"{other.name} and {first.name} cannot be fused: {_difference(first, other)}")
        for field, unit in _SHARED.items():
            ours, theirs = getattr(first, field), getattr(other, field)
            if ours != theirs:
                raise ContractMismatch(
                    f"{other.name} and {first.name} cannot be fused: {field} {theirs}{unit} and {ours}{unit} differ"
                )


def _difference(first: ActionContract, other: ActionContract) -> str:
    """How two lists of labels differ."""
    lacking = [label for label in first.labels if label not in other.labels]
    added = [label for label in other.labels if label not in first.labels]
    if not lacking and not added:
        return "the same labels in another order"
    parts = [(first.name, lacking), (other.name, added)]
    return "labels only in " + "; only in ".join(f"{name}: {_shown(labels)}" for name, labels in parts if labels)


def _shown(labels: Sequence[str]) -> str:
    text = ", ".join(labels[:5])
    return text if len(labels) <= 5 else f"{text} and {len(labels) - 5} more"
