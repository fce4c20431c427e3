"""The page below a path of a host: every address that it asks for lies below that path too."""

from collections.abc import Callable
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, Response, expect

from tests import nginx
from tests.e2e.conftest import Stage
from tests.e2e.contract_live import add_event, add_stream
from tests.e2e.stick_figures import Act

pytestmark = pytest.mark.e2e

SITE = """
map $http_upgrade $upgrading {{ default upgrade; '' ''; }}
server {{
    listen 127.0.0.1:{port};
    location /watch/ {{
        proxy_pass http://{upstream}/; proxy_http_version 1.1; proxy_buffering off; client_max_body_size 0;
        proxy_set_header Host $http_host;
        proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection $upgrading;
    }}
}}
"""


def test_every_page_works_below_a_path(stage: Stage, open_tab: Callable[..., Page], tmp_path: Path) -> None:
    acts = [Act(1, "walk", 0, 2), Act(2, "wave", 0.5, 2)]
    job = stage.state.add_job("dock.mp4", acts, 2.0)
    add_stream(stage.state, "Dock", acts)
    add_event(stage.state, "dock", "fall", 30)
    port = nginx.free_port()
    asked: list[str] = []
    sockets: list[str] = []
    failed: list[str] = []

    def note(response: Response) -> None:
        if not response.url.startswith("blob:"):
            asked.append(urlsplit(response.url).path)
        if response.status >= 400:
            failed.append(f"{response.status} {response.url}")

    with nginx.serving(SITE.format(port=port, upstream=urlsplit(stage.url).netloc), port, tmp_path):
        tab = open_tab(f"http://127.0.0.1:{port}/watch/")
        tab.on("response", note)
        tab.on("websocket", lambda socket: sockets.append(urlsplit(socket.url).path))
        tab.reload()
        expect(tab.get_by_role("link", name="dock.mp4")).to_be_visible()
        tab.goto(f"http://127.0.0.1:{port}/watch/#/videos/{job}")
        expect(tab.locator("video")).to_be_visible()
        for place in ("#/live", "#/live/dock", "#/events", "#/setup"):
            tab.goto(f"http://127.0.0.1:{port}/watch/{place}")
            expect(tab.get_by_role("heading", level=1)).to_be_visible()
            tab.wait_for_timeout(400)
        tab.close()

    assert [path for path in {*asked, *sockets} if not path.startswith("/watch/")] == []
    assert failed == []
    assert {"/watch/v1/jobs", "/watch/v1/streams", "/watch/v1/events"} <= set(asked)
    assert {"/watch/v1/ws"} <= set(sockets)
