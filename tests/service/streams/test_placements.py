"""A stream on a worker: what an older placement says does not count, and what failed waits longer each time."""

from service.streams.placements import Pauses, Placements
from service.streams.store import StreamRow


def _row(generation: int = 1) -> StreamRow:
    return StreamRow("yard", "Yard", {"tags": {"floor": 2}}, True, "running", generation=generation)


def test_word_of_an_older_placement_is_passed_over() -> None:
    placements = Placements()
    placements.add(_row(generation=2))

    placements.note("yard", 1, {"fps_in": 1.0})
    placements.note("yard", 2, {"fps_in": 15.0})

    current = placements.current("yard", 2)
    assert placements.current("yard", 1) is None
    assert current is not None
    assert (current.figures, current.tags) == ({"fps_in": 15.0}, {"floor": "2"})


def test_stream_that_is_called_back_stays_placed_until_it_is_let_go() -> None:
    placements = Placements()
    placements.add(_row())

    is_placed = placements.call_back("yard")
    leaving = placements.get("yard")
    placements.remove("yard")

    assert is_placed
    assert leaving is not None
    assert leaving.is_leaving
    assert not placements.call_back("yard")


def test_wait_doubles_up_to_a_minute_and_begins_anew_once_forgotten() -> None:
    now_s = [0.0]
    pauses = Pauses(lambda: now_s[0])
    waits_s = []

    for _ in range(8):
        pauses.begin("yard")
        began_s = now_s[0]
        while pauses.holds("yard"):
            now_s[0] += 0.5
        waits_s.append(now_s[0] - began_s)
    pauses.forget("yard")

    assert waits_s == [1, 2, 4, 8, 16, 32, 60, 60]
    assert not pauses.holds("yard")


def test_reconnects_of_earlier_workers_count_too() -> None:
    placements = Placements()
    for number, generation in ((8, 1), (3, 2)):
        placements.add(StreamRow("dock", "dock", {}, generation=generation))
        placements.note("dock", generation, {"reconnects": number, "fps_in": 15.0})
        placements.remove("dock")

    between = placements.figures("dock")
    placements.add(StreamRow("dock", "dock", {}, generation=3))
    before_a_word = placements.figures("dock")
    placements.note("dock", 3, {"reconnects": 1, "fps_in": 12.0})

    assert (between, before_a_word) == ({"reconnects": 11}, {"reconnects": 11})
    assert placements.figures("dock") == {"reconnects": 12, "fps_in": 12.0}


def test_reconnects_of_a_removed_stream_are_forgotten() -> None:
    placements = Placements()
    placements.add(StreamRow("dock", "dock", {}, generation=1))
    placements.note("dock", 1, {"reconnects": 8})
    placements.remove("dock")

    placements.keep(set())

    assert placements.figures("dock") == {}
