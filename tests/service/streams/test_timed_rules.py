"""Rules over time over HTTP: made, changed, removed, and watched on what a worker tells."""

import time

import pytest

from tests.service.streams.conftest import Stage

ZONE = {"name": "bed", "polygon": [[0, 0], [0.5, 0], [0.5, 1]]}


def body(stream_id: str, **parts: object) -> dict[str, object]:
    return {"stream_id": stream_id, "name": "empty", "kind": "nobody_seen", "after_s": 1, **parts}


def test_rule_tells_its_event_from_the_pictures_of_a_worker(stage: Stage) -> None:
    stream_id, puppet = stage.watch(time_zone="Europe/Berlin")
    puppet.state("running")
    made = stage.service.http.post("/v1/timed_rules", json=body(stream_id)).json()
    index = iter(range(10_000))

    def is_told() -> bool:
        puppet.frame(next(index))
        time.sleep(0.05)
        return stage.get(f"/v1/timed_rules/{made['rule_id']}")["state"] == "met"

    stage.until(is_told)

    events = stage.service.http.get(f"/v1/events?stream_id={stream_id}&action=nobody_seen").json()["items"]
    assert [(one["state"], one["rules"], one["severity"]) for one in events] == [("confirmed", ["empty"], "alarm")]
    assert stage.get(f"/v1/streams/{stream_id}/status")["timed_rules"] == {"empty": "met"}
    metrics = stage.service.http.get("/metrics").text
    assert 'actogram_timed_rules{state="met"} 1.0' in metrics
    assert 'actogram_actions_total{action="nobody_seen",state="confirmed"}' in metrics


def test_rule_goes_when_its_stream_is_removed(stage: Stage) -> None:
    stream_id = stage.add()
    made = stage.service.http.post("/v1/timed_rules", json=body(stream_id)).json()

    stage.service.http.delete(f"/v1/streams/{stream_id}")

    assert stage.service.http.get(f"/v1/timed_rules/{made['rule_id']}").status_code == 404


def test_rule_is_listed_changed_and_removed(stage: Stage) -> None:
    stream_id = stage.add(zones=[ZONE])
    http = stage.service.http
    answer = http.post("/v1/timed_rules", json=body(stream_id, zone="bed", hours=[{"from": "22:00", "to": "06:00"}]))
    path = answer.headers["location"]

    changed = http.patch(path, json={"after_s": 90, "zone": None, "enabled": False}).json()

    assert (answer.status_code, answer.json()["hours"][0]["from"]) == (201, "22:00")
    assert (changed["after_s"], changed["zone"], changed["enabled"]) == (90, None, False)
    assert [one["name"] for one in http.get(f"/v1/timed_rules?stream_id={stream_id}").json()["items"]] == ["empty"]
    assert http.get("/v1/timed_rules?stream_id=other").json()["items"] == []
    assert [http.delete(path).status_code for _ in range(2)] == [204, 204]
    assert http.get(path).status_code == 404


def test_rule_post_makes_one_rule_when_it_is_repeated(stage: Stage) -> None:
    stream_id = stage.add()
    posts = [
        stage.service.http.post("/v1/timed_rules", json=body(stream_id), headers={"Idempotency-Key": f"k {stream_id}"})
        for _ in range(2)
    ]

    assert posts[0].json()["rule_id"] == posts[1].json()["rule_id"]
    assert posts[1].headers["idempotent-replayed"] == "true"


@pytest.mark.parametrize(
    "parts",
    [
        {"after_s": 0},
        {"after_s": -1},
        {"after_s": True},
        {"after_s": "60"},
        {"after_s": 1e99},
        {"kind": "nobody"},
        {"name": ""},
        {"zone": "nowhere"},
        {"kind": "lies_outside"},
        {"hours": [{"from": "08:00", "to": "08:00"}]},
        {"hours": [{"from": "08:00", "to": "09:00", "days": ["someday"]}]},
        {"hours": [{"from": "08:00", "to": "09:00"}] * 29},
        {"severity": "loud"},
        {"colour": "red"},
    ],
)
def test_rule_is_refused_when_a_part_of_it_is_odd(stage: Stage, parts: dict[str, object]) -> None:
    stream_id = stage.add()

    answer = stage.service.http.post("/v1/timed_rules", json=body(stream_id, **parts))

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


def test_rule_is_refused_when_its_seconds_are_no_number(stage: Stage) -> None:
    text = f'{{"stream_id": "{stage.add()}", "name": "x", "kind": "nobody_seen", "after_s": NaN}}'

    answer = stage.service.http.post("/v1/timed_rules", content=text, headers={"Content-Type": "application/json"})

    assert answer.status_code == 422


def test_rule_is_refused_for_a_stream_that_is_not_there(stage: Stage) -> None:
    assert stage.service.http.post("/v1/timed_rules", json=body("nowhere")).status_code == 404


@pytest.mark.parametrize("zone", ["Europe/Nowhere", "../../etc/passwd", "", "Europe", "x" * 65])
def test_stream_is_refused_whose_time_zone_is_unknown(stage: Stage, zone: str) -> None:
    answer = stage.service.http.patch(f"/v1/streams/{stage.add()}", json={"time_zone": zone})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
