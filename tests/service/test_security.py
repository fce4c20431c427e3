"""Keys, roles, and what another site's page may not do through a visitor's browser."""

from pathlib import Path

import httpx
import pytest
import sqlalchemy as sa

from service.authentication import Authenticator
from service.database import Database, migrate
from service.errors import Unauthorized
from service.security import KeyStore, Role, api_keys
from tests.service.conftest import Running, Serve


def _key(home: Path, role: Role) -> str:
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    text = KeyStore(database).create(role, role)
    database.close()
    return text


def _bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


def test_key_is_kept_only_as_a_hash(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    keys = KeyStore(database)

    text = keys.create("me", "viewer")

    with database.read() as connection:
        row = connection.execute(sa.select(api_keys)).one()
    database.close()
    assert text.split("_", 2)[2].encode() not in bytes(row.hash) + bytes(row.salt)
    stored = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert text.split("_", 2)[2].encode() not in stored


def test_revoked_key_is_refused_once_it_is_forgotten(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    keys, time_s = KeyStore(database), [0.0]
    text, _ = keys.create("one", "viewer"), keys.create("two", "admin")
    authenticator = Authenticator(keys, lambda: time_s[0])
    assert authenticator.require(_lower(_bearer(text)), {}).role == "viewer"

    keys.revoke(text.split("_")[1])
    time_s[0] = 61.0

    with pytest.raises(Unauthorized):
        authenticator.require(_lower(_bearer(text)), {})
    database.close()


def _lower(headers: dict[str, str]) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


@pytest.fixture
def guarded(tmp_path: Path, serve: Serve) -> tuple[Running, dict[Role, str]]:
    roles: list[Role] = ["viewer", "operator", "admin"]
    keys = {role: _key(tmp_path / "home", role) for role in roles}
    return serve(), keys


def test_roles_open_what_they_should(guarded: tuple[Running, dict[Role, str]]) -> None:
    service, keys = guarded
    video = {"file": ("a.mp4", b"script frames 1", "video/mp4")}

    def status(method: str, path: str, headers: dict[str, str], **more: object) -> int:
        return service.http.request(method, path, headers=headers, **more).status_code  # type: ignore[arg-type]

    found = {
        "no key lists": status("GET", "/v1/jobs", {}),
        "no key posts": status("POST", "/v1/jobs", {}, files=video),
        "no key asks for health": status("GET", "/healthz", {}),
        "no key asks for metrics": status("GET", "/metrics", {}),
        "wrong key lists": status("GET", "/v1/jobs", _bearer(keys["admin"][:-1] + "x")),
        "garbage lists": status("GET", "/v1/jobs", _bearer("ak_x")),
        "viewer lists": status("GET", "/v1/jobs", _bearer(keys["viewer"])),
        "viewer posts": status("POST", "/v1/jobs", _bearer(keys["viewer"]), files=video),
        "viewer deletes": status("DELETE", "/v1/jobs/job_1", _bearer(keys["viewer"])),
        "operator posts": status("POST", "/v1/jobs", _bearer(keys["operator"]), files=video),
        "admin deletes": status("DELETE", "/v1/jobs/job_1", _bearer(keys["admin"])),
        "viewer asks for metrics": status("GET", "/metrics", _bearer(keys["viewer"])),
    }

    assert found == {
        "no key lists": 401, "no key posts": 401, "no key asks for health": 200, "no key asks for metrics": 401,
        "wrong key lists": 401, "garbage lists": 401, "viewer lists": 200, "viewer posts": 403, "viewer deletes": 403,
        "operator posts": 202, "admin deletes": 204, "viewer asks for metrics": 200,
    }  # fmt: skip


def test_cookie_carries_the_key_where_scripts_cannot_read_it(guarded: tuple[Running, dict[Role, str]]) -> None:
    service, keys = guarded

    with httpx.Client(base_url=service.url) as browser:
        made = browser.post("/v1/session", headers=_bearer(keys["viewer"]))
        seen = browser.get("/v1/session")
        browser.delete("/v1/session")
        after = browser.get("/v1/session")

    assert {"httponly", "samesite=strict"} <= {part.strip().lower() for part in made.headers["set-cookie"].split(";")}
    assert seen.json() == {"name": "viewer", "role": "viewer", "access": "key"}
    assert after.status_code == 401


def test_challenge_tells_how_to_authenticate(guarded: tuple[Running, dict[Role, str]]) -> None:
    answer = guarded[0].http.get("/v1/jobs")

    assert answer.headers["www-authenticate"].startswith("Bearer")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["code"] == "unauthorized"


@pytest.mark.parametrize(
    ("headers", "method", "status"),
    [
        ({"Origin": "https://evil.example"}, "DELETE", 403),
        ({"Origin": "null"}, "DELETE", 403),
        ({"Origin": "https://evil.example"}, "GET", 200),
        ({"Host": "evil.example"}, "GET", 403),
        ({"Host": "evil.example:8000"}, "DELETE", 403),
        ({"Host": "localhost:1"}, "GET", 200),
        ({}, "DELETE", 204),
    ],
)
def test_foreign_pages_change_nothing_while_no_key_exists(
    service: Running, headers: dict[str, str], method: str, status: int
) -> None:
    path = "/v1/jobs" if method == "GET" else "/v1/jobs/job_none"

    assert service.http.request(method, path, headers=headers).status_code == status


def test_own_page_may_change_things(service: Running) -> None:
    assert service.http.delete("/v1/jobs/job_none", headers={"Origin": service.url}).status_code == 204


def test_every_answer_carries_the_guarding_headers(service: Running) -> None:
    for path in ("/", "/v1/jobs", "/v1/nowhere"):
        headers = service.http.get(path).headers

        assert "frame-ancestors 'none'" in headers["content-security-policy"]
        assert "'unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "no-referrer"
