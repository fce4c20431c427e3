"""Every module of the page parses and loads in a real browser, which complains of none."""

from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page

import service
from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e

WEB = Path(service.__file__).parent / "web"
MODULES = sorted(str(path.relative_to(WEB)) for path in WEB.rglob("*.js"))
LOAD = """async (paths) => {
  const load = (path) => import(`/${path}`).then(() => null, (error) => `${path}: ${error}`);
  return (await Promise.all(paths.map(load))).filter(Boolean);
}"""


@pytest.fixture
def complaints(stage: Stage, open_tab: Callable[..., Page]) -> tuple[Page, list[str]]:
    """A tab of a page with a camera, an event and a video, and what its console says at and above warnings."""
    acts = [Act(1, "walk", 0, 4)]
    add_stream(stage.state, "Dock", acts)
    add_event(stage.state, "dock", "fall", 60)
    stage.state.add_job("yard.mp4", acts, 4.0)
    tab = open_tab(stage.url)
    said: list[str] = []
    tab.on("console", lambda message: said.append(message.text) if message.type in ("error", "warning") else None)
    return tab, said


def test_every_module_loads(complaints: tuple[Page, list[str]]) -> None:
    tab, said = complaints

    faults = tab.evaluate(LOAD, MODULES)

    assert len(MODULES) > 40
    assert (faults, said) == ([], [])
