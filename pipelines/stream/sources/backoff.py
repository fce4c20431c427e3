"""How long to wait before a source is tried again."""

import random

from pipelines.stream.sources.status import LiveOptions

# What a server says on purpose, as against what a dead one cannot say.
_DEFINITE = frozenset({"auth_failed", "not_found", "tls_failed", "codec_unsupported"})
_NUM_SURE = 3  # a camera that is starting up answers nonsense once or twice
_NUM_KNOCKS = 3  # refused logins before the pauses grow: cameras lock accounts after five or more


class Backoff:
    """Growing pauses with jitter: the forty cameras of one dead switch must not all knock at once when it is back."""

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
        longest_s = options.backoff_max_s
        if self._code == "auth_failed" and self._num_same > _NUM_KNOCKS:
            longest_s = options.auth_backoff_s
        pause_s = min(longest_s, options.backoff_first_s * 2.0 ** min(self._num_failures - 1, 16))
        return pause_s * self._generator.uniform(0.5, 1.0)
