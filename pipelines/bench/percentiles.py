"""The percentiles by which waiting is told."""

from collections.abc import Sequence

SHARES = (50, 95, 99)


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """`p50`, `p95` and `p99` of the values, each one of them; None where there are none."""
    ordered = sorted(values)
    if not ordered:
        return {f"p{share}": None for share in SHARES}
    return {f"p{share}": ordered[min(len(ordered) - 1, len(ordered) * share // 100)] for share in SHARES}
