"""The text of a message, made once for all clients that are told the same."""

from collections import OrderedDict

from service.envelope import Envelope
from service.event_log import Message

_KEPT_MAX = 64


class MessageTexts:
    """Remembers the last few texts; used in the event loop alone."""

    def __init__(self) -> None:
        # The message is kept beside its text, so that no other one can take over its identity.
        self._kept: OrderedDict[tuple[int, int], tuple[Message, str]] = OrderedDict()

    def of(self, message: Message, seq: int) -> str:
        """The message as JSON, under the number of the last stored message that its client knows."""
        key = (id(message), seq)
        if key not in self._kept:
            self._kept[key] = (message, Envelope.of(message, seq).model_dump_json())
            if len(self._kept) > _KEPT_MAX:
                self._kept.popitem(last=False)
        return self._kept[key][1]
