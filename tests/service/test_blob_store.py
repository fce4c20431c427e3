"""Blobs in a folder and in an S3 server: the same promises, the same tests; and what a store that fails says."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from service.blob_choice import require_own
from service.blob_s3 import S3Store
from service.blob_store import BlobStore, FileStore, RemoteBlob, fetch, read_text
from service.blob_url import parse_blobs_url
from service.errors import BlobsBucketMissing, BlobsDenied, BlobsForeign, BlobsUnavailable
from service.settings import SettingsInvalid, load_settings
from tests.s3 import Bucket, bucket, environment


@pytest.fixture(scope="module")
def shared_bucket() -> Iterator[Bucket]:
    with bucket() as found:
        yield found


@pytest.fixture(params=["files", "s3"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BlobStore]:
    if request.param == "files":
        yield FileStore(tmp_path / "blobs")
        return
    found: Bucket = request.getfixturevalue("shared_bucket")
    with environment(found.environment):
        yield S3Store(f"{found.url}/{tmp_path.name.replace('[', '').replace(']', '')}", found.environment)


def test_blob_is_read_back_whole_and_in_part(store: BlobStore) -> None:
    store.write("jobs/a/results.jsonl", b"0123456789")

    whole = b"".join(store.read("jobs/a/results.jsonl"))
    parts = [b"".join(store.read("jobs/a/results.jsonl", *bounds)) for bounds in ((3,), (2, 5), (8, 99), (5, 5))]

    assert (whole, parts) == (b"0123456789", [b"3456789", b"234", b"89", b""])


def test_file_of_many_parts_comes_back_as_it_was(store: BlobStore, tmp_path: Path) -> None:
    path = tmp_path / "big.mp4"
    path.write_bytes(bytes(range(256)) * 45_000)

    store.put("jobs/a/source.mp4", path)
    fetch(store, "jobs/a/source.mp4", tmp_path / "again.mp4")

    assert (tmp_path / "again.mp4").read_bytes() == path.read_bytes()


def test_empty_blob_is_a_blob(store: BlobStore) -> None:
    store.write("jobs/a/results.csv", b"")

    assert b"".join(store.read("jobs/a/results.csv")) == b""
    assert store.get("jobs/a/results.csv") is not None


def test_blob_is_replaced_as_a_whole(store: BlobStore) -> None:
    store.write("evidence/e/skeletons.jsonl", b"a long first text")

    store.write("evidence/e/skeletons.jsonl", b"short")

    assert read_text(store, "evidence/e/skeletons.jsonl") == "short"


def test_listing_tells_keys_and_sizes_of_one_folder_alone(store: BlobStore) -> None:
    for key, size in (("jobs/a/one", 1), ("jobs/a/two", 2), ("jobs/ab/three", 3), ("evidence/a/four", 4)):
        store.write(key, bytes(size))

    found = [(blob.key, blob.size_bytes) for blob in store.list("jobs/a")]

    assert found == [("jobs/a/one", 1), ("jobs/a/two", 2)]
    assert (sorted(store.folders("jobs")), list(store.list("jobs/none"))) == (["a", "ab"], [])


def test_folder_goes_with_everything_in_it_and_nothing_beside_it(store: BlobStore) -> None:
    for key in ("jobs/a/one", "jobs/a/two", "jobs/ab/three"):
        store.write(key, b"x")

    store.remove("jobs/a")
    store.remove("jobs/a")

    assert [blob.key for blob in store.list("jobs")] == ["jobs/ab/three"]


def test_what_is_not_there_is_none_and_no_error_of_the_store(store: BlobStore, tmp_path: Path) -> None:
    assert store.get("jobs/none/x") is None
    assert read_text(store, "jobs/none/x") is None
    with pytest.raises(FileNotFoundError):
        fetch(store, "jobs/none/x", tmp_path / "x")
    assert not (tmp_path / "x").exists()


def test_store_that_answers_is_sound(store: BlobStore) -> None:
    store.check()


def test_listing_of_more_than_one_page_is_whole(shared_bucket: Bucket) -> None:
    with environment(shared_bucket.environment):
        store = S3Store(f"{shared_bucket.url}/many", shared_bucket.environment)
        for number in range(1005):
            store.write(f"jobs/a/{number:04}", b"x")

        found = [blob.name for blob in store.list("jobs/a")]
        store.remove("jobs/a")

        assert found == [f"{number:04}" for number in range(1005)]
        assert list(store.list("jobs")) == []


CALLS: dict[str, Callable[[BlobStore, Path], object]] = {
    "get": lambda store, _: store.get("jobs/a/x"),
    "read": lambda store, _: list(store.read("jobs/a/x")),
    "list": lambda store, _: list(store.list("jobs")),
    "folders": lambda store, _: list(store.folders("jobs")),
    "put": lambda store, path: store.put("jobs/a/x", path),
    "write": lambda store, _: store.write("jobs/a/x", b"x"),
    "remove": lambda store, _: store.remove("jobs/a"),
    "check": lambda store, _: store.check(),
}


@pytest.mark.parametrize("call", CALLS)
def test_store_that_is_down_is_said_soon(shared_bucket: Bucket, tmp_path: Path, call: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    variables = {**shared_bucket.environment, "AWS_ENDPOINT_URL": "http://someone:secret-word@127.0.0.1:1"}

    with environment(variables):
        store = S3Store(shared_bucket.url, variables)
        began_s = time.monotonic()
        with pytest.raises(BlobsUnavailable, match="does not answer") as caught:
            CALLS[call](store, tmp_path / "x")

    assert (caught.value.code, time.monotonic() - began_s < 15) == ("blobs_unavailable", True)
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize("call", CALLS)
def test_bucket_that_is_missing_is_said(shared_bucket: Bucket, tmp_path: Path, call: str) -> None:
    (tmp_path / "x").write_bytes(b"x")

    with environment(shared_bucket.environment):
        store = S3Store("s3://no-such-bucket", shared_bucket.environment)
        with pytest.raises(BlobsBucketMissing) as caught:
            CALLS[call](store, tmp_path / "x")

    assert caught.value.code == "blobs_bucket_missing"


class _Refusing(BaseHTTPRequestHandler):
    """Answers everything as a store does that does not know the key."""

    def _refuse(self) -> None:
        self.rfile.read(int(self.headers.get("content-length", 0)))
        body = b"<Error><Code>SignatureDoesNotMatch</Code><Message>secret-word</Message></Error>"
        self.send_response(403)
        self.send_header("content-length", "0" if self.command == "HEAD" else str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_PUT = do_POST = do_HEAD = do_DELETE = _refuse  # noqa: N815 - the names that the base class calls

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's
        """Say nothing."""


@pytest.fixture(scope="module")
def refusing() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()


@pytest.mark.parametrize("call", CALLS)
def test_wrong_credentials_are_said(refusing: str, shared_bucket: Bucket, tmp_path: Path, call: str) -> None:
    (tmp_path / "x").write_bytes(b"x")
    variables = {**shared_bucket.environment, "AWS_ENDPOINT_URL": refusing}

    with environment(variables):
        store = S3Store(shared_bucket.url, variables)
        with pytest.raises(BlobsDenied) as caught:
            CALLS[call](store, tmp_path / "x")

    assert caught.value.code == "blobs_denied"
    assert "secret-word" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["s3://", "s3://UPPER/x", "https://bucket/x", "s3://user:word@bucket/x", "s3://bucket/../x", "s3://bucket?x=1"],
)
def test_address_that_names_no_bucket_is_refused_without_being_repeated(url: str) -> None:
    with pytest.raises(SettingsInvalid) as caught:
        load_settings(blobs_url=url)

    assert "ACTOGRAM_BLOBS_URL" in str(caught.value)
    assert "word" not in str(caught.value)


def test_place_of_another_installation_is_left_alone(shared_bucket: Bucket) -> None:
    with environment(shared_bucket.environment):
        store = S3Store(f"{shared_bucket.url}/owned", shared_bucket.environment)
        require_own(store, "we")
        require_own(store, "we")

        with pytest.raises(BlobsForeign) as caught:
            require_own(store, "they")

    assert caught.value.code == "blobs_foreign"


def test_address_is_bucket_and_prefix() -> None:
    assert parse_blobs_url("s3://bucket-1/a/b/") == ("bucket-1", "a/b")
    assert parse_blobs_url("s3://bucket-1") == ("bucket-1", "")


def test_remote_blob_says_what_it_is(shared_bucket: Bucket) -> None:
    with environment(shared_bucket.environment):
        store = S3Store(f"{shared_bucket.url}/one", shared_bucket.environment)
        store.write("jobs/a/x.mp4", b"abc")

        found = store.get("jobs/a/x.mp4")

    assert isinstance(found, RemoteBlob)
    assert (found.info.name, found.info.size_bytes, found.info.etag.startswith('"')) == ("x.mp4", 3, True)
    assert replace(found.info, etag="").key == "jobs/a/x.mp4"
