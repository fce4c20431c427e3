"""Which streams a server takes, keeps and hands over: decided from who is there and who has what."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import pytest
import sqlalchemy as sa

from service.database import now
from service.replicas.leases import Leases
from service.replicas.membership import Alone, Membership
from service.replicas.tables import ReplicaRow
from service.streams.claims import Claims

_CAMERAS = ("a", "b", "c", "d")


@dataclass
class FakeMembership:
    """This server is `us`; `rooms` says the others' ready workers and free slots."""

    rooms: Mapping[str, tuple[int, int]]
    replica_id: str = "us"
    is_alone: bool = False
    gone: set[str] = field(default_factory=set)

    def is_leader(self) -> bool:
        return True

    def require(self, connection: sa.Connection) -> None: ...

    def alive(self, connection: sa.Connection) -> set[str]:
        return {*self.rooms} - self.gone

    def members(self) -> Sequence[ReplicaRow]:
        return [
            ReplicaRow(name, name, "", "key", "s3://x", now(), now(), {"stream_workers": one, "free_stream_slots": two})
            for name, (one, two) in self.rooms.items()
        ]


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def _claims(membership: Membership) -> tuple[Claims, Clock]:
    clock = Clock()
    return Claims(Leases("stream", membership), clock), clock


def test_server_that_is_alone_takes_everything() -> None:
    claims, _ = _claims(Alone())

    assert claims.choose(_CAMERAS, {}, 1000) == list(_CAMERAS)
    assert claims.choose(_CAMERAS, {}, 0) == []


@pytest.mark.parametrize(
    ("them", "expected"),
    [((1, 9), 2), ((3, 9), 1), ((0, 0), 4)],
    ids=["as many workers", "three times as many", "no worker is ready there"],
)
def test_server_takes_its_share(them: tuple[int, int], expected: int) -> None:
    claims, _ = _claims(FakeMembership({"us": (1, 9), "them": them}))

    assert len(claims.choose(_CAMERAS, {}, 9)) == expected


def test_stream_that_nobody_takes_in_time_is_taken_by_whoever_has_room() -> None:
    claims, clock = _claims(FakeMembership({"us": (1, 9), "them": (1, 9)}))
    first = claims.choose(_CAMERAS, {}, 9)
    held = dict.fromkeys(first, "us")

    clock.now_s += 4
    later = claims.choose(_CAMERAS, held, 9)

    assert (len(first), sorted(later)) == (2, list(_CAMERAS))


def test_streams_of_others_are_left_to_them() -> None:
    claims, clock = _claims(FakeMembership({"us": (1, 9), "them": (1, 9)}))
    held = dict.fromkeys(_CAMERAS, "them")

    clock.now_s += 100

    assert claims.choose(_CAMERAS, held, 9) == []


def test_one_stream_at_a_time_goes_to_a_server_that_has_fewer() -> None:
    claims, clock = _claims(FakeMembership({"us": (1, 9), "them": (1, 9)}))
    held = dict.fromkeys(_CAMERAS, "us")
    clock.now_s += 6

    handed = [claims.hand_over(_CAMERAS, held, _CAMERAS) for _ in range(2)]
    chosen = claims.choose(_CAMERAS, held, 9)
    given_up = claims.give_up(_CAMERAS, held, _CAMERAS[:3], 9)

    assert (handed, chosen, given_up) == ([["d"], []], ["a", "b", "c"], ["d"])


def test_nothing_is_handed_over_to_a_server_without_room() -> None:
    claims, clock = _claims(FakeMembership({"us": (1, 9), "them": (1, 0)}))
    clock.now_s += 6

    assert claims.hand_over(_CAMERAS, dict.fromkeys(_CAMERAS, "us"), _CAMERAS) == []


def test_server_without_a_slot_gives_up_what_it_does_not_run() -> None:
    claims, _ = _claims(FakeMembership({"us": (1, 0), "them": (1, 9)}))
    held = dict.fromkeys(_CAMERAS, "us")

    assert claims.give_up(_CAMERAS, held, ("a", "b"), 0) == ["c", "d"]


def test_stream_that_is_gone_is_given_up_once_no_worker_has_it() -> None:
    claims, _ = _claims(Alone())
    held = dict.fromkeys(_CAMERAS, "alone")

    assert claims.give_up(("a", "b"), held, ("c",), 9) == ["d"]
