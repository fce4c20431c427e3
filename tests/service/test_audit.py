"""Who did what is kept, for as long as there is room, and without a secret."""

import json
import stat
from pathlib import Path

from service.audit import AuditLog, entry_now
from service.database import Database, migrate
from service.security import KeyStore, Role
from tests.service.conftest import Serve
from tests.service.test_serve import actogram


def _key(home: Path, role: Role) -> str:
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    text = KeyStore(database).create(f"the {role}", role)
    database.close()
    return text


def test_changes_are_noted_with_their_key_and_refusals_too(serve: Serve, tmp_path: Path) -> None:
    admin, viewer = _key(tmp_path / "home", "admin"), _key(tmp_path / "home", "viewer")
    service = serve()
    stream = {"name": "dock", "source": {"uri": "rtsp://u:hunter2@192.0.2.1/"}, "enabled": False}

    service.http.post("/v1/streams", json=stream, headers={"Authorization": f"Bearer {admin}"})
    service.http.get("/v1/streams", headers={"Authorization": f"Bearer {admin}"})
    service.http.delete("/v1/streams/dock", headers={"Authorization": f"Bearer {viewer}"})
    service.http.delete("/v1/streams/dock")
    shown = actogram(service.home, "audit", "--json").stdout

    entries = [json.loads(line) for line in shown.splitlines()]
    assert [(row["name"], row["role"], row["method"], row["resource"], row["status"]) for row in entries] == [
        ("the admin", "admin", "POST", "/v1/streams", 201), ("the viewer", "viewer", "DELETE", "/v1/streams/dock", 403),
    ]  # fmt: skip
    assert (entries[0]["key_id"], entries[0]["address"]) == (admin.split("_")[1], "127.0.0.1")
    assert "hunter2" not in shown
    assert admin not in shown


def test_keys_made_on_the_command_line_are_noted_without_their_secret(tmp_path: Path) -> None:
    made = actogram(tmp_path, "keys", "create", "--role", "viewer").stdout.strip()
    key_id = made.split("_")[1]
    actogram(tmp_path, "keys", "revoke", key_id)

    shown = actogram(tmp_path, "audit").stdout

    assert [line.split("  ")[2] for line in shown.splitlines()] == [
        f"POST /v1/keys/{key_id}", f"DELETE /v1/keys/{key_id}",
    ]  # fmt: skip
    assert made.split("_", 2)[2] not in shown
    assert stat.S_IMODE((tmp_path / "audit.jsonl").stat().st_mode) == 0o600


def test_audit_log_stays_within_its_bound_and_keeps_the_newest(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 20_000)

    for number in range(1000):
        log.append(entry_now("k", "x" * 1000, "admin", "192.0.2.1", "DELETE", f"/v1/jobs/{number}", 204))

    assert sum(path.stat().st_size for path in tmp_path.iterdir()) <= 20_000
    assert log.read(1)[0].resource == "/v1/jobs/999"
    assert 10 < len(log.read(1000)) < 1000


def test_line_that_was_cut_off_hides_nothing(tmp_path: Path) -> None:
    log = AuditLog(tmp_path / "audit.jsonl", 20_000)
    log.append(entry_now("k", "one", "admin", "", "POST", "/v1/jobs", 202))
    with (tmp_path / "audit.jsonl").open("ab") as file:
        file.write(b'{"time": "20\xff\n{}\n[]\n')
    log.append(entry_now("k", "two", "admin", "", "POST", "/v1/jobs", 202))

    assert [entry.name for entry in log.read(10)] == ["one", "two"]
