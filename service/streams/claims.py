"""Which streams this server takes, keeps and hands over where several servers share them."""

from collections.abc import Callable, Collection, Mapping, Sequence

from service.replicas.leases import Leases

_PATIENCE_S = 3.0
"""How long a stream waits for the server whose turn it is; then any server with a free slot takes it."""
_HAND_OVER_S = 5.0
"""Between two streams that are handed over: each stands still for a moment."""


class Claims:
    """Remembers how long streams have waited; used by the dispatcher's thread alone.

    clock: monotonic seconds.
    """

    def __init__(self, leases: Leases, clock: Callable[[], float]) -> None:
        self._leases = leases
        self._clock = clock
        self._waiting_s: dict[str, float] = {}
        self._leaving: set[str] = set()
        self._handed_s = clock()

    def choose(self, wanted: Sequence[str], held: Mapping[str, str], num_free: int) -> list[str]:
        """The streams to place here now, as far as there are slots: this server's own and its share of the others'."""
        if num_free <= 0:
            return []
        if not self._leases.is_shared:
            return list(wanted)
        own = [stream_id for stream_id in wanted if held.get(stream_id) == self._leases.replica_id]
        free = [stream_id for stream_id in wanted if stream_id not in held]
        now_s = self._clock()
        self._waiting_s = {stream_id: self._waiting_s.get(stream_id, now_s) for stream_id in free}
        num_more = self._leases.share(len(wanted)) - len(own)
        overdue = [stream_id for stream_id in free if now_s - self._waiting_s[stream_id] > _PATIENCE_S]
        chosen = [*free[: max(0, num_more)], *overdue]
        return [stream_id for stream_id in (*own, *dict.fromkeys(chosen)) if stream_id not in self._leaving]

    def give_up(
        self, wanted: Collection[str], held: Mapping[str, str], placed: Collection[str], num_free: int
    ) -> list[str]:
        """What this server has and runs no more: removed, switched off, handed over, or without a slot here."""
        mine = [one for one, holder in held.items() if holder == self._leases.replica_id and one not in placed]
        is_full = num_free <= 0 and self._leases.is_shared
        gone = [one for one in mine if one not in wanted or one in self._leaving or is_full]
        self._leaving -= set(gone)
        return gone

    def hand_over(self, wanted: Sequence[str], held: Mapping[str, str], placed: Collection[str]) -> list[str]:
        """At most one stream of those beyond this server's share, while another one has fewer than its own."""
        mine = [one for one in wanted if held.get(one) == self._leases.replica_id and one in placed]
        is_due = self._clock() - self._handed_s >= _HAND_OVER_S
        if not self._leases.is_shared or not is_due or len(mine) <= self._leases.share(len(wanted)):
            return []
        if not self._leases.has_room_elsewhere(len(wanted), held):
            return []
        self._handed_s = self._clock()
        self._leaving.add(mine[-1])
        return mine[-1:]
