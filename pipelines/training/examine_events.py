"""Whole videos, event by event: what the serving stages say of prepared tracks, held against what is seen."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field

import numpy as np

from models.runtime.action import ActionModel
from pipelines.stream.config import PipelineConfig
from pipelines.training.datasets import Annotation
from pipelines.training.examine_truth import ALWAYS, LATE_S, ClipTruth, Expected
from pipelines.training.metrics import confidence_error
from pipelines.training.replay import Replay, TimedEvent, replay, times_of
from pipelines.training.segments import on_side

_ALARMS = ("warning", "alarm")
_JUDGED = ("assessed", "none", "unknown")
NOTHING = "(nothing)"


@dataclass(frozen=True, slots=True)
class ClipResult:
    """What was said of one video. All values are plain, so that a result can be kept and read again.

    found:   of each thing that is seen: its action, whether it was said in time, and the delay in seconds.
    right, false: action → confirmed events. false_severity: severity → those of `false`.
    said:    label of what is seen by the one who acts → confirmed actions of that person, or `(nothing)`.
    sure:    (probability of the strongest label, whether it is right) of windows whose label is certain.
    """

    clip: str
    track_s: float
    flips: int
    found: list[tuple[str, bool, float | None]] = field(default_factory=list)
    right: dict[str, int] = field(default_factory=dict)
    false: dict[str, int] = field(default_factory=dict)
    false_severity: dict[str, int] = field(default_factory=dict)
    said: dict[str, list[str]] = field(default_factory=dict)
    sure: list[tuple[float, bool]] = field(default_factory=list)
    statuses: dict[str, int] = field(default_factory=dict)


def examine_clip(clip: str, tracks: Sequence[Annotation], truth: ClipTruth, model: ActionModel) -> ClipResult:
    """Every track of a video through the stages that serve."""
    replays = {track.name: replay(track, model, PipelineConfig()) for track in tracks}
    confirmed = {name: _confirmed(item) for name, item in replays.items()}
    acting = _acting(tracks, truth)
    right: Counter[str] = Counter()
    false: Counter[str] = Counter()
    severities: Counter[str] = Counter()
    for name, events in confirmed.items():
        for item in events:
            if _is_true(item, name, tracks, truth):
                right[item.event.action] += 1
            elif item.event.action not in (truth.allowed if name in acting else ALWAYS & truth.allowed):
                false[item.event.action] += 1
                severities[model.contract.actions[item.event.action].severity] += 1
    return ClipResult(
        clip, round(sum(float(np.ptp(times_of(track))) for track in tracks), 3),
        sum(item.flips for item in replays.values()),
        [_found(wanted, confirmed, tracks) for wanted in truth.expected],
        dict(right), dict(false), dict(severities), _said(truth, confirmed, acting),
        _sure(truth, replays, acting, model), dict(_statuses(replays.values())),
    )  # fmt: skip


def _confirmed(item: Replay) -> list[TimedEvent]:
    """The moments at which an event was confirmed, first mention only."""
    first: dict[str, TimedEvent] = {}
    for timed in item.events:
        if timed.event.state in ("confirmed", "ended"):
            first.setdefault(timed.event.event_id, timed)
    return list(first.values())


def _acting(tracks: Sequence[Annotation], truth: ClipTruth) -> set[str]:
    """Names of the tracks that the clip is about."""
    return {track.name for track in (tracks if truth.side is None else on_side(list(tracks), truth.side))}


def _whom(wanted: Expected, tracks: Sequence[Annotation]) -> set[str]:
    return {track.name for track in (tracks if wanted.side is None else on_side(list(tracks), wanted.side))}


def _is_in_time(item: TimedEvent, wanted: Expected) -> bool:
    return item.event.action in wanted.actions and wanted.from_s <= item.at_s <= wanted.to_s + LATE_S


def _is_true(item: TimedEvent, track: str, tracks: Sequence[Annotation], truth: ClipTruth) -> bool:
    return any(_is_in_time(item, wanted) and track in _whom(wanted, tracks) for wanted in truth.expected)


def _found(
    wanted: Expected, confirmed: Mapping[str, Sequence[TimedEvent]], tracks: Sequence[Annotation]
) -> tuple[str, bool, float | None]:
    mine = [item for name in _whom(wanted, tracks) for item in confirmed[name] if _is_in_time(item, wanted)]
    began_s = wanted.from_s if wanted.ground_s is None else wanted.ground_s
    delay = round(min(item.at_s for item in mine) - began_s, 3) if mine else None
    return "/".join(wanted.actions), bool(mine), delay


def _said(
    truth: ClipTruth, confirmed: Mapping[str, Sequence[TimedEvent]], acting: Iterable[str]
) -> dict[str, list[str]]:
    actions = sorted({item.event.action for name in acting for item in confirmed[name]})
    return {"/".join(wanted.actions): actions or [NOTHING] for wanted in truth.expected}


def _sure(
    truth: ClipTruth, replays: Mapping[str, Replay], acting: Iterable[str], model: ActionModel
) -> list[tuple[float, bool]]:
    """Windows of a clip that shows one thing all along, or as long as it shows it."""
    plain = [item for item in truth.expected if len(item.actions) == 1 and item.ground_s is None]
    if len(plain) != len(truth.expected) or truth.side is not None:
        return []
    found = []
    for name in acting:
        for window in replays[name].scores:
            inside = [
                item for item in plain
                if item.from_s + model.contract.window_s <= window.time_s <= item.to_s and item.actions[0] != "fall"
            ]  # fmt: skip
            if len(inside) == 1 and len(plain) == 1 and window.status in _JUDGED:
                best = int(window.probabilities.argmax())
                found.append((round(float(window.probabilities[best]), 4), model.labels[best] in inside[0].actions))
    return found


def _statuses(replays: Iterable[Replay]) -> Counter[str]:
    return Counter(item.status for one in replays for item in one.scores if item.status in _JUDGED)


def summary(results: Sequence[ClipResult]) -> dict[str, object]:
    """All clips together, as JSON values: per action precision, recall and time to confirm; alarms, flips, doubt."""
    hours = sum(item.track_s for item in results) / 3600
    false, severities = _total(item.false for item in results), _total(item.false_severity for item in results)
    sure = [pair for item in results for pair in item.sure]
    statuses = _total(item.statuses for item in results)
    return {
        "clips": len(results),
        "track_s": round(hours * 3600),
        "actions": _actions(results, false),
        "false_events_per_hour": _per(false.total(), hours),
        "false_alarms_per_hour": _per(sum(severities[name] for name in _ALARMS), hours),
        "falls_invented": false["fall"],
        "flips_per_minute": _per(sum(item.flips for item in results), hours * 60),
        "unknown_share": round(statuses["unknown"] / max(statuses.total(), 1), 3),
        "windows_sure_of": len(sure),
        "ece": _rounded(confidence_error(
            np.array([pair[0] for pair in sure], np.float32), np.array([pair[1] for pair in sure], np.bool_)
        )),
        "said": _said_table(results),
    }  # fmt: skip


def _actions(results: Sequence[ClipResult], false: Counter[str]) -> dict[str, dict[str, object]]:
    right = _total(item.right for item in results)
    found: dict[str, list[tuple[bool, float | None]]] = defaultdict(list)
    for item in results:
        for action, is_found, delay in item.found:
            found[action].append((is_found, delay))
    rows: dict[str, dict[str, object]] = {}
    for action in sorted({*found, *right, *false}):
        delays = sorted(delay for _, delay in found[action] if delay is not None)
        confirmed = right[action] + false[action]
        rows[action] = {
            "seen": len(found[action]),
            "found": sum(is_found for is_found, _ in found[action]),
            "right_events": right[action],
            "false_events": false[action],
            "precision": round(right[action] / confirmed, 3) if confirmed else None,
            "recall": round(len(delays) / len(found[action]), 3) if found[action] else None,
            "confirm_s": [delays[0], round(float(np.median(delays)), 2), delays[-1]] if delays else None,
        }
    return rows


def _said_table(results: Sequence[ClipResult]) -> dict[str, dict[str, int]]:
    """Seen → confirmed action → clips in which it was said of the one who acts."""
    table: dict[str, Counter[str]] = defaultdict(Counter)
    for item in results:
        for seen, actions in item.said.items():
            table[seen].update(actions)
    return {seen: dict(counts.most_common()) for seen, counts in sorted(table.items())}


def _total(counts: Iterable[Mapping[str, int]]) -> Counter[str]:
    total: Counter[str] = Counter()
    for one in counts:
        total.update(one)
    return total


def _per(count: int, amount: float) -> float | None:
    return round(count / amount, 2) if amount else None


def _rounded(value: float) -> float | None:
    return None if value != value else round(value, 3)  # NaN


def as_json(result: ClipResult) -> dict[str, object]:
    """A result as JSON values."""
    return asdict(result)
