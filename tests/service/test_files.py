"""What lies on the disk: closed to others, sealed where it is secret, and words when the disk or the file gives out."""

import asyncio
import sqlite3
import stat
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import sqlalchemy as sa
from starlette.types import Message, Receive, Scope, Send

from service.database import PATIENCE_S, Database, migrate
from service.errors import DatabaseBusy, DatabaseDamaged, SecretKeyInvalid
from service.private_files import tighten_home
from service.reserve import RESERVE_BYTES, DiskReserve, MakeRoom
from service.sealing import seal_stored
from service.secret_box import LOST, open_box
from service.settings import load_settings
from tests.service.conftest import Running, Serve, running
from tests.service.test_serve import actogram

_PASSWORD = "hunter2-on-the-dock"
_CAMERA = {"name": "dock", "source": {"uri": f"rtsp://admin:{_PASSWORD}@192.0.2.1/live"}, "enabled": False}
_WEBHOOK = {"url": f"https://hooks.example.org/{_PASSWORD}", "secret": f"{_PASSWORD}-signing"}


def _modes(home: Path) -> dict[str, int]:
    names = (
        "",
        "actogram.sqlite3",
        "actogram.sqlite3-wal",
        "actogram.sqlite3-shm",
        "secret.key",
        "serve.lock",
        "blobs",
    )
    return {name: stat.S_IMODE((home / name).stat().st_mode) for name in names}


def test_home_and_what_lies_in_it_are_closed_to_others(serve: Serve) -> None:
    service = serve()

    found = _modes(service.home)

    assert {name for name, mode in found.items() if mode & 0o077} == set()
    assert (found[""], found["actogram.sqlite3"]) == (0o700, 0o600)


def test_home_of_an_earlier_version_is_closed(tmp_path: Path) -> None:
    settings = load_settings(home=tmp_path / "home")
    video = settings.blobs / "jobs" / "job_1" / "source.mp4"
    video.parent.mkdir(parents=True)
    for path in (video, settings.home / "actogram.sqlite3", settings.home / "actogram.sqlite3-wal"):
        path.touch(0o644)
    for folder in (settings.home, settings.blobs, video.parent):
        folder.chmod(0o755)

    tighten_home(settings)

    open_to_others = [path for path in [settings.home, *settings.home.rglob("*")] if path.stat().st_mode & 0o077]
    assert open_to_others == []


def test_shared_folder_is_no_home_to_close(tmp_path: Path) -> None:
    tmp_path.chmod(0o1777)

    tighten_home(load_settings(home=tmp_path))

    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o1777


def test_no_secret_lies_open_in_the_home(serve: Serve) -> None:
    service = serve()
    service.http.post("/v1/streams", json=_CAMERA).raise_for_status()
    service.http.post("/v1/webhooks", json=_WEBHOOK).raise_for_status()

    found = [path for path in service.home.rglob("*") if path.is_file() and _PASSWORD.encode() in path.read_bytes()]

    assert found == []
    assert _PASSWORD not in service.http.get("/v1/streams").text


def test_secrets_of_an_earlier_version_are_sealed_and_leave_no_trace(tmp_path: Path) -> None:
    path = tmp_path / "actogram.sqlite3"
    old = Database(f"sqlite:///{path}")
    migrate(old)
    with old.write() as connection:
        connection.execute(
            sa.text(
                "INSERT INTO webhooks (webhook_id, url, secret, messages, only_rules, is_enabled, created_at) "
                "VALUES ('w', :url, :secret, '[]', 0, 0, '2026-01-01')"
            ),
            _WEBHOOK,
        )
    old.close()

    database = Database(f"sqlite:///{path}", open_box(load_settings(home=tmp_path)))
    changed = [seal_stored(database), seal_stored(database)]
    database.close()

    assert changed == [2, 0]
    assert [name for name in tmp_path.glob("*") if _PASSWORD.encode() in name.read_bytes()] == []


def test_key_from_the_environment_opens_what_it_sealed_and_no_other_does(tmp_path: Path) -> None:
    one = open_box(load_settings(home=tmp_path, secret_key="a long enough text"))
    same = open_box(load_settings(home=tmp_path, secret_key="a long enough text"))
    other = open_box(load_settings(home=tmp_path, secret_key="another long text"))

    sealed = one.seal(_PASSWORD)

    assert (same.open(sealed), other.open(sealed), other.open("never sealed")) == (_PASSWORD, LOST, "never sealed")
    assert one.seal(sealed) == sealed


def test_lost_key_is_said_by_every_stream_and_ends_nothing(tmp_path: Path) -> None:
    with running(tmp_path / "home", secret_key="the key of yesterday") as service:
        service.http.post("/v1/streams", json=_CAMERA).raise_for_status()
        service.http.post("/v1/webhooks", json=_WEBHOOK).raise_for_status()

    with running(tmp_path / "home", secret_key="the key of today....") as again:
        stream = again.http.get("/v1/streams/dock").json()
        hooks = again.http.get("/v1/webhooks").status_code
        mended = again.http.patch("/v1/streams/dock", json={"source": {"uri": "rtsp://192.0.2.1/"}}).status_code

    assert (stream["state"], stream["last_error"]["code"]) == ("failed", "secret_lost")
    assert (hooks, mended) == (200, 200)


def test_key_file_that_holds_no_key_is_said(tmp_path: Path) -> None:
    (tmp_path / "secret.key").write_text("not a key")

    found = actogram(tmp_path, "serve")

    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith("actogram: secret_key_invalid: ")
    with pytest.raises(SecretKeyInvalid):
        open_box(load_settings(home=tmp_path))


@pytest.mark.parametrize("content", [b"not a database at all" * 500, b"SQLite format 3\x00" + b"\xff" * 8000])
@pytest.mark.parametrize("words", [["serve"], ["keys", "list"]])
def test_damaged_database_is_said_with_a_way_out(tmp_path: Path, content: bytes, words: list[str]) -> None:
    (tmp_path / "actogram.sqlite3").write_bytes(content)
    (tmp_path / "backups").mkdir()
    (tmp_path / "backups" / "yesterday.sqlite3").touch()

    found = actogram(tmp_path, *words)

    assert found.exit_code == 2
    assert found.stderr.splitlines()[-1].startswith(f"actogram: database_damaged: {tmp_path / 'actogram.sqlite3'}")
    assert "yesterday.sqlite3" in found.stderr
    assert "Traceback" not in found.stderr


def test_page_of_the_database_that_is_overwritten_is_found(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    database.close()
    content = bytearray((tmp_path / "x.sqlite3").read_bytes())
    content[8192:20480] = b"\xaa" * 12288
    (tmp_path / "x.sqlite3").write_bytes(content)
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")

    with pytest.raises(DatabaseDamaged, match="cannot be read"):
        migrate(database)
    database.close()


def test_locked_database_answers_busy_within_seconds(service: Running) -> None:
    holder = sqlite3.connect(service.home / "actogram.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    began_s = time.monotonic()

    changed = service.http.post("/v1/streams", json={"name": "x", "source": {"uri": "push:"}})
    listed = service.http.get("/v1/streams").status_code
    taken_s = time.monotonic() - began_s
    holder.execute("ROLLBACK")
    holder.close()

    assert (changed.status_code, changed.json()["code"], changed.headers["retry-after"]) == (503, "busy", "3")
    assert listed == 200
    assert taken_s < 8


def test_writer_that_waits_for_an_answer_is_told_soon(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'x.sqlite3'}")
    migrate(database)
    holder = sqlite3.connect(tmp_path / "x.sqlite3", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")

    def write() -> None:
        with database.write():
            pass

    token = PATIENCE_S.set(0.2)
    with pytest.raises(DatabaseBusy):
        write()
    PATIENCE_S.reset(token)
    holder.close()
    database.close()


@pytest.mark.parametrize(("method", "statuses"), [("DELETE", [204]), ("POST", [507])])
def test_delete_that_finds_the_disk_full_gets_the_room_that_was_kept(
    tmp_path: Path, method: str, statuses: list[int]
) -> None:
    reserve = DiskReserve(tmp_path / "reserve")
    reserve.fill()
    was_kept = (tmp_path / "reserve").stat().st_size
    told: list[int] = []

    async def app(_: Scope, __: Receive, send: Send) -> None:
        status = 507 if (tmp_path / "reserve").exists() else 204
        await send({"type": "http.response.start", "status": status, "headers": []})
        await send({"type": "http.response.body", "body": b""})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            told.append(message["status"])

    scope = {"type": "http", "method": method, "path": "/", "app": SimpleNamespace(state=SimpleNamespace(parts={}))}
    scope["app"].state.parts[DiskReserve] = reserve  # type: ignore[attr-defined]
    asyncio.run(MakeRoom(app)(scope, receive, send))

    assert was_kept == RESERVE_BYTES
    assert told == statuses
