"""What is told of a stream's state: its source's own, and `degraded` while too few pictures are analysed."""

import re

import pytest

from pipelines.stream.sources.health import SourceHealth
from pipelines.stream.sources.status import SourceFault, SourceStatus, StreamState

Told = tuple[str, str | None]


class Bench:
    """A condition, its clock, and a source that the test plays."""

    def __init__(self, asked_hz: float = 15.0) -> None:
        self.now_s = 1000.0
        self.told: list[Told] = []
        self.texts: list[str | None] = []
        self.condition = SourceHealth(asked_hz, self._tell, lambda: self.now_s)
        self._since_s = 0.0
        self._state: StreamState = "connecting"

    def show(self, state: StreamState, fault: SourceFault | None = None, fps_in: float = 0.0) -> None:
        """The source says its state."""
        if state != self._state:
            self._state, self._since_s = state, self.now_s
        self.condition.on_source(SourceStatus(state, self._since_s, fault, fps_in, frame_age_s=2.0))

    def play(self, seconds: float, fps_in: float, analysed_hz: float) -> None:
        """Pictures come and are analysed at steady rates; the worker looks once a second."""
        for tick in range(round(seconds * 60)):
            self.now_s += 1 / 60
            if int((tick + 1) * analysed_hz / 60) > int(tick * analysed_hz / 60):
                self.condition.on_frame()
            if tick % 60 == 59:
                self.show("running", fps_in=fps_in)

    def _tell(self, state: str, code: str | None, message: str | None) -> None:
        self.told.append((state, code))
        self.texts.append(message)


@pytest.mark.parametrize(
    ("asked_hz", "fps_in", "analysed_hz", "expected"),
    [
        (15, 25, 15, ("running", None)), (15, 25, 8, ("running", None)), (15, 25, 6, ("degraded", "overloaded")),
        (15, 25, 0.4, ("degraded", "overloaded")), (8, 25, 4.2, ("degraded", "overloaded")),
        (15, 6, 6, ("running", None)), (15, 5, 5, ("running", None)), (15, 2, 2, ("degraded", "low_fps")),
        (2, 25, 2, ("degraded", "low_fps")), (60, 60, 40, ("running", None)),
        (60, 60, 25, ("degraded", "overloaded")),
    ],
)  # fmt: skip
def test_state_follows_how_many_pictures_are_analysed(
    asked_hz: float, fps_in: float, analysed_hz: float, expected: Told
) -> None:
    bench = Bench(asked_hz)

    bench.play(20, fps_in, analysed_hz)

    assert bench.told[-1] == expected
    assert len(bench.told) <= 2


def test_short_trouble_is_not_told() -> None:
    bench = Bench()

    bench.play(30, 25, 15)
    bench.play(6, 25, 0)
    bench.play(30, 25, 15)

    assert bench.told == [("running", None)]


def test_stream_at_the_limit_does_not_turn_to_and_fro() -> None:
    bench = Bench()

    bench.play(30, 25, 7)
    for _ in range(10):
        bench.play(10, 25, 8.5)
        bench.play(10, 25, 7)

    assert bench.told == [("running", None), ("degraded", "overloaded")]


def test_stream_recovers_some_seconds_after_its_rate() -> None:
    bench = Bench()

    bench.play(30, 25, 3)
    bench.play(4, 25, 15)
    early = bench.told[-1]
    bench.play(12, 25, 15)

    assert early == ("degraded", "overloaded")
    assert bench.told[-1] == ("running", None)
    assert re.fullmatch(r"[23]\.\d of 15\.0 pictures a second are analysed: .+", bench.texts[-2] or "")


def test_first_seconds_of_a_stream_are_no_trouble() -> None:
    bench = Bench()

    for _ in range(5):
        bench.play(7, 25, 15)
        bench.show("reconnecting", SourceFault("timeout", "nothing came"))

    assert set(bench.told) == {("running", None), ("reconnecting", "timeout")}


def test_source_that_shows_nothing_is_degraded_for_that_reason() -> None:
    bench = Bench()
    bench.play(30, 25, 0.4)

    bench.show("degraded")
    bench.show("degraded")
    bench.play(2, 25, 15)

    assert bench.told[-2:] == [("degraded", "no_picture"), ("running", None)]
    assert bench.texts[-2] == "connected, and no picture for 2.0 s"


def test_faults_are_told_once_and_again_when_they_change() -> None:
    bench = Bench()
    refused, unknown = SourceFault("connection_failed", "refused"), SourceFault("not_found", "404")

    for fault in (None, refused, refused, unknown):
        bench.show("connecting", fault)
    bench.show("failed", unknown)

    assert bench.told == [("connecting", "connection_failed"), ("connecting", "not_found"), ("failed", "not_found")]


def test_reading_that_was_overtaken_is_passed_over() -> None:
    bench = Bench()
    stale = SourceStatus("running", 1000.0, None, 25.0)

    bench.now_s = 1001.0
    bench.show("reconnecting", SourceFault("ended", "gone"))
    bench.condition.on_source(stale)

    assert bench.told == [("reconnecting", "ended")]
