"""The address that people use, the names that the server may be asked under, and whose page may change things."""

from pathlib import Path

import pytest

from service.database import Database, migrate
from service.security import KeyStore
from service.settings import SettingsInvalid, load_settings
from service.site import Site
from tests.service.conftest import Serve


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        ("https://cameras.example.org", "https://cameras.example.org"),
        ("https://cameras.example.org/", "https://cameras.example.org"),
        ("http://10.0.0.7:8080/a/b/", "http://10.0.0.7:8080/a/b"),
        ("https://[2001:db8::1]/watch", "https://[2001:db8::1]/watch"),
    ],
)
def test_public_url_is_kept_without_its_last_slash(given: str, kept: str) -> None:
    assert load_settings(public_url=given).public_url == kept


@pytest.mark.parametrize(
    "given",
    ["cameras.example.org", "ftp://host", "https://", "https://user:secret@host", "https://host/?a", "https://host/#a",
     "https://host//a", "https://host/a%2fb", "https://[host", "https://host:port", "//host"],
)  # fmt: skip
def test_public_url_that_is_none_is_refused_without_what_it_holds(given: str) -> None:
    with pytest.raises(SettingsInvalid, match="ACTOGRAM_PUBLIC_URL") as caught:
        load_settings(public_url=given)

    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    ("origin", "is_own"),
    [
        ("https://cameras.example.org", True), ("https://CAMERAS.example.org", True),
        ("http://cameras.example.org", False), ("https://cameras.example.org:8443", False),
        ("https://evil.example", False), ("https://cameras.example.org.evil.example", False), ("null", False),
        ("https://one.trusted.example", True), ("http://one.trusted.example:8080", True),
        ("https://trusted.example", False), ("file://one.trusted.example", False), ("https://[", False),
    ],
)  # fmt: skip
def test_page_is_ours_at_the_public_address_and_under_trusted_names(origin: str, is_own: bool) -> None:
    site = Site("https://cameras.example.org/watch", frozenset({"*.trusted.example"}))

    assert site.is_own_page(origin) is is_own


def test_any_name_is_expected_while_none_is_named() -> None:
    assert Site("https://cameras.example.org").is_expected("anything")


def _with_key(home: Path) -> dict[str, str]:
    home.mkdir()
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    key = KeyStore(database).create("visitor", "admin")
    database.close()
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("cameras.example.org", 200), ("cameras.example.org:8443", 200), ("box.lan", 200), ("BOX.lan", 200),
        ("127.0.0.1", 200), ("localhost:8000", 200), ("[::1]:8000", 200), ("evil.example", 403), ("x.box.lan", 403),
    ],
)  # fmt: skip
def test_other_names_are_refused_once_some_are_named(serve: Serve, tmp_path: Path, host: str, status: int) -> None:
    key = _with_key(tmp_path / "home")
    service = serve(public_url="https://cameras.example.org/watch", trusted_hosts="Box.lan")

    assert service.http.get("/v1/jobs", headers={**key, "Host": host}).status_code == status


def test_public_address_takes_a_key_also_from_this_machine(serve: Serve) -> None:
    service = serve(public_url="https://cameras.example.org")

    assert service.http.get("/v1/jobs").status_code == 401


def test_document_names_the_public_address(serve: Serve) -> None:
    service = serve(public_url="https://cameras.example.org/watch")

    assert service.http.get("/openapi.json").json()["servers"] == [{"url": "https://cameras.example.org/watch"}]


def test_path_itself_leads_to_the_page_below_it(serve: Serve) -> None:
    service = serve(public_url="https://cameras.example.org/watch")

    told = service.http.get("/watch")

    assert (told.status_code, told.headers["location"]) == (308, "https://cameras.example.org/watch/")
    assert service.http.get("/watch/").status_code == 200
    assert service.http.get("/watching/healthz").status_code == 404


@pytest.mark.parametrize("path", ["/watch/v1/jobs", "/watch//v1/jobs", "/watch/watch/v1/jobs", "/v1/jobs"])
def test_path_opens_no_way_around_the_key(serve: Serve, path: str) -> None:
    service = serve(public_url="https://cameras.example.org/watch")

    assert service.http.get(path).status_code in (401, 404)
