"""Results of any length are found by time and held in bounded memory."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page

from tests.e2e.conftest import Stage

pytestmark = pytest.mark.e2e

# Fills a store with `count` frames of two people at 25 Hz, 1000 frames a chunk, and asks it at `times`.
FILL = """async ([count, limit, times]) => {
  const { FrameStore } = await import('/assets/js/results.js');
  const store = new FrameStore(limit);
  for (let start = 0; start < count; start += 1000) {
    const frames = Math.min(1000, count - start);
    const persons = 2 * frames;
    store.add({
      joints: 17,
      times: Float64Array.from({ length: frames }, (_, index) => (start + index) / 25),
      indices: Uint32Array.from({ length: frames }, (_, index) => start + index),
      first: Uint32Array.from({ length: frames + 1 }, (_, index) => 2 * index),
      tracks: Uint32Array.from({ length: persons }, (_, index) => index % 2 ? 8 : 7),
      boxes: new Uint16Array(persons * 4).fill(32768),
      points: new Uint16Array(persons * 34).fill(32768),
      seen: new Uint8Array(persons * 17).fill(255),
      labels: new Uint16Array(persons).fill(1),
      scores: new Uint8Array(persons).fill(204),
      statuses: new Uint8Array(persons).fill(1),
      reasons: new Uint8Array(persons),
    }, start ? [] : ['walk']);
  }
  return { persons: store.numPersons, everyNth: store.everyNth, found: times.map((time) => store.at(time)) };
}"""


def test_store_finds_the_nearest_frame(stage: Stage, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(stage.url)

    answer = tab.evaluate(FILL, [2500, 1_000_000, [0.0, 40.0, 39.99, 60.013, 99.96, 101.0]])

    found = [frame and frame["frameIndex"] for frame in answer["found"]]
    assert found == [0, 1000, 1000, 1500, 2499, None]
    first = answer["found"][0]["persons"][0]
    assert (first["track_id"], first["action"], first["status"]) == (7, "walk", "assessed")
    assert first["box"] == pytest.approx([0.5] * 4, abs=1e-4)
    assert first["score"] == pytest.approx(0.8)


def test_store_thins_frames_when_a_long_video_would_fill_it(stage: Stage, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(stage.url)

    answer = tab.evaluate(FILL, [20_000, 8_000, [0.0, 399.5, 799.9]])

    assert answer["persons"] <= 8_000
    assert answer["everyNth"] > 1
    assert all(
        abs(frame["mediaTimeS"] - time) < 0.3 for frame, time in zip(answer["found"], [0, 399.5, 799.9], strict=True)
    )


def test_three_hours_are_read_without_freezing_the_tab(stage: Stage, open_tab: Callable[..., Page]) -> None:
    tab = open_tab(stage.url)

    answer = tab.evaluate(FILL, [3 * 3600 * 25, 120_000, [5399.96, 10799.9]])

    assert answer["persons"] <= 120_000
    assert [frame["persons"][1]["track_id"] for frame in answer["found"]] == [8, 8]


def test_frame_beside_another_is_found_across_chunks_and_when_people_are_thinned(
    stage: Stage, open_tab: Callable[..., Page]
) -> None:
    tab = open_tab(stage.url)
    ask = "return { found: times.map(([time, way]) => store.timeBeside(time, way)) };\n}"

    answer = tab.evaluate(
        FILL.rpartition("return {")[0] + ask,
        [2500, 1000, [[0.0, 1], [0.0, -1], [39.96, 1], [40.0, -1], [50.003, 2], [99.96, 1], [100.5, 1]]],
    )

    assert answer["found"] == [0.04, 0.0, 40.0, 39.96, 50.08, 99.96, None]
