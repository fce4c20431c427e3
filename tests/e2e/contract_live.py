"""The live half of the made-up server: cameras, events, webhooks."""

import asyncio
import base64
import datetime as dt
from collections.abc import AsyncIterator, Sequence
from typing import Annotated, Any

import cv2
from fastapi import APIRouter, Body, WebSocket, WebSocketDisconnect
from fastapi.responses import JSONResponse, Response, StreamingResponse

from service.worker.preview import stamped
from tests.e2e.contract_server import Contract, Json, problem
from tests.e2e.stick_figures import RATE_HZ, Act, draw, film, frame_lines, people_at

BOUNDARY = "frame"
BEFORE_ALL, AFTER_ALL = (time.replace(tzinfo=dt.UTC) for time in (dt.datetime.min, dt.datetime.max))
Changes = Annotated[dict[str, Any], Body()]


def clock(age_s: float) -> str:
    """The wall time so many seconds ago."""
    return (dt.datetime.now(dt.UTC) - dt.timedelta(seconds=age_s)).isoformat()


def jpeg(acts: Sequence[Act], index: int) -> bytes:
    """The picture of a frame, which says which frame it is."""
    time_s = index / RATE_HZ
    picture = draw([points for _, points in people_at(acts, time_s)], time_s)
    return stamped(cv2.imencode(".jpg", picture)[1].tobytes(), index, time_s)


def add_stream(contract: Contract, name: str, acts: Sequence[Act], **changes: Any) -> str:
    """A camera that shows `acts` over and over; `changes` go over its fields."""
    stream_id = name.lower().replace(" ", "-")
    contract.acts[stream_id] = list(acts)
    contract.streams[stream_id] = {
        "stream_id": stream_id, "name": name, "enabled": True, "state": "running", "state_since": clock(60),
        "last_error": None, "created_at": clock(3600), "source": {"uri": "rtsp://camera/1", "transport": "tcp"},
        "analysis": {"fps": 15}, "zones": [], "rules": [], "privacy": {"pictures": True}, "tags": {}, **changes,
    }  # fmt: skip
    return stream_id


def add_event(contract: Contract, stream_id: str, action: str, age_s: float, **changes: Any) -> str:
    """An event that began `age_s` seconds ago."""
    event_id = f"evt-{len(contract.events) + 1}"
    contract.events[event_id] = {
        "event_id": event_id, "stream_id": stream_id, "job_id": None, "track_id": 1, "action": action,
        "state": "ended", "severity": {"fall": "alarm", "lie": "warning"}.get(action, "info"), "score": 0.91,
        "start_time": clock(age_s), "end_time": clock(max(0.0, age_s - 3)), "duration_s": 3.0, "start_s": 0.0,
        "end_s": 3.0, "zones": [], "rules": [], "box": [0.1, 0.2, 0.3, 0.9], "model": "stgcnpp-everyday", "tags": {},
        "clip_state": "ready", "clip": {}, "acknowledged_at": None, "comment": "", "seq": 1, **changes,
    }  # fmt: skip
    return event_id


def tell_frame(state: Contract, stream_id: str, index: int) -> None:
    """Say who is in a frame of a camera."""
    line = frame_lines(state.acts[stream_id], (index + 1) / RATE_HZ)[index]
    data: Json = {"persons": line["persons"], "frame_size": [640, 360], "layout": "coco17"}
    state.tell("frame", data, stream_id=stream_id, frame_index=index, media_time_s=index / RATE_HZ)


def create_live_router(state: Contract) -> APIRouter:
    """The paths of cameras, events and webhooks over `state`."""
    router = APIRouter(prefix="/v1")
    _add_streams(router, state)
    _add_cameras(router, state)
    _add_pictures(router, state)
    _add_events(router, state)
    _add_webhooks(router, state)
    _add_told(router)
    return router


def _add_streams(router: APIRouter, state: Contract) -> None:
    @router.get("/streams")
    def streams() -> Json:
        return {"items": list(state.streams.values()), "next_cursor": None}

    @router.post("/streams", status_code=201)
    def create(wanted: Changes) -> Response:
        if state.refusal is not None:
            return state.refusal
        changes = {**wanted, "state": "connecting"}
        return JSONResponse(state.streams[add_stream(state, changes.pop("name"), [], **changes)], 201)

    @router.get("/streams/{stream_id}")
    def stream(stream_id: str) -> Response:
        found = state.streams.get(stream_id)
        return JSONResponse(found) if found else problem(404, "not_found", f"no stream {stream_id}")

    @router.patch("/streams/{stream_id}")
    def change(stream_id: str, changes: Changes) -> Json:
        state.streams[stream_id].update(changes)
        return state.streams[stream_id]

    @router.delete("/streams/{stream_id}", status_code=204)
    def discard(stream_id: str) -> None:
        state.streams.pop(stream_id, None)

    @router.get("/streams/{stream_id}/status")
    def status(stream_id: str) -> Json:
        return {
            "state": state.streams[stream_id]["state"], "fps_in": 15.0, "fps_analysed": 14.8, "frame_age_ms": 120,
            "latency_ms": {"p50": 212.0, "p95": 384.0, "p99": 511.0}, "dropped": {"too_old": 12}, "reconnects": 1,
        }  # fmt: skip

    @router.get("/capacity")
    def capacity() -> Json:
        return {
            "streams": len(state.streams), "streams_max": 4, "fps_budget": 62.0, "fps_planned": 45.0,
            "free_slots": 1, "why": "one worker of 62 pictures a second",
        }  # fmt: skip


def _add_cameras(router: APIRouter, state: Contract) -> None:
    @router.post("/cameras/test")
    def test(asked: Changes) -> Response:
        state.tested.append(asked)
        if state.refusal is not None:
            return state.refusal
        picture = base64.b64encode(jpeg([Act(1, "walk", 0, 4)], 20)).decode()
        found = {
            "codec": "h264",
            "size": [640, 360],
            "fps": 15.0,
            "opened_s": 0.4,
            "picture": picture,
            "is_coarse": False,
        }
        return JSONResponse({"uri": "rtsp://***@10.0.0.9/1", **found})

    @router.post("/cameras/search")
    def search() -> Json:
        hall = {"address": "http://10.0.0.9/onvif/device_service", "host": "10.0.0.9", "name": "Hall camera"}
        return {"items": [{**hall, "hardware": "X-1", "location": "hall"}], "refused": 1}

    @router.post("/cameras/streams")
    def streams_of(asked: Changes) -> Response:
        if asked.get("password") != "pass/word":
            return problem(502, "auth_failed", "http://10.0.0.9/onvif/device_service: the login was refused")
        main = {"name": "main", "uri": "rtsp://10.0.0.9:554/1", "codec": "h264", "size": [1920, 1080], "fps": 25.0}
        return JSONResponse({"manufacturer": "Acme", "model": "X-1", "streams": [main]})


def _add_pictures(router: APIRouter, state: Contract) -> None:
    @router.get("/streams/{stream_id}/snapshot")
    def snapshot(stream_id: str) -> Response:
        state.pictures_asked += 1
        return Response(jpeg(state.acts[stream_id], 40), media_type="image/jpeg")

    @router.get("/jobs/{job_id}/thumbnail")
    def thumbnail(job_id: str) -> Response:
        return Response(jpeg(state.acts[job_id], 10), media_type="image/jpeg")

    @router.get("/events/{event_id}/thumbnail")
    def event_thumbnail(event_id: str) -> Response:
        return Response(jpeg([Act(1, "fall", 0, 1)], 5), media_type="image/jpeg")

    @router.get("/streams/{stream_id}/preview")
    def preview(stream_id: str) -> StreamingResponse:
        state.pictures_asked += 1

        async def pictures() -> AsyncIterator[bytes]:
            shown = -1
            while stream_id in state.streams:
                index = state.frame_now
                if index != shown:
                    shown = index
                    data = jpeg(state.acts[stream_id], index)
                    yield b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n%b\r\n" % (len(data), data)
                await asyncio.sleep(0.05)

        return StreamingResponse(pictures(), media_type=f"multipart/x-mixed-replace; boundary={BOUNDARY}")

    @router.websocket("/streams/{stream_id}/push")
    async def push(socket: WebSocket, stream_id: str) -> None:
        await socket.accept()
        try:
            while True:
                state.pushed.append(await socket.receive_bytes())
        except WebSocketDisconnect:
            pass


def _add_events(router: APIRouter, state: Contract) -> None:
    @router.get("/events")
    def events(
        stream: str | None = None, action: str | None = None, severity: str | None = None,
        acknowledged: bool | None = None,
        since: dt.datetime = BEFORE_ALL, until: dt.datetime = AFTER_ALL,
    ) -> Json:  # fmt: skip
        wanted = {"stream_id": stream, "action": action, "severity": severity}
        found = [
            event
            for event in state.events.values()
            if all(value is None or event[key] == value for key, value in wanted.items())
            and acknowledged in (None, bool(event["acknowledged_at"]))
            and since <= dt.datetime.fromisoformat(str(event["start_time"])) < until
        ]
        return {"items": sorted(found, key=lambda event: str(event["start_time"]), reverse=True), "next_cursor": None}

    @router.get("/events/{event_id}")
    def event(event_id: str) -> Json:
        return state.events[event_id]

    @router.patch("/events/{event_id}")
    def change(event_id: str, changes: Changes) -> Json:
        if "acknowledged" in changes:
            state.events[event_id]["acknowledged_at"] = clock(0) if changes.pop("acknowledged") else None
        state.events[event_id].update(changes)
        return state.events[event_id]

    @router.get("/events/{event_id}/clip")
    def clip(event_id: str) -> Response:
        return Response(film((Act(1, "walk", 0, 1), Act(1, "fall", 1, 2)), 2.0), media_type="video/mp4")

    @router.post("/events/{event_id}/feedback", status_code=201)
    def feedback(event_id: str, opinion: Changes) -> Json:
        state.feedback.append(opinion)
        return opinion


def _add_told(router: APIRouter) -> None:
    @router.get("/timed_rules")
    @router.get("/destinations")
    def nothing() -> Json:
        return {"items": []}


def _add_webhooks(router: APIRouter, state: Contract) -> None:
    @router.get("/webhooks")
    def webhooks() -> Json:
        return {"items": list(state.webhooks.values())}

    @router.post("/webhooks", status_code=201)
    def create(wanted: Changes) -> Json:
        hook = {
            "webhook_id": f"hook-{len(state.webhooks) + 1}",
            "enabled": True,
            "pending": 0,
            "actions": None,
            **wanted,
        }
        state.webhooks[hook["webhook_id"]] = hook
        return {**hook, "secret": "whsec_c2hvd24gb25jZSBhbmQgbmV2ZXIgYWdhaW4="}

    @router.patch("/webhooks/{webhook_id}")
    def change(webhook_id: str, changes: Changes) -> Json:
        state.webhooks[webhook_id].update(changes)
        return state.webhooks[webhook_id]

    @router.post("/webhooks/{webhook_id}/test")
    def test(webhook_id: str) -> Json:
        return {"delivered": False, "status": 503, "latency_ms": None, "detail": "the receiver answered 503"}

    @router.get("/webhooks/{webhook_id}/deliveries")
    def deliveries(webhook_id: str) -> Json:
        tried = {
            "delivery_id": 1, "seq": 7, "type": "action.started", "attempt": 1, "outcome": "dead", "status": 503,
            "latency_ms": 41.0, "detail": "503 after 8 tries", "time": clock(30),
        }  # fmt: skip
        return {"items": [tried], "next_cursor": None}

    @router.delete("/webhooks/{webhook_id}", status_code=204)
    def discard(webhook_id: str) -> None:
        state.webhooks.pop(webhook_id, None)
