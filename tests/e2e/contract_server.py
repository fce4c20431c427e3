"""A small server that speaks the documented interface with made-up content, for states that a real run rarely shows."""

import asyncio
import datetime as dt
import json
import math
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import uvicorn
from fastapi import APIRouter, FastAPI, File, Request, UploadFile, WebSocket, WebSocketDisconnect
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from fastapi.staticfiles import StaticFiles

import service
from models.skeleton.layouts import LAYOUTS
from tests.e2e.stick_figures import Act, film, frame_lines

Json = dict[str, object]
ACTIONS = {
    "walk": ("solid", "info"), "run": ("experimental", "info"), "stand": ("solid", "info"),
    "sit_down": ("solid", "info"), "stand_up": ("experimental", "info"), "fall": ("solid", "alarm"),
    "lie": ("solid", "warning"), "wave": ("experimental", "info"), "pick_up": ("solid", "info"),
}  # fmt: skip

AGPL = "AGPL-3.0 asks whoever offers it over a network to offer the whole service's source."
MODELS: tuple[tuple[str, str, str, float | None], ...] = (
    ("rtmdet-nano-person", "detect", "", 11.4), ("yolox-s", "detect", "", None), ("blazepose-full", "pose", "", 6.2),
    ("rtmpose-m", "pose", "", None), ("my-yolo-pose", "detect_pose", AGPL, 42.0),
    ("everyday-stgcnpp", "action", "", 2.9), ("mine", "action", "", None),
)  # fmt: skip
PROFILES = [
    {"profile": "auto", "detector": "rtmdet-nano-person", "pose": "blazepose-full", "is_active": True},
    {"profile": "accurate", "detector": "yolox-s", "pose": "rtmpose-m", "is_active": False},
]


def model_read(name: str, task: str, terms: str, ms: float | None) -> Json:
    """A network as the service lists it."""
    per = {"detect": "picture", "action": "window"}.get(task, "person")
    return {
        "model_id": name, "task": task, "family": "", "layout": None, "labels": [], "terms": terms,
        "licence": "AGPL-3.0" if terms else "Apache-2.0", "is_loaded": ms is not None,
        "is_active": name in ("rtmdet-nano-person", "blazepose-full", "everyday-stgcnpp"),
        "speed": None if ms is None else {"ms": ms, "per": per, "device": "cpu"},
    }  # fmt: skip


def problem(status: int, code: str, detail: str) -> JSONResponse:
    """An error as the service says it."""
    body = {"type": "about:blank", "title": "Refused", "status": status, "code": code, "detail": detail}
    return JSONResponse(body, status, media_type="application/problem+json")


class Contract:
    """What the server knows; tests change it directly."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.jobs: dict[str, Json] = {}
        self.acts: dict[str, list[Act]] = {}
        self.times_s: dict[str, tuple[float, ...] | None] = {}
        self.sockets: set[WebSocket] = set()
        self.subscriptions: list[Json] = []
        self.refusal: JSONResponse | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.seq = 0
        self.streams: dict[str, Json] = {}
        self.events: dict[str, Json] = {}
        self.webhooks: dict[str, Json] = {}
        self.feedback: list[Json] = []
        self.pushed: list[bytes] = []
        self.pictures_asked = 0
        self.key: str | None = None
        self.frame_now = 0
        self.role = "admin"
        self.refused: list[str] = []
        self.uploads: list[Json] = []
        self.tested: list[Json] = []

    def add_job(
        self, name: str, acts: list[Act], duration_s: float = 6.0, times_s: tuple[float, ...] | None = None,
        **changes: object,
    ) -> str:  # fmt: skip
        """A job with a film of `acts`; `changes` go over its fields. `times_s`: of frames that are not regular."""
        job_id = f"job-{len(self.jobs) + 1}"
        (self.folder / f"{job_id}.mp4").write_bytes(film(tuple(acts), duration_s, times_s))
        self.acts[job_id] = acts
        self.times_s[job_id] = times_s
        self.jobs[job_id] = {
            "job_id": job_id, "state": "succeeded", "created_at": f"2026-05-04T10:0{len(self.jobs)}:00Z",
            "source": {"kind": "upload", "name": name, "size_bytes": (self.folder / f"{job_id}.mp4").stat().st_size},
            "model": "stgcnpp-everyday-coco17-joint", "progress": {"percent": 100},
            "summary": {
                "duration_s": duration_s, "frame_size": [640, 360], "num_tracks": len({act.track_id for act in acts}),
                "action_counts": dict(Counter(act.action for act in acts if act.action in ACTIONS)),
            },
            "links": {
                "source": f"/v1/jobs/{job_id}/source", "video": f"/v1/jobs/{job_id}/source",
                **({"thumbnail": f"/v1/jobs/{job_id}/thumbnail"} if acts else {}),
            }, **changes,
        }  # fmt: skip
        return job_id

    def duration_s(self, job_id: str) -> float:
        """How long a job's film is."""
        summary = self.jobs[job_id]["summary"]
        assert isinstance(summary, dict)
        return float(summary["duration_s"])

    def tell(self, kind: str, data: Json, **envelope: object) -> None:
        """Say something to everybody connected."""
        self.seq += 1
        message = {
            "v": 1,
            "seq": self.seq,
            "type": kind,
            "time": dt.datetime.now(dt.UTC).isoformat(),
            "data": data,
            **envelope,
        }
        assert self.loop is not None
        for socket in list(self.sockets):
            asyncio.run_coroutine_threadsafe(socket.send_text(json.dumps(message)), self.loop)

    def wait_for_subscriptions(self, count: int) -> None:
        """Until so many subscriptions have come."""
        deadline = time.monotonic() + 20
        while len(self.subscriptions) < count or not self.sockets:
            assert time.monotonic() < deadline, f"{len(self.subscriptions)} subscriptions came, expected {count}"
            time.sleep(0.02)

    def wait_for_pictures(self, count: int) -> None:
        """Until so many pictures were pushed."""
        deadline = time.monotonic() + 20
        while len(self.pushed) < count:
            assert time.monotonic() < deadline, f"{len(self.pushed)} pictures came, expected {count}"
            time.sleep(0.02)

    def cut(self) -> None:
        """Close every connection as a dying server would."""
        assert self.loop is not None
        for socket in list(self.sockets):
            asyncio.run_coroutine_threadsafe(socket.close(1012), self.loop)


def timeline_of(acts: list[Act]) -> list[Json]:
    """Per track: from when to when, and its actions."""
    tracks = sorted({act.track_id for act in acts})
    return [
        {
            "track_id": track,
            "start_s": min(act.start_s for act in acts if act.track_id == track),
            "end_s": max(act.end_s for act in acts if act.track_id == track),
            "actions": [
                {"action": a.action, "start_s": a.start_s, "end_s": a.end_s, "score": a.score, "state": "ended"}
                for a in acts
                if a.track_id == track and a.action in ACTIONS
            ],
        }
        for track in tracks
    ]


def may(role: str, request: Request) -> bool:
    """Whether the service allows a role this request."""
    path, ranks = request.url.path, ("viewer", "operator", "admin")
    if request.method in ("GET", "HEAD") or path == "/v1/session":
        return True
    needed = "admin" if path.startswith("/v1/webhooks") else "operator"
    return ranks.index(role) >= ranks.index(needed)


def create_contract_app(state: Contract, *routers: APIRouter) -> FastAPI:
    """The application over `state`, with the real page."""
    app = FastAPI()

    @app.get("/v1/jobs")
    def jobs() -> Json:
        return {"items": list(reversed(state.jobs.values())), "next_cursor": None}

    @app.post("/v1/jobs", status_code=202)
    async def create(request: Request, file: Annotated[UploadFile, File()]) -> Response:
        state.uploads.append({name: value for name, value in (await request.form()).items() if isinstance(value, str)})
        if state.refusal is not None:
            return state.refusal
        walk = [Act(1, "walk", 0, 4), Act(2, "wave", 1, 3, 0.71)]
        job_id = state.add_job(file.filename or "video", walk, 4.0, state="running", progress={"percent": 0.0})
        threading.Thread(target=advance, args=(state, job_id), daemon=True).start()
        return JSONResponse(state.jobs[job_id], 202)

    @app.get("/v1/jobs/{job_id}")
    def job(job_id: str) -> Response:
        found = state.jobs.get(job_id)
        return JSONResponse(found) if found else problem(404, "not_found", f"no job {job_id}")

    @app.delete("/v1/jobs/{job_id}", status_code=204)
    def discard(job_id: str) -> Response:
        state.jobs.pop(job_id, None)
        return Response(status_code=204)

    @app.get("/v1/jobs/{job_id}/source")
    def source(job_id: str) -> Response:
        return FileResponse(state.folder / f"{job_id}.mp4", media_type="video/mp4")

    @app.get("/v1/jobs/{job_id}/timeline")
    def timeline(job_id: str) -> Json:
        return {"duration_s": state.duration_s(job_id), "tracks": timeline_of(state.acts[job_id])}

    @app.get("/v1/jobs/{job_id}/results")
    def results(job_id: str) -> Response:
        frames = frame_lines(state.acts[job_id], state.duration_s(job_id), state.times_s[job_id])
        lines = [{"type": "source", "layout": "coco17"}, *frames, {"type": "summary"}]
        return PlainTextResponse("".join(json.dumps(line) + "\n" for line in lines), media_type="application/x-ndjson")

    @app.get("/v1/jobs/{job_id}/exercises")
    def exercises(job_id: str, exercise: str) -> Json:
        time_s = [index / 15 for index in range(int(state.duration_s(job_id) * 15))]
        curve = [0.65 + 0.3 * math.cos(math.pi * one) for one in time_s]
        reps = [{"start_s": at - 1.0, "turn_s": at, "end_s": at + 1.0, "swing": 0.6} for at in (1.0, 3.0, 5.0)]
        first = {
            "track_id": 1, "number": 1, "status": "assessed", "reason": None, "count": 3, "repetitions": reps,
            "time_s": time_s, "curve": [None if 2.1 < at < 2.3 else one for at, one in zip(time_s, curve, strict=True)],
            "angles": {"left_knee": [200 * one for one in curve], "right_knee": [None] * len(time_s)},
        }  # fmt: skip
        unseen: Json = {"status": "not_assessable", "reason": "joints_unseen", "count": None, "repetitions": []}
        return {"exercise": exercise, "people": [first, {**first, "track_id": 2, "number": 2, **unseen}]}

    @app.get("/v1/session")
    def session() -> Json:
        return {"name": "anyone on this machine", "role": state.role, "access": "open"}

    @app.post("/v1/session")
    def sign_in(request: Request) -> Response:
        if request.headers.get("authorization") != f"Bearer {state.key}":
            return problem(401, "unauthorized", "the API key is not known")
        response = JSONResponse({"name": "tester", "role": "admin", "access": "key"})
        response.set_cookie("actogram_key", str(state.key), httponly=True, samesite="strict")
        return response

    @app.get("/v1/actions")
    def actions() -> Json:
        rule = {"threshold": 0.5, "min_duration_s": 0.4}
        items = [{"action": a, "quality": q, "severity": s, **rule} for a, (q, s) in ACTIONS.items()]
        return {"items": items, "next_cursor": None}

    @app.get("/v1/models")
    def models() -> Json:
        return {"items": [model_read(*one) for one in MODELS], "profiles": PROFILES}

    @app.get("/v1/layouts")
    def layouts() -> Json:
        return {"items": [{"layout": n, "joints": list(v.joints), "edges": list(v.edges)} for n, v in LAYOUTS.items()]}

    @app.websocket("/v1/ws")
    async def channel(socket: WebSocket) -> None:
        await socket.accept()
        state.loop = asyncio.get_running_loop()
        state.sockets.add(socket)
        try:
            while True:
                state.subscriptions.append(await socket.receive_json())
                await socket.send_json({"v": 1, "seq": state.seq, "type": "subscribed", "data": {}})
        except WebSocketDisconnect:
            pass
        finally:
            state.sockets.discard(socket)

    @app.middleware("http")
    async def guard(request: Request, call_next):  # type: ignore[no-untyped-def]
        is_known = state.key is None or request.cookies.get("actogram_key") == state.key
        if request.url.path.startswith("/v1/") and request.method != "POST" and not is_known:
            return problem(401, "unauthorized", "no API key")
        if not may(state.role, request):
            state.refused.append(f"{request.method} {request.url.path}")
            return problem(403, "forbidden", f"key 1 has role {state.role}")
        response = await call_next(request)
        response.headers["Cache-Control"] = "no-cache"
        return response

    for router in routers:
        app.include_router(router)
    app.mount("/", StaticFiles(directory=Path(service.__file__).parent / "web", html=True))
    return app


def advance(state: Contract, job_id: str) -> None:
    """Let a job run to its end in about a second."""
    for share in (8.0, 41.0, 77.0):
        time.sleep(0.25)
        progress = {"frames": int(share), "percent": share, "fps": 31.5, "eta_s": (100 - share) / 60}
        state.jobs[job_id]["progress"] = progress
        state.tell("job.progress", {"state": "running", "progress": progress}, job_id=job_id)
    time.sleep(0.25)
    state.jobs[job_id].update(state="succeeded")
    state.tell("job.completed", {"state": "succeeded"}, job_id=job_id)


@contextmanager
def serving(app: FastAPI) -> Iterator[str]:
    """Serve an application on a free loopback port; gives its address."""
    server = uvicorn.Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_level="warning", ws="websockets-sansio"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    deadline = time.monotonic() + 20
    while not server.started:
        assert time.monotonic() < deadline, "the server did not start"
        time.sleep(0.02)
    try:
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join(10)
