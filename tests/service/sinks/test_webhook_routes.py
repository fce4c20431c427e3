"""Webhooks over HTTP: a repeated POST makes one webhook."""

import threading
from collections.abc import Iterator

import httpx
import pytest

from service.idempotency import fingerprint
from service.sinks.control import fingerprint_of
from service.sinks.schemas import WebhookCreate
from tests.service.conftest import Running

BODY = {"url": "http://127.0.0.1:9/hook", "enabled": False}
KEY = {"Idempotency-Key": "one-webhook"}


@pytest.fixture
def http(service: Running) -> Iterator[httpx.Client]:
    """A client of a service without webhooks."""
    yield service.http
    for one in service.http.get("/v1/webhooks").json()["items"]:
        service.http.delete(f"/v1/webhooks/{one['webhook_id']}")


def ids(http: httpx.Client) -> list[str]:
    return [one["webhook_id"] for one in http.get("/v1/webhooks").json()["items"]]


def test_webhook_post_answers_the_first_ones_webhook_when_it_is_repeated(http: httpx.Client) -> None:
    first = http.post("/v1/webhooks", json=BODY, headers=KEY)
    again = http.post("/v1/webhooks", json=BODY, headers=KEY)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.json() == first.json(), "with the secret: the first answer may have been lost on its way"
    assert again.headers["location"] == f"/v1/webhooks/{first.json()['webhook_id']}"
    assert "idempotent-replayed" not in first.headers
    assert again.headers["idempotent-replayed"] == "true"
    assert ids(http) == [first.json()["webhook_id"]]


def test_webhook_post_refuses_a_key_that_made_another_one(http: httpx.Client) -> None:
    first = http.post("/v1/webhooks", json=BODY, headers=KEY)

    other = http.post("/v1/webhooks", json={**BODY, "messages": ["action"]}, headers=KEY)

    assert (other.status_code, other.json()["code"]) == (409, "idempotency_conflict")
    assert ids(http) == [first.json()["webhook_id"]]


def test_webhook_post_makes_a_new_one_when_the_keys_webhook_was_removed(http: httpx.Client) -> None:
    first = http.post("/v1/webhooks", json=BODY, headers=KEY).json()
    http.delete(f"/v1/webhooks/{first['webhook_id']}")

    second = http.post("/v1/webhooks", json=BODY, headers=KEY)

    assert second.status_code == 201
    assert ids(http) == [second.json()["webhook_id"]] != [first["webhook_id"]]


def test_webhook_key_is_not_the_key_of_a_job(http: httpx.Client) -> None:
    video = {"file": ("clip.mp4", b"script ok")}
    job = http.post("/v1/jobs", files=video, headers=KEY)

    made = http.post("/v1/webhooks", json=BODY, headers=KEY)

    assert (job.status_code, made.status_code) == (202, 201)


def test_webhook_posts_with_one_key_make_one_webhook_when_they_come_together(http: httpx.Client) -> None:
    answers: list[int] = []
    together = threading.Barrier(4)

    def post() -> None:
        together.wait(5)
        answers.append(http.post("/v1/webhooks", json=BODY, headers=KEY).status_code)

    posts = [threading.Thread(target=post) for _ in range(4)]
    for one in posts:
        one.start()
    for one in posts:
        one.join(20)

    assert answers == [201] * 4
    assert len(ids(http)) == 1


def test_webhook_request_of_an_earlier_version_is_known_again() -> None:
    earlier = (
        '{"url":"https://café.example/hook","secret":null,"messages":["action"],"streams":null,"actions":null,'
        '"only_rules":false,"enabled":true}'
    )
    wanted = WebhookCreate.model_validate({"url": "https://café.example/hook", "messages": ["action"]})

    assert fingerprint_of(wanted) == fingerprint(earlier)
    assert fingerprint_of(wanted.model_copy(update={"escalate_after_s": 60.0})) != fingerprint(earlier)
