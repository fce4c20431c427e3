"""Nothing is left of a stream or a person that was erased: not in tables, files or the database's own pages."""

import datetime as dt
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import sqlalchemy as sa

from service.blob_store import FileStore, read_text
from service.database import Database, migrate
from service.event_log import ERASED, EventLog
from service.events.control import EventControl
from service.events.evidence import EvidenceFolder
from service.events.retention import EventRetention
from service.protocol.facts import ClipReport, TrackEnded, TrackStarted
from service.security import KeyStore, Role
from tests.cluster import on_files
from tests.fakes import ThreadEngine
from tests.postgres import postgres
from tests.service.conftest import Running, Serve, running
from tests.service.facts import T0, report
from tests.service.streams.conftest import Stage
from tests.service.streams.puppets import Puppet, PuppetRunners
from tests.service.test_serve import actogram

_NAME = "Nursery West"
_ID = "nursery-west"
_LATER = T0 + dt.timedelta(seconds=9)


@dataclass(frozen=True)
class House:
    """A service whose events go into a file too, with two cameras that have seen people."""

    stage: Stage
    log: EventLog

    @property
    def url(self) -> str:
        return self.service.database_url

    @property
    def service(self) -> Running:
        return self.stage.service

    def add(self, name: str) -> Puppet:
        self.stage.add(name=name, tags={"place": f"of {name}"})
        puppet = self.stage.runners.next()
        puppet.state("running")
        return puppet

    def see(self, puppet: Puppet, track_id: int, event_id: str, shown: tuple[int, ...] = ()) -> None:
        """A person comes, falls and leaves; the evidence shows them, and others."""
        puppet.say(TrackStarted(track_id, T0))
        puppet.say(report("action.started", event_id, track_id=track_id))
        puppet.say(report("action.ended", event_id, 3.0, track_id=track_id))
        self._keep(event_id, puppet.task.task_id, (track_id, *shown))
        puppet.say(ClipReport(event_id, "ready", (0.0, 5.0), (0.0, 5.0)))
        puppet.say(TrackEnded(track_id, _LATER, "left"))
        self.stage.until(lambda: self._has_left(puppet.task.task_id, track_id))
        opinion = {"verdict": "wrong", "comment": f"never in {puppet.task.task_id}"}
        self.service.http.post(f"/v1/events/{event_id}/feedback", json=opinion)

    def _keep(self, event_id: str, stream_id: str, shown: tuple[int, ...]) -> None:
        lines = [json.dumps({"media_time_s": index, "track_id": one}) for index, one in enumerate(shown)]
        texts = dict.fromkeys(("clip.mp4", "thumbnail.jpg"), f"pictures of {stream_id}")
        texts |= {"evidence.json": json.dumps({"stream": stream_id}), "skeletons.jsonl": "\n".join(lines) + "\n"}
        for name, text in texts.items():
            self.service.store.write(f"evidence/{event_id}/{name}", text.encode())

    def _has_left(self, stream_id: str, track_id: int) -> bool:
        answer = self.service.http.get(f"/v1/tracks/{stream_id}:{track_id}")
        return answer.status_code == 200 and answer.json()["end_time"] is not None

    def thumbnail(self, event_id: str) -> tuple[int, str]:
        """The status of an event's small picture, and its type or the code of the refusal."""
        answer = self.service.http.get(f"/v1/events/{event_id}/thumbnail")
        kind = answer.headers["content-type"]
        return answer.status_code, answer.json()["code"] if "json" in kind else kind

    def found(self, text: str) -> list[str]:
        """Files of the home, and blobs, in which a text stands, but for the log of who did what."""
        paths = [path for path in self.service.home.rglob("*") if path.name != "audit.jsonl"]
        files = [path.name for path in paths if text.lower().encode() in _content(path).lower()]
        store = self.service.store
        blobs = [one.name for one in store.list("") if text.lower().encode() in b"".join(store.read(one.key)).lower()]
        return files if isinstance(store, FileStore) else [*files, *blobs]

    def events(self) -> list[str]:
        items = self.service.http.get("/v1/events").json()["items"]
        return sorted(str(item["event_id"]) for item in items)


def _content(path: Path) -> bytes:
    """What a file holds; nothing for a folder, and for a file that goes in this moment."""
    try:
        return path.read_bytes()
    except (IsADirectoryError, FileNotFoundError):
        return b""


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    runners = PuppetRunners()
    home = tmp_path / "home"
    events_file = str(home / "events.jsonl")
    with running(
        home, ThreadEngine(lambda: runners), events_file=events_file, streams_per_worker=8, stream_fps_budget=100.0
    ) as service:
        log = service.app.state.parts[EventLog]
        assert isinstance(log, EventLog)
        yield House(Stage(service, runners), log)


def wait_for_file(house: House, text: str) -> None:
    """Until the events file has it: the sink writes it a moment after the event."""
    house.stage.until(lambda: "events.jsonl" in house.found(text))


@pytest.mark.parametrize("was_removed_before", [False, True], ids=["running", "removed before"])
def test_nothing_is_left_of_a_purged_stream(house: House, was_removed_before: bool) -> None:
    house.see(house.add("dock"), 1, "kept")
    house.see(house.add(_NAME), 1, "gone")
    wait_for_file(house, _ID)
    if was_removed_before:
        house.service.http.delete(f"/v1/streams/{_ID}")
        house.stage.until(lambda: house.service.http.get(f"/v1/streams/{_ID}").status_code == 404)
    assert {"actogram.sqlite3-wal", "events.jsonl", "clip.mp4"} & set(house.found(_ID))

    answer = house.service.http.delete(f"/v1/streams/{_ID}", params={"purge": "true"})

    assert answer.status_code == 204
    assert house.found(_ID) == []
    assert house.found(_NAME) == []
    assert house.found("hunter2") == []
    assert house.events() == ["kept"]
    assert "events.jsonl" in house.found("dock")


def test_numbers_of_erased_messages_stay_and_say_nothing(house: House) -> None:
    house.see(house.add(_NAME), 1, "gone")
    house.see(house.add("dock"), 1, "kept")

    house.service.http.delete(f"/v1/streams/{_ID}", params={"purge": "true"})

    messages = house.log.read(0, house.log.head(), 1000)
    assert [message.seq for message in messages] == list(range(1, house.log.head() + 1))
    erased = [message for message in messages if message.type == ERASED]
    assert erased
    assert {(one.stream_id, one.media_time_s, len(one.data), len(one.tags)) for one in erased} == {(None, None, 0, 0)}
    assert {message.stream_id for message in messages if message.type != ERASED} == {"dock"}


def test_purged_stream_may_be_added_again_and_is_another_one(house: House) -> None:
    house.see(house.add(_NAME), 1, "gone")
    house.service.http.delete(f"/v1/streams/{_ID}", params={"purge": "true"})

    house.see(house.add(_NAME), 1, "new")

    assert house.events() == ["new"]
    assert house.service.http.get(f"/v1/streams/{_ID}").status_code == 200


def test_purge_is_harmless_where_nothing_is(house: House) -> None:
    answers = [house.service.http.delete(f"/v1/streams/{name}?purge=true") for name in ("nobody", "x" * 300)]

    assert [answer.status_code for answer in answers] == [204, 204]


def test_nothing_is_left_of_an_erased_person(house: House) -> None:
    puppet = house.add("dock")
    house.see(puppet, 1, "first")
    house.see(puppet, 2, "second", shown=(1,))
    house.see(puppet, 3, "third")
    wait_for_file(house, "third")

    answer = house.service.http.delete("/v1/tracks/dock:1")

    assert answer.status_code == 204
    assert house.found("first") == []
    assert house.events() == ["second", "third"]
    assert house.service.http.get("/v1/tracks/dock:1").status_code == 404
    store = house.service.store
    assert '"track_id": 1' not in str(read_text(store, "evidence/second/skeletons.jsonl"))
    assert store.get("evidence/second/clip.mp4") is None
    assert house.service.http.get("/v1/events/second").json()["clip_state"] == "failed"
    assert store.get("evidence/third/clip.mp4") is not None
    assert house.thumbnail("second") == (404, "no_thumbnail")
    assert house.thumbnail("third") == (200, "image/jpeg")
    told = [message for message in house.log.read(0, house.log.head(), 1000) if message.data.get("track_id") == 1]
    assert told == []


def test_number_of_an_erased_person_is_never_given_again(house: House) -> None:
    puppet = house.add("dock")
    house.see(puppet, 1, "first")
    house.service.http.delete("/v1/tracks/dock:1")

    house.service.http.patch("/v1/streams/dock", json={"analysis": {"fps": 10}})
    again = house.stage.runners.next()

    assert again.task.config["first_track_id"] == 1001
    assert house.service.http.delete("/v1/tracks/dock:1").status_code == 404


def test_person_who_is_still_followed_is_not_erased(house: House) -> None:
    puppet = house.add("dock")
    puppet.say(TrackStarted(1, T0))
    house.stage.until(lambda: house.service.http.get("/v1/tracks/dock:1").status_code == 200)

    answer = house.service.http.delete("/v1/tracks/dock:1")

    assert (answer.status_code, answer.json()["code"]) == (409, "track_active")


@on_files
@pytest.mark.parametrize(("role", "status"), [("operator", 403), ("admin", 204)])
def test_only_admins_erase(serve: Serve, tmp_path: Path, role: Role, status: int) -> None:
    home = tmp_path / "home"
    home.mkdir()
    database = Database(f"sqlite:///{home / 'actogram.sqlite3'}")
    migrate(database)
    headers = {"Authorization": f"Bearer {KeyStore(database).create('who', role)}"}
    database.close()
    service = serve()

    answer = service.http.delete("/v1/streams/dock?purge=true", headers=headers)

    assert answer.status_code == status


def test_who_erased_is_in_the_audit_log(house: House) -> None:
    house.see(house.add(_NAME), 1, "gone")

    house.service.http.delete(f"/v1/streams/{_ID}?purge=true")

    audit = house.service.home / "audit.jsonl"
    house.stage.until(lambda: "DELETE" in audit.read_text())
    entries = [json.loads(line) for line in audit.read_text().splitlines()]
    assert [(one["method"], one["resource"], one["status"]) for one in entries][-1] == (
        "DELETE", f"/v1/streams/{_ID}?purge=true", 204,
    )  # fmt: skip


def test_stream_whose_worker_hangs_is_erased_once_it_lets_go(house: House) -> None:
    puppet = house.add(_NAME)
    house.see(puppet, 1, "gone")
    puppet.is_deaf = True

    answer = house.service.http.delete(f"/v1/streams/{_ID}?purge=true")
    puppet.say(report("action.started", "late", track_id=2))
    puppet.is_deaf = False

    assert answer.status_code == 202
    house.stage.until(lambda: house.found(_ID) == [], 20)
    assert house.events() == []


@on_files
def test_evidence_without_an_event_goes_once_it_is_old(house: House) -> None:
    house.see(house.add("dock"), 1, "kept")
    evidence = house.service.app.state.parts[EvidenceFolder]
    kept = house.service.home / "blobs" / "evidence"
    for name, age_s in (("lost", 3600), ("young", 0), ("kept", 3600)):
        house._keep(name, "dock", ()) if name != "kept" else None
        for path in (kept / name).iterdir():
            os.utime(path, (time.time() - age_s,) * 2)

    EventRetention(EventControl(Database(house.url)), evidence, dt.timedelta(days=9999), 100).sweep()

    assert {path.name for path in kept.iterdir()} == {"kept", "young"}


@on_files
@pytest.mark.parametrize("is_serving", [True, False], ids=["server runs", "no server"])
def test_command_erases_a_stream(tmp_path: Path, is_serving: bool) -> None:
    runners = PuppetRunners()
    home = tmp_path / "home"
    with running(home, ThreadEngine(lambda: runners), streams_per_worker=8, stream_fps_budget=100.0) as service:
        house = House(Stage(service, runners), service.app.state.parts[EventLog])
        house.see(house.add(_NAME), 1, "gone")
        if is_serving:
            said = actogram(home, "erase", "stream", _ID).stdout
    if not is_serving:
        said = actogram(home, "erase", "stream", _ID).stdout

    assert said == "erased\n"
    assert house.found(_ID) == []
    assert "cli" in (home / "audit.jsonl").read_text()


def test_command_refuses_what_is_no_person(tmp_path: Path) -> None:
    ended = actogram(tmp_path, "erase", "track", "dock")

    assert ended.exit_code == 2
    assert "STREAM:NUMBER" in ended.stderr


def in_tables(database: Database, text: str) -> list[str]:
    """Tables in which a text stands."""
    with database.read() as connection:
        names = sa.inspect(connection).get_table_names()
        rows = {name: str(connection.execute(sa.text(f'SELECT * FROM "{name}"')).all()) for name in names}
    return [name for name, found in rows.items() if text.lower() in found.lower()]


def test_nothing_is_left_in_postgresql(tmp_path: Path) -> None:
    runners = PuppetRunners()
    with (
        postgres() as url,
        running(
            tmp_path / "home", ThreadEngine(lambda: runners), streams_per_worker=8, stream_fps_budget=100.0,
            database_url=url,
        ) as service,
    ):  # fmt: skip
        house = House(Stage(service, runners), service.app.state.parts[EventLog])
        puppet = house.add(_NAME)
        for track_id, event_id in ((1, "first"), (2, "second")):
            house.see(puppet, track_id, event_id)
        database = Database(url)
        found = [set(in_tables(database, text)) for text in ("first", _ID)]
        house.service.http.delete(f"/v1/tracks/{_ID}:1")
        left_of_person = in_tables(database, "first")
        house.service.http.delete(f"/v1/streams/{_ID}", params={"purge": "true"})
        left_of_stream = in_tables(database, _ID)
        database.close()

    assert found[0] >= {"events", "event_log", "feedback"}
    assert found[1] >= {"streams", "events", "event_log", "tracks", "feedback"}
    assert left_of_person == []
    assert left_of_stream == []
