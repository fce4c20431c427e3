"""Who is there, who leads, who has what: by the database's clock, and never two at once."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import sqlalchemy as sa

from service.database import Database, migrate
from service.errors import ReplicaMismatch
from service.replicas.leases import Leases
from service.replicas.membership import Member, Site
from tests.postgres import postgres


@pytest.fixture
def database() -> Iterator[Database]:
    with postgres() as url:
        found = Database(url)
        migrate(found)
        yield found
        found.close()


def _site(name: str, **changes: str) -> Site:
    return Site(**({"site": name, "url": "", "key_check": "key", "blobs": "s3://blobs"} | changes))


@contextmanager
def joined(database: Database, *names: str) -> Iterator[list[Member]]:
    """Members that beat only when they are told to."""
    members = [Member(database, _site(name), lambda: {"stream_workers": 1}, beat_s=3600) for name in names]
    for member in members:
        member.join()
    for member in members:
        member.beat()
    try:
        yield members
    finally:
        for member in members:
            member.leave()


def _expire(database: Database, member: Member) -> None:
    with database.write() as connection:
        connection.execute(
            sa.text("UPDATE replicas SET expires_at = clock_timestamp() - interval '1 s' WHERE replica_id = :one"),
            {"one": member.replica_id},
        )


def test_oldest_replica_leads_and_the_next_one_after_it(database: Database) -> None:
    with joined(database, "one", "two") as (one, two):
        before = (one.is_leader(), two.is_leader())
        one.leave()
        two.beat()

        assert (before, two.is_leader(), one.is_leader()) == ((True, False), True, False)


def test_leader_that_does_not_beat_leads_no_more_by_its_own_clock(database: Database) -> None:
    member = Member(database, _site("one"), lease_s=1.2, beat_s=3600)
    member.join()
    found = [member.is_leader()]

    time.sleep(0.4)
    found.append(member.is_leader())
    member.leave()

    assert found == [True, False]


def test_what_a_dead_replica_had_is_free_and_what_a_living_one_has_is_not(database: Database) -> None:
    with joined(database, "dead", "alive", "heir") as (dead, alive, heir):
        with database.write() as connection:
            assert Leases("stream", dead).claim(connection, "door")
            assert Leases("stream", alive).claim(connection, "yard")
            assert not Leases("stream", heir).claim(connection, "door")
        _expire(database, dead)

        with database.write() as connection:
            freed = Leases("stream", heir).take_over(connection)
            again = Leases("stream", alive).take_over(connection)
            has_claimed = [Leases("stream", heir).claim(connection, name) for name in ("door", "yard")]

        assert (freed, again, has_claimed) == (["door"], [], [True, False])


def test_replica_that_could_not_beat_itself_judges_no_other(database: Database) -> None:
    with joined(database, "one", "two") as (one, two):
        _expire(database, two)
        one._beat_s = float("-inf")
        one.beat()

        with database.write() as connection:
            found = one.alive(connection)

        assert found == {one.replica_id, two.replica_id}


def test_successor_in_the_same_home_takes_over_at_once(database: Database) -> None:
    before = Member(database, _site("host:/data"), beat_s=3600)
    before.join()
    with database.write() as connection:
        Leases("job", before).claim(connection, "job_1")

    after = Member(database, _site("host:/data"), beat_s=3600)
    after.join()
    with database.write() as connection:
        freed = Leases("job", after).take_over(connection, is_start=True)
    after.leave()

    assert freed == ["job_1"]


@pytest.mark.parametrize(
    ("changes", "named"),
    [({"key_check": "other"}, "ACTOGRAM_SECRET_KEY"), ({"blobs": "the home elsewhere"}, "ACTOGRAM_BLOBS_URL")],
    ids=["another key", "other blobs"],
)
def test_server_that_cannot_share_is_refused(database: Database, changes: dict[str, str], named: str) -> None:
    with joined(database, "one"), pytest.raises(ReplicaMismatch, match=named) as caught:
        Member(database, _site("two", **changes)).join()

    assert caught.value.code == "replica_mismatch"


def test_share_follows_the_workers_that_are_ready(database: Database) -> None:
    with joined(database, "one", "two", "three") as (one, two, three):
        three.tell_with(lambda: {"stream_workers": 0})
        three.beat()
        one.beat()

        leases = Leases("stream", one)

        assert [leases.share(5), leases.share(5, two.replica_id), leases.share(5, three.replica_id)] == [3, 3, 0]
