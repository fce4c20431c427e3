"""An S3 server of a test's own, where one is installed."""

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest


@dataclass(frozen=True)
class Bucket:
    """An empty bucket on a server of this machine, and what a process must have in its environment to use it."""

    url: str
    endpoint: str

    @property
    def environment(self) -> dict[str, str]:
        return {
            "AWS_ENDPOINT_URL": self.endpoint, "AWS_ACCESS_KEY_ID": "test", "AWS_SECRET_ACCESS_KEY": "test-secret",
            "AWS_REGION": "us-east-1",
        }  # fmt: skip


@contextmanager
def bucket() -> Iterator[Bucket]:
    """Serve an empty bucket until the end of the block, or skip the test."""
    pytest.importorskip("obstore", reason="the client of object stores is not installed")
    server = pytest.importorskip("moto.server", reason="moto, the S3 server of these tests, is not installed")
    boto3 = pytest.importorskip("boto3", reason="boto3, which makes the bucket, is not installed")
    running = server.ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    running.start()
    try:
        host, port = running.get_host_and_port()
        found = Bucket(f"s3://actogram-{secrets.token_hex(4)}/some/place", f"http://{host}:{port}")
        client = boto3.client(
            "s3", endpoint_url=found.endpoint, region_name="us-east-1", aws_access_key_id="test",
            aws_secret_access_key="test-secret",
        )  # fmt: skip
        client.create_bucket(Bucket=found.url.split("/")[2])
        client.close()
        yield found
    finally:
        running.stop()


@contextmanager
def environment(variables: dict[str, str]) -> Iterator[None]:
    """Some variables of this process, until the end of the block: workers that it starts see them too."""
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
