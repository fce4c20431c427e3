"""Keys over REST: shown once, refused after their end, never the last admin's."""

import datetime as dt
import time
from pathlib import Path

import httpx
import pytest

from service.database import Database, migrate
from service.security import KeyStore
from tests.service.conftest import Running, Serve

PATH = "/v1/keys"


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.fixture
def closed(serve: Serve) -> tuple[Running, str]:
    """A service whose first key was made over REST."""
    running = serve(is_ready=False)
    made = running.http.post(PATH, json={"name": "owner", "role": "admin"})
    assert made.status_code == 201, made.text
    return running, made.json()["key"]


def add(running: Running, key: str, **wanted: object) -> httpx.Response:
    return running.http.post(PATH, json={"name": "guest", **wanted}, headers=bearer(key))


def test_first_key_closes_the_server_and_is_shown_once(closed: tuple[Running, str]) -> None:
    running, key = closed

    listed = running.http.get(PATH, headers=bearer(key))

    assert running.http.get(PATH).status_code == 401
    assert [(one["name"], one["role"], one["is_mine"]) for one in listed.json()["items"]] == [("owner", "admin", True)]
    assert key.split("_")[2] not in listed.text


@pytest.mark.parametrize("wanted", [{"role": "viewer"}, {"role": "admin", "expires_at": "2100-01-01T00:00:00Z"}])
def test_first_key_must_be_an_admins_without_end(serve: Serve, wanted: dict[str, str]) -> None:
    running = serve(is_ready=False)

    made = running.http.post(PATH, json={"name": "x", **wanted})

    assert (made.status_code, made.json()["code"]) == (409, "admin_key_needed")
    assert running.http.get(PATH).json()["items"] == []


def test_last_admins_key_stays_until_there_is_another(closed: tuple[Running, str]) -> None:
    running, key = closed
    own = key.split("_")[1]

    refused = running.http.delete(f"{PATH}/{own}", headers=bearer(key))
    other = add(running, key, role="admin").json()["key"]
    gone = running.http.delete(f"{PATH}/{own}", headers=bearer(other))

    assert (refused.status_code, refused.json()["code"]) == (409, "admin_key_needed")
    assert "actogram keys revoke" in refused.json()["detail"]
    assert gone.status_code == 204
    assert running.http.get(PATH, headers=bearer(key)).status_code == 401


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_keys_are_an_admins_alone(closed: tuple[Running, str], role: str) -> None:
    running, key = closed
    guest = add(running, key, role=role).json()["key"]

    answers = [
        running.http.get(PATH, headers=bearer(guest)), add(running, guest),
        running.http.delete(f"{PATH}/{key.split('_')[1]}", headers=bearer(guest)),
    ]  # fmt: skip

    assert [(answer.status_code, answer.json()["code"]) for answer in answers] == [(403, "forbidden")] * 3


@pytest.mark.parametrize(
    "wanted",
    [
        {"name": ""}, {"name": "   "}, {"name": "x" * 129}, {"role": "owner"}, {"expires_at": "2020-01-01T00:00:00Z"},
        {"expires_at": "2100-01-01T00:00:00"}, {"expires_at": "9999-12-31T23:59:59-12:00"}, {"scope": "all"},
    ],
)  # fmt: skip
def test_key_is_refused_for_what_it_cannot_be(closed: tuple[Running, str], wanted: dict[str, str]) -> None:
    running, key = closed

    assert (
        add(running, key, **wanted).status_code,
        len(running.http.get(PATH, headers=bearer(key)).json()["items"]),
    ) == (422, 1)


def test_change_of_keys_is_noted_with_the_key_and_without_its_secret(closed: tuple[Running, str]) -> None:
    running, key = closed
    guest = add(running, key, role="viewer").json()
    running.http.delete(f"{PATH}/{guest['key_id']}", headers=bearer(key))

    line, deadline = f'"resource": "{PATH}/{guest["key_id"]}"', time.monotonic() + 10
    # It is noted once the answer has gone.
    while (noted := (running.home / "audit.jsonl").read_text()).count(line) < 2 and time.monotonic() < deadline:
        time.sleep(0.02)

    assert noted.count(line) == 2
    assert guest["key"].split("_")[2] not in noted


def test_key_is_refused_from_its_end_on(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'keys.sqlite3'}")
    migrate(database)
    times = [dt.datetime(2026, 5, 1, tzinfo=dt.UTC)]
    keys = KeyStore(database, lambda: times[-1])
    text = keys.create("guest", "viewer", times[0] + dt.timedelta(hours=1))

    before = keys.find(text)
    times.append(times[0] + dt.timedelta(hours=1))

    assert (before is not None, keys.find(text), keys.get(text.split("_")[1])) == (True, None, None)
    assert not keys.is_empty()
    database.close()
