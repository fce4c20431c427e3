"""A detector with a pose estimator, as tasks name them: what a worker opens, and what the admission counts."""

from typing import TypeAlias

from service.protocol.stream_config import Analysis

Pair: TypeAlias = tuple[str | None, str | None]
"""Names of a detector and of a pose estimator; None leaves that one open."""


def pair_of(analysis: Analysis) -> Pair:
    """The pair that a stream names."""
    return analysis.detector, analysis.pose


def is_default(pair: Pair, default: Pair) -> bool:
    """Whether a pair names nothing but the default networks."""
    return all(name in (None, usual) for name, usual in zip(pair, default, strict=True))


def told(pair: Pair) -> str:
    """A pair in words."""
    return " with ".join(name for name in pair if name is not None) or "the default"
