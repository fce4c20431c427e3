"""How long to wait before a source is tried again."""

import random

from pipelines.backoff import Backoff
from pipelines.stream.sources.status import LiveOptions

# What only a working server can say, and means.
_DEFINITE = frozenset({"auth_failed", "not_found", "tls_failed", "codec_unsupported"})
_NUM_SURE = 3  # a camera that is starting up answers nonsense once or twice
_NUM_KNOCKS = 3  # refused logins before the pauses grow: cameras lock accounts after five or more


class SourceRetries:
    """Counts a source's failures: how long each pause is, and when the source's refusal is certain."""

    def __init__(self, options: LiveOptions, generator: random.Random) -> None:
        self._options = options
        self._generator = generator
        self._num_failures = 0
        self._num_same = 0
        self._code = ""

    def reset(self) -> None:
        """The source works."""
        self._num_failures = self._num_same = 0

    def note(self, code: str) -> bool:
        """Count a failure; True once the source has said the same definite no several times in a row."""
        self._num_failures += 1
        self._num_same = self._num_same + 1 if code == self._code else 1
        self._code = code
        return code in _DEFINITE and self._num_same >= _NUM_SURE

    def pause_s(self) -> float:
        """Seconds to wait after the last failure: half to all of the doubled pause."""
        options = self._options
        is_locking = self._code == "auth_failed" and self._num_same > _NUM_KNOCKS
        backoff = Backoff(options.backoff_first_s, options.auth_backoff_s if is_locking else options.backoff_max_s)
        return backoff.pause_s(self._num_failures, self._generator)
