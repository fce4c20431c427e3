"""What the doctor says of an object store: sound, away, and without the bucket; and no secret in any of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from service.blob_s3 import S3Store
from service.doctor.blobs import check_blobs
from service.doctor.secrets import known_secrets
from service.settings import load_settings
from tests.s3 import Bucket, bucket, environment


@pytest.fixture(scope="module")
def store() -> Iterator[Bucket]:
    with bucket() as found:
        yield found


def test_files_of_the_home_are_sound(tmp_path: Path) -> None:
    (found,) = check_blobs(load_settings(home=tmp_path))

    assert (found.name, found.state) == ("blobs", "ok")


def test_store_that_does_its_part_is_sound_and_nothing_is_left_in_it(store: Bucket, tmp_path: Path) -> None:
    with environment(store.environment):
        (found,) = check_blobs(load_settings(home=tmp_path, blobs_url=store.url))
        left = list(S3Store(store.url, store.environment).list("probes"))

    assert (found.state, left) == ("ok", [])


@pytest.mark.parametrize(
    ("url", "endpoint", "advice"),
    [("s3://not-there", None, "make the bucket"), (None, "http://127.0.0.1:1", "AWS_ENDPOINT_URL")],
    ids=["no bucket", "away"],
)
def test_store_that_fails_is_said_with_what_to_do(
    store: Bucket, tmp_path: Path, url: str | None, endpoint: str | None, advice: str
) -> None:
    variables = {**store.environment, **({} if endpoint is None else {"AWS_ENDPOINT_URL": endpoint})}

    with environment(variables):
        (found,) = check_blobs(load_settings(home=tmp_path, blobs_url=url or store.url))

    assert found.state == "bad"
    assert advice in found.advice


def test_credentials_of_the_store_are_secrets(tmp_path: Path) -> None:
    variables = {"AWS_SECRET_ACCESS_KEY": "one-secret", "AWS_ENDPOINT_URL": "http://user:another-one@store:9000"}

    found = known_secrets(load_settings(home=tmp_path), variables)

    assert set(found) == {"one-secret", "another-one"}
