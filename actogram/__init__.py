"""Who does what, when: the library's one name.

>>> import actogram
>>> found = actogram.analyze("clip.mp4")                     # doctest: +SKIP
>>> for person in found.people:                              # doctest: +SKIP
...     print(person.track_id, [(one.action, one.start_s, one.end_s) for one in person.actions])

`analyze` reads a whole video, `watch` follows a camera, `actogram.client.Client` speaks with a running server. Networks
are fetched at the first use and kept, as for the command of the same name; its settings (`ACTOGRAM_...`) hold here too.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from actogram.analysis import Analysis, Skeleton, analyze
    from actogram.loading import Choice
    from actogram.watching import Moment, PersonNow, Watch, watch
    from pipelines.results import ActionSpan, PersonTimeline
    from pipelines.types import Event

_PLACES = {
    "Analysis": "actogram.analysis", "Skeleton": "actogram.analysis", "analyze": "actogram.analysis",
    "Choice": "actogram.loading",
    "Moment": "actogram.watching", "PersonNow": "actogram.watching", "Watch": "actogram.watching",
    "watch": "actogram.watching", "ActionSpan": "pipelines.results", "PersonTimeline": "pipelines.results",
    "Event": "pipelines.types",
}  # fmt: skip

__all__ = [
    "ActionSpan", "Analysis", "Choice", "Event", "Moment", "PersonNow", "PersonTimeline", "Skeleton", "Watch",
    "analyze", "watch",
]  # fmt: skip


def __getattr__(name: str) -> object:
    """Names are looked up when they are used: the client alone needs no network library."""
    from importlib import import_module

    if name not in _PLACES:
        raise AttributeError(f"module 'actogram' has no attribute {name!r}")
    return getattr(import_module(_PLACES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
