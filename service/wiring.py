"""Builds the live half of the service (streams, their events, the sinks) and joins its slices."""

import datetime as dt
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import get_args

import httpx
from pydantic import JsonValue

from models.errors import ModelError
from models.severity import Severity
from pipelines.addresses.client import Deadline, build_client
from service.blob_store import BlobStore
from service.catalog.library import Library, Running
from service.database import Database
from service.eraser import Eraser, Streams
from service.errors import InvalidRequest, NotFound
from service.event_log import EventLog
from service.events.control import EventControl
from service.events.evidence import EvidenceFolder
from service.events.export import EventExport
from service.events.ingest import EventIngest
from service.events.retention import EventRetention
from service.events.review import EventReview
from service.events.routes import TrackEraser
from service.events.timed.control import TimedRuleControl
from service.events.timed.rules import RuleState
from service.events.timed.watch import TimedRules
from service.live.hub import Hub
from service.live.routes import StreamDirectory
from service.protocol.loaded_networks import loaded_of
from service.protocol.metrics import ACTIONS, CAPACITY_USE, OUTBOX_PENDING, SINK_DELIVERIES, STREAM_STATE, TIMED_RULES
from service.protocol.network_pair import Pair
from service.protocol.stream_config import Analysis, StreamConfig
from service.replicas.leases import Leases
from service.replicas.membership import Membership
from service.retention import Sweep
from service.settings import Settings
from service.sinks.apprise_sink import AppriseRunner
from service.sinks.control import FixedSink, SinkControl
from service.sinks.destinations import DestinationControl, Senders
from service.sinks.events_file import EventsFileSink
from service.sinks.mqtt import BrokerAddress, MqttSink
from service.sinks.outboxes import Outboxes
from service.sinks.topics import Topics, WatchedStream
from service.sources import broker_policy, camera_policy, webhook_policy
from service.stream_events import StreamEvents
from service.streams.control import StreamControl, WorkerCapacity
from service.streams.dispatch import LiveOutputs, StreamDispatcher
from service.streams.folders import StreamFolders
from service.streams.pictures import Previews
from service.streams.routes import StreamEraser, StreamRules
from service.streams.store import StreamRow, StreamState
from service.streams.track_history import TrackHistories
from service.supervision.supervisor import Supervisor
from service.supervision.types import JOBS_WORKER, WorkerHealth
from service.telemetry import Metrics
from service.timed_scenes import RuleKeeper, Scenes, Watchers

logger = logging.getLogger(__name__)

_WEBHOOK_TIMEOUT_S = 10.0
_WEBHOOK_EXCHANGE_S = 20.0
_UNMEASURED_SLOTS = 16  # streams per worker


@dataclass(frozen=True, slots=True)
class Foundation:
    """What both halves of the service are built on."""

    settings: Settings
    database: Database
    hub: Hub
    log: EventLog
    supervisor: Supervisor
    library: Library
    metrics: Metrics
    store: BlobStore
    membership: Membership


@dataclass(frozen=True, slots=True)
class LiveServices:
    """Everything of the live half that lives as long as the server."""

    settings: Settings
    streams: StreamControl
    dispatcher: StreamDispatcher
    events: EventControl
    evidence: EvidenceFolder
    folders: StreamFolders
    previews: Previews
    sinks: SinkControl
    client: httpx.Client
    eraser: Eraser
    timed: TimedRules
    timed_control: TimedRuleControl
    destinations: DestinationControl

    @property
    def parts(self) -> Sequence[object]:
        """What the routes ask for."""
        directory = StreamDirectory(self.streams.require)
        erasers = (StreamEraser(self.eraser.erase_stream), TrackEraser(self.eraser.erase_track))
        looks = (EventReview(self.events.database), EventExport(self.events.database, self.evidence))
        rules = (self.timed_control, self.destinations, StreamRules(self.timed.named_states))
        named = (self.streams, self.events, self.evidence, self.folders, self.previews, self.sinks, directory)
        return (*named, *rules, *looks, *erasers)

    def start(self) -> None:
        """Bring it up, after the database and before the workers."""
        self.folders.open()
        self.sinks.start()
        self.destinations.start()
        self.timed.start()
        self.dispatcher.start()
        self.eraser.start()

    def stop(self) -> None:
        """Place nothing new; the workers may still report what they close."""
        self.eraser.stop()
        self.dispatcher.stop()

    def close(self) -> None:
        """Finish the deliveries in hand, after the workers have ended."""
        self.timed.stop()
        self.sinks.stop()
        self.client.close()

    def sweeps(self) -> Sequence[Sweep]:
        """What the slices of this half forget."""
        settings = self.settings
        age = dt.timedelta(days=settings.retention_events_days)
        events = EventRetention(self.events, self.evidence, age, settings.retention_events_max)
        return (
            Sweep("events", events.sweep), Sweep("idempotency keys of webhooks", self.sinks.sweep),
            Sweep("rules over time", self.timed_control.sweep),
            Sweep("idempotency keys of destinations", self.destinations.sweep),
        )  # fmt: skip


def build_live(base: Foundation) -> LiveServices:
    """Create everything, start nothing."""
    settings = base.settings
    severities = {action.action: action.severity for action in base.library.actions()}
    ingest = EventIngest(base.database, base.log, lambda action: severities.get(action, "info"))
    events = EventControl(base.database)
    folders, previews = StreamFolders(settings.blobs / "streams"), Previews(base.supervisor.tell)
    histories = TrackHistories(base.supervisor.tell)
    evidence = EvidenceFolder(base.store, settings.blobs / "bundles", settings.retention_evidence_bytes, histories.ask)
    stream_events = StreamEvents(
        ingest, events, evidence.remove, partial(_forget_pictures, folders, previews),
        partial(_severities_of, base.library),
    )  # fmt: skip
    outputs = LiveOutputs(base.hub.publish, previews.put, histories.take)
    dispatcher = StreamDispatcher(
        base.log, base.supervisor, outputs, stream_events, partial(_task_options, settings.blobs, folders),
        leases=Leases("stream", base.membership),
    )  # fmt: skip
    base.supervisor.listen("stream", dispatcher)
    scenes = Scenes(base.database)
    timed = TimedRules(
        base.database, base.log, scenes.get,
        lambda kind, state: base.metrics.record(ACTIONS.add(action=kind, state=state)),
        ours=None if base.membership.is_alone else dispatcher.owned,
    )  # fmt: skip
    base.hub.add_listener(timed.hear)
    timed_control = TimedRuleControl(base.database, base.log, timed, scenes.get)
    watchers = Watchers((stream_events, RuleKeeper(timed, timed_control)))
    streams = StreamControl(
        base.database, base.log, camera_policy(settings), dispatcher, watchers,
        partial(_check_networks, base.library), partial(shared_capacity, settings, base.supervisor, base.membership),
        partial(_known_actions, base.library),
    )  # fmt: skip
    client = build_client(
        webhook_policy(settings), httpx.Timeout(_WEBHOOK_TIMEOUT_S), lambda: Deadline(_WEBHOOK_EXCHANGE_S),
        keeps_alive=False,
    )  # fmt: skip
    outboxes = Outboxes(
        base.database, base.log,
        lambda sink, result: base.metrics.record(SINK_DELIVERIES.add(sink=sink, result=result)), events.is_settled,
        leads=base.membership.is_leader,
    )  # fmt: skip
    base.hub.add_listener(outboxes.wake)
    sinks = SinkControl(
        base.database, base.log, client, outboxes,
        _fixed_sinks(settings, partial(_watched, streams, base.library, timed)), settings.webhooks_max,
    )  # fmt: skip
    senders = Senders(
        client, AppriseRunner(settings.webhook_networks), partial(_stream_name, streams), settings.public_url,
        _push_contact(settings),
    )  # fmt: skip
    destinations = DestinationControl(base.database, base.log, outboxes, senders, settings.destinations_max)
    eraser = Eraser(
        base.database, base.log, Streams(streams.remove, dispatcher.is_placed), evidence, sinks,
        base.membership.is_leader,
    )  # fmt: skip
    live = LiveServices(
        settings,
        streams,
        dispatcher,
        events,
        evidence,
        folders,
        previews,
        sinks,
        client,
        eraser,
        timed,
        timed_control,
        destinations,
    )
    base.metrics.refresh_with(partial(_refresh, live, base.metrics))
    return live


def _stream_name(streams: StreamControl, stream_id: str) -> str:
    """How people call a stream; its id once it is gone."""
    try:
        return streams.require(stream_id).name
    except NotFound:
        return stream_id


def _push_contact(settings: Settings) -> str:
    url = settings.public_url
    return settings.push_contact or (url if url and url.startswith("https:") else "mailto:nobody@actogram.invalid")


def _forget_pictures(folders: StreamFolders, previews: Previews, stream_id: str) -> None:
    previews.forget(stream_id)
    folders.remove(stream_id)


def _task_options(blobs: Path, folders: StreamFolders, row: StreamRow) -> dict[str, JsonValue]:
    return {"folder": str(folders.folder(row.stream_id)), "evidence_folder": str(blobs / "evidence")}


def _check_networks(library: Library, analysis: Analysis) -> None:
    """Raises ModelUnknown, LayoutNotServed, and InvalidRequest for a window that is not the model's."""
    require_networks(library, analysis.model, analysis.detector, analysis.pose)
    name, window_s = analysis.model, analysis.window_s
    model = name or library.default_action_model
    if window_s is None or model is None:
        return
    expected = library.window_s(model)
    if expected is not None and window_s != expected:
        raise InvalidRequest(f"analysis.window_s: found {window_s:g}, expected {expected:g}, the window of {model}")


def require_networks(library: Library, model: str | None, detector: str | None, pose: str | None) -> None:
    """Make sure that the names of a task's networks are known; None leaves one open. Raises ModelUnknown."""
    if model is not None:
        library.require_action_model(model)
    if detector is not None:
        library.require_people(detector, "detect")
    if pose is not None:
        library.require_people(pose, "pose")


def running_networks(supervisor: Supervisor) -> Running:
    """What the workers say of the networks that they have open."""
    facts = [worker.facts for worker in supervisor.health() if worker.state == "ready"]
    named = (one["networks"] for one in facts if isinstance(one.get("networks"), list))
    first = next(named, [])
    assert isinstance(first, list)
    return Running(tuple(map(str, first)), tuple(network for one in facts for network in loaded_of(one)))


def _known_actions(library: Library, name: str | None) -> tuple[str, ...]:
    return tuple(one.action for one in library.actions(name))


def shared_capacity(settings: Settings, supervisor: Supervisor, membership: Membership) -> WorkerCapacity:
    """What the workers of all servers can do together."""
    found = worker_capacity(settings, supervisor)
    for row in membership.members():
        if row.replica_id != membership.replica_id:
            found = found.joined(row.facts)
    return found


def worker_capacity(settings: Settings, supervisor: Supervisor) -> WorkerCapacity:
    """What the workers of this server can do."""
    health = supervisor.health()
    ready = [worker for worker in health if worker.state == "ready"]
    measured = [float(str(worker.facts["fps_budget"])) for worker in ready if _gives_budget(worker)]
    budget = settings.stream_fps_budget or (sum(measured) or None)
    return WorkerCapacity(
        slots=_stream_slots(settings, supervisor.slots("stream"), is_measured=budget is not None), fps_budget=budget,
        job_slots=supervisor.slots("job"), free_job_slots=supervisor.free_slots("job"), workers=len(health),
        workers_ready=len(ready), pairs_max=settings.networks_per_worker, default_pair=_default_pair(supervisor),
    )  # fmt: skip


def _default_pair(supervisor: Supervisor) -> Pair:
    names = running_networks(supervisor).names
    return (names[0], names[1]) if len(names) > 1 else (None, None)


def _watched(streams: StreamControl, library: Library, timed: TimedRules) -> list[WatchedStream]:
    """Every stream, with the actions that its model can tell, and what its rules over time can."""
    return [
        WatchedStream(
            row.stream_id, row.name, row.state, row.error_code, row.error_message,
            (
                *_told_actions(library, StreamConfig.model_validate(dict(row.config)).analysis.model),
                *timed.kinds(row.stream_id),
            ),
        )
        for row in streams.all()
    ]  # fmt: skip


def _severities_of(library: Library, model: str) -> dict[str, Severity]:
    """How urgent the actions of a stream's own model are; nothing is known of a model that is gone."""
    try:
        return {one.action: one.severity for one in library.actions(model)}
    except ModelError:
        return {}


def _told_actions(library: Library, model: str | None) -> tuple[str, ...]:
    """Falls first, then what is urgent; none for a model that is gone."""
    try:
        actions = library.actions(model)
    except ModelError:
        return ()
    first = sorted(actions, key=lambda one: (one.action != "fall", one.severity != "alarm", one.severity == "info"))
    return tuple(one.action for one in first)


def _stream_slots(settings: Settings, slots: int, *, is_measured: bool) -> int | None:
    """How many streams the workers take; None where only what they measured bounds them."""
    if settings.streams_per_worker is not None or not slots:
        return slots
    return None if is_measured else _UNMEASURED_SLOTS * settings.workers


def _is_processor(worker: WorkerHealth) -> bool:
    """Whether its networks run on a processor, in whatever engine."""
    return str(worker.facts.get("device")).partition(",")[0] == "cpu"


def _gives_budget(worker: WorkerHealth) -> bool:
    """Whether what a worker measured counts; the one for jobs shares its device with the first one for streams."""
    return "fps_budget" in worker.facts and (worker.name != JOBS_WORKER or _is_processor(worker))


def _fixed_sinks(settings: Settings, watched: Callable[[], list[WatchedStream]]) -> tuple[FixedSink, ...]:
    found: list[FixedSink] = []
    if settings.mqtt_url is not None:
        topics = Topics(settings.mqtt_prefix, settings.discovery_prefix, settings.public_url)
        address = BrokerAddress.parse(settings.mqtt_url)
        sink = MqttSink(address, topics, broker_policy(), watched, version=settings.mqtt_version)
        found.append(FixedSink("mqtt", sink, sink.open, sink.close))
    if settings.events_file is not None:
        file = EventsFileSink(Path(settings.events_file))
        found.append(FixedSink("file", file, erase=file.erase))
    return tuple(found)


def _refresh(live: LiveServices, metrics: Metrics) -> None:
    for sink, pending in live.sinks.pending().items():
        metrics.record(OUTBOX_PENDING.set(pending, sink=sink))
    rules = live.timed.states()
    for rule_state in get_args(RuleState):
        metrics.record(TIMED_RULES.set(rules.count(rule_state), state=rule_state))
    capacity = live.streams.capacity()
    if capacity.fps_budget > 0:
        metrics.record(CAPACITY_USE.set(capacity.fps_planned / capacity.fps_budget))
    states = live.streams.states()
    metrics.keep_streams({*states, "job"})
    for stream_id, state in states.items():
        for name in get_args(StreamState):
            metrics.record(STREAM_STATE.set(name == state, stream=stream_id, state=name))
