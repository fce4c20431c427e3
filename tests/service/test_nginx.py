"""The server behind a real nginx, at a host of its own and below a path: as documented, and as nginx is made."""

import json
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest
from websockets.sync.client import connect
from websockets.typing import Origin

from service.database import Database, migrate
from service.security import KeyStore
from tests import nginx
from tests.service.conftest import running

DEFAULT = "server {{ listen 127.0.0.1:{port}; location {path} {{ proxy_pass http://{upstream}{end}; }} }}"


def documented(name: str) -> Callable[[nginx.Place, Path], str]:
    return lambda place, folder: nginx.documented(name, place, folder)


def stripping(place: nginx.Place, folder: Path) -> str:
    text = nginx.documented("actogram-below-path.conf", place, folder)
    return text.replace(f"http://{place.upstream};", f"http://{place.upstream}/;")


def as_made(path: str, end: str) -> Callable[[nginx.Place, Path], str]:
    def build(place: nginx.Place, folder: Path) -> str:
        return DEFAULT.format(port=place.port, path=path, upstream=place.upstream, end=end)

    return build


@dataclass(frozen=True)
class Behind:
    """The server as visitors see it.

    url: of the page, without a slash at its end. context: that trusts its certificate; None without TLS.
    """

    url: str
    key: str
    http: httpx.Client
    context: ssl.SSLContext | None


CASES = {
    "as documented": ("https", "", documented("actogram.conf")),
    "as documented, below a path": ("https", "/watch", documented("actogram-below-path.conf")),
    "below a path that nginx takes away": ("https", "/watch", stripping),
    "as nginx is made": ("http", "", as_made("/", "")),
    "as nginx is made, below a path": ("http", "/watch", as_made("/watch/", "")),
    "as nginx is made, below a path that it takes away": ("http", "/a/b", as_made("/a/b/", "/")),
}


@pytest.fixture(scope="module", params=list(CASES))
def behind(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Behind]:
    scheme, path, build = CASES[request.param]
    tmp_path = tmp_path_factory.mktemp("nginx")
    port = nginx.free_port()
    url = f"{scheme}://localhost:{port}{path}"
    with ExitStack() as stack:
        home = tmp_path / "home"
        home.mkdir()
        key = _make_key(home)
        service = stack.enter_context(running(home, public_url=f"{url}/"))
        place = nginx.Place(port, service.url.removeprefix("http://"))
        stack.enter_context(nginx.serving(build(place, tmp_path), port, tmp_path))
        context = ssl.create_default_context(cafile=tmp_path / "fullchain.pem") if scheme == "https" else None
        http = stack.enter_context(httpx.Client(base_url=url, timeout=20, verify=context or True))
        yield Behind(url, key, http, context)


def _make_key(home: Path) -> str:
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    key = KeyStore(database).create("visitor", "admin")
    database.close()
    return key


def _sign_in(behind: Behind) -> dict[str, str]:
    origin = {"Origin": "/".join(behind.url.split("/")[:3])}
    told = behind.http.post("/v1/session", headers={"Authorization": f"Bearer {behind.key}", **origin})
    assert told.status_code == 200, told.text
    return origin


def test_page_and_its_parts_are_found(behind: Behind) -> None:
    page = behind.http.get("/", follow_redirects=True)
    parts = [part.split('"')[1] for part in page.text.split("=") if part.startswith('"assets/')]

    assert page.status_code == 200
    assert len(parts) > 10
    assert {behind.http.get(f"/{part}").status_code for part in parts} == {200}


def test_page_without_its_last_slash_leads_to_the_page(behind: Behind) -> None:
    told = httpx.get(behind.url, verify=behind.context or True)

    assert told.status_code == 200 if behind.url.count("/") == 2 else told.headers["location"] == f"{behind.url}/"


def test_visitor_signs_in_uploads_and_looks(behind: Behind) -> None:
    origin = _sign_in(behind)
    script = b"script frames 20"

    created = behind.http.post("/v1/jobs", files={"file": ("clip.mp4", script, "video/mp4")}, headers=origin)

    assert created.status_code == 202, created.text
    assert created.headers["location"] == f"{behind.url}/v1/jobs/{created.json()['job_id']}"
    job = behind.http.get(created.headers["location"])
    assert job.json()["job_id"] == created.json()["job_id"]
    source = job.json()["links"]["source"]
    part = behind.http.get(source, headers={"Range": "bytes=7-12"})
    assert (part.status_code, part.content) == (206, b"frames")
    head = behind.http.head(source)
    assert (head.status_code, head.headers["content-length"], head.content) == (200, str(len(script)), b"")


def test_other_sites_and_strangers_are_refused(behind: Behind) -> None:
    _sign_in(behind)

    foreign = behind.http.post("/v1/session", headers={"Origin": "https://evil.example"})
    behind.http.cookies.clear()
    stranger = behind.http.get("/v1/jobs")

    assert (foreign.status_code, foreign.json()["code"]) == (403, "forbidden")
    assert stranger.status_code == 401


# As it is made, nginx carries none.
@pytest.mark.parametrize("behind", [name for name, (scheme, *_) in CASES.items() if scheme == "https"], indirect=True)
def test_labels_come_over_the_websocket(behind: Behind) -> None:
    origin = _sign_in(behind)
    cookies = "; ".join(f"{name}={value}" for name, value in behind.http.cookies.items())
    address = behind.url.replace("http", "ws", 1) + "/v1/ws"

    with connect(
        address,
        ssl=behind.context,
        origin=Origin(origin["Origin"]),
        additional_headers={"Cookie": cookies},
    ) as socket:
        socket.send(json.dumps({"type": "subscribe", "messages": ["stream"]}))
        first = json.loads(socket.recv(10))
        stream = {"name": "Dock", "source": {"uri": "push:"}}
        behind.http.post("/v1/streams", json=stream, headers=origin).raise_for_status()
        second = json.loads(socket.recv(10))

    assert (first["type"], second["type"], second["stream_id"]) == ("subscribed", "stream.state_changed", "dock")


def test_cookie_is_kept_to_tls(behind: Behind) -> None:
    told = behind.http.post("/v1/session", headers={"Authorization": f"Bearer {behind.key}"})

    assert ("Secure" in told.headers["set-cookie"]) is behind.url.startswith("https")
