"""Measures how soon the page can be used: from the start of the navigation to the wall of cameras, in real Chromium.

python -m tests.bench.page --weights FOLDER [--data FOLDER] [--streams 4] [--loads 10]

With --data the cameras are real RTSP servers and are analysed meanwhile; without it the streams wait for pictures.
"""

import json
import os
import statistics
import tempfile
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path

import click
from playwright.sync_api import Browser, Page, sync_playwright

from tests.bench.live import CLIPS
from tests.e2e.conftest import ARGS, CHROMIUM
from tests.e2e.live_house import House
from tests.rtsp_server import Footage, RtspServer

# Runs before the page's own scripts; each mark is the first moment at which something is so.
_MARKS = """(numTiles) => {
  const marks = window.pageMarks = {};
  const seen = {
    button: () => Boolean(document.querySelector('main button, main input[type=file]')),
    filled: () => document.querySelectorAll('ul.wall > li').length >= numTiles,
    pictures: () => document.querySelectorAll('ul.wall img:not([hidden])').length >= numTiles,
  };
  const look = () => {
    for (const [name, isSo] of Object.entries(seen)) if (!(name in marks) && isSo()) marks[name] = performance.now();
  };
  new MutationObserver(look).observe(document, { childList: true, subtree: true, attributes: true });
  marks.longMs = 0;
  new PerformanceObserver((list) => list.getEntries().forEach((one) => (marks.longMs += one.duration)))
    .observe({ type: 'longtask', buffered: true });
}"""
_READ = """() => {
  const [navigation] = performance.getEntriesByType('navigation');
  const paint = performance.getEntriesByName('first-contentful-paint')[0];
  const files = performance.getEntriesByType('resource').filter((one) => one.name.includes('/assets/'));
  return {
    ...window.pageMarks, response: navigation.responseEnd, domInteractive: navigation.domInteractive,
    paint: paint?.startTime, files: files.length, bytes: files.reduce((sum, one) => sum + one.transferSize, 0),
  };
}"""
_SHOWN = ("response", "domInteractive", "paint", "button", "filled", "pictures", "longMs", "files", "bytes")
_PATIENCE_MS = 60_000

Load = Mapping[str, float]


@click.command()
@click.option("--weights", type=click.Path(exists=True, path_type=Path), required=True)
@click.option("--data", type=click.Path(exists=True, path_type=Path))
@click.option("--streams", default=4, show_default=True)
@click.option("--loads", default=10, show_default=True)
def main(weights: Path, data: Path | None, streams: int, loads: int) -> None:
    """Load the wall again and again, with an empty cache and with a full one; milliseconds, median and worst."""
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        house = stack.enter_context(House(Path(folder) / "home", weights))
        _add_streams(house, stack, data, streams)
        browser = stack.enter_context(sync_playwright()).chromium.launch(executable_path=str(CHROMIUM), args=ARGS)
        url = f"http://127.0.0.1:{house.port}"
        for path, num_tiles in (("#/live", streams), ("#/", 0)):
            measured = _measure(browser, f"{url}/{path}", num_tiles, loads, has_pictures=data is not None)
            for cache, found in measured.items():
                told = {"page": path, "cache": cache, "streams": streams, "live": data is not None}
                click.echo(json.dumps({**told, **_summary(found), "load": round(os.getloadavg()[0], 1)}))
        browser.close()


def _add_streams(house: House, stack: ExitStack, data: Path | None, streams: int) -> None:
    for index in range(streams):
        uri = "push:"
        if data is not None:
            footage = Footage.load(data / "video" / f"{CLIPS[index % len(CLIPS)]}.mp4")
            uri = stack.enter_context(RtspServer(footage)).url
        house.add(f"cam {index}", uri)
    if data is not None:
        house.until(lambda: all(one["state"] == "running" for one in house.http.get("/v1/streams").json()["items"]))


def _measure(browser: Browser, url: str, num_tiles: int, loads: int, *, has_pictures: bool) -> dict[str, list[Load]]:
    """Cold: a browser profile of its own for each load. Warm: the same tab again."""
    found: dict[str, list[Load]] = {"cold": [], "warm": []}
    for _ in range(loads):
        context = browser.new_context(viewport={"width": 1440, "height": 900})
        tab = context.new_page()
        tab.add_init_script(f"({_MARKS})({num_tiles})")
        for cache in found:
            found[cache].append(_load(tab, url, "pictures" if has_pictures and num_tiles else "filled"))
        context.close()
    return found


def _load(tab: Page, url: str, last: str) -> Load:
    tab.goto("about:blank")
    tab.goto(url)
    tab.wait_for_function(f"() => 'button' in window.pageMarks && '{last}' in window.pageMarks", timeout=_PATIENCE_MS)
    marks: Load = tab.evaluate(_READ)
    return marks


def _summary(found: Sequence[Load]) -> dict[str, object]:
    told: dict[str, object] = {}
    for name in _SHOWN:
        values = [float(one[name]) for one in found if one.get(name) is not None]
        if values:
            told[name] = [round(statistics.median(values)), round(max(values))]
    return told


if __name__ == "__main__":
    main()
