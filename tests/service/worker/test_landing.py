"""Evidence on its way to a store: sent as soon as the store takes it, by the next worker if need be, bounded."""

import os
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipelines.backoff import Backoff
from service.worker.landing import InPlace, Uploads
from tests.blob_fakes import FlakyStore

_QUICK = Backoff(first_s=0.01, longest_s=0.02)


@contextmanager
def uploads(folder: Path, store: FlakyStore, waiting_max: int = 1000) -> Iterator[Uploads]:
    found = Uploads(folder / "spool", store, _QUICK, waiting_max)
    found.start()
    try:
        yield found
    finally:
        found.stop()


def _keep(folder: Path, event_id: str, *names: str) -> None:
    (folder / "spool" / event_id).mkdir(parents=True, exist_ok=True)
    for name in names:
        (folder / "spool" / event_id / name).write_text(name)


def test_evidence_is_in_the_store_before_anybody_is_told(tmp_path: Path) -> None:
    store, told = FlakyStore(tmp_path / "store"), threading.Event()
    seen: list[str] = []

    with uploads(tmp_path, store) as landing:
        _keep(tmp_path, "e1", "clip.mp4", "evidence.json", ".half.part")

        def tell(is_there: bool) -> None:
            seen.extend(blob.name for blob in store.list("evidence/e1") if is_there)
            told.set()

        landing.land("e1", tell)
        assert told.wait(5)

    assert seen == ["clip.mp4", "evidence.json"]
    assert [path.name for path in (tmp_path / "spool" / "e1").iterdir()] == [".half.part"]


def test_evidence_waits_until_the_store_is_back(tmp_path: Path) -> None:
    store = FlakyStore(tmp_path / "store", failures=5)

    with uploads(tmp_path, store) as landing:
        _keep(tmp_path, "e1", "clip.mp4")
        landing.land("e1", lambda _: None)
        has_settled = landing.settle(5)

    assert (has_settled, [blob.name for blob in store.list("evidence")]) == (True, ["clip.mp4"])
    assert list((tmp_path / "spool").iterdir()) == []


def test_what_a_killed_worker_left_is_sent_by_the_next_one(tmp_path: Path) -> None:
    store = FlakyStore(tmp_path / "store")
    _keep(tmp_path, "old", "clip.mp4")
    _keep(tmp_path, "young", "clip.mp4")
    os.utime(tmp_path / "spool" / "old", (time.time() - 3600,) * 2)

    with uploads(tmp_path, store) as landing:
        landing.settle(5)

    assert [blob.key for blob in store.list("evidence")] == ["evidence/old/clip.mp4"]


def test_oldest_evidence_is_given_up_when_too_much_waits(tmp_path: Path) -> None:
    store = FlakyStore(tmp_path / "store", failures=10_000)
    told: list[tuple[str, bool]] = []

    with uploads(tmp_path, store, waiting_max=2) as landing:
        for event_id in ("e1", "e2", "e3", "e4"):
            _keep(tmp_path, event_id, "clip.mp4")
            landing.land(event_id, lambda is_there, event_id=event_id: told.append((event_id, is_there)))  # type: ignore[misc]
        has_settled = landing.settle(0.2)

    assert has_settled is False
    assert all(not is_there for _, is_there in told)
    assert len(list((tmp_path / "spool").iterdir())) <= 3


def test_evidence_in_place_is_there_at_once(tmp_path: Path) -> None:
    told: list[bool] = []

    landing = InPlace(tmp_path)
    landing.land("e1", told.append)

    assert (told, landing.settle(0)) == ([True], True)
