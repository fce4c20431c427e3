"""How urgent an action is: the one scale that models, streams, rules and clients use."""

from typing import Literal, get_args

Severity = Literal["info", "warning", "alarm"]

_ORDER: tuple[Severity, ...] = get_args(Severity)


def is_at_least(severity: Severity, least: Severity) -> bool:
    """Whether something is as urgent as `least`, or more so."""
    return _ORDER.index(severity) >= _ORDER.index(least)
