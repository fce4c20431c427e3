"""`actogram watch`: what a camera sees, live in the terminal."""

import signal
import sys
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipelines.orientation import Orientation
from service.commands.failures import reported
from service.commands.network_options import WantedNetworks, network_options
from service.commands.turn_options import turn_options

if TYPE_CHECKING:
    from rich.console import RenderableType

    from pipelines.stream.buffer import FrameBuffer
    from pipelines.stream.build import Networks
    from pipelines.stream.sources.health import SourceHealth
    from pipelines.stream.sources.live import LiveReader
    from pipelines.types import Event, FrameResult

_REFRESH_S = 0.25
_EVENTS_SHOWN = 12
_SEEN_S = 1.0


@dataclass(frozen=True, slots=True)
class _How:
    """How a source is opened and read."""

    transport: str
    fps: float
    loop: bool
    turn: Orientation


@click.command(help="Watch URI (rtsp://, http://, webcam:0, or a file) and show live who does what; Ctrl-C ends it.")
@click.argument("uri")
@click.option("--transport", type=click.Choice(["tcp", "udp"]), default="tcp", show_default=True, help="For RTSP.")
@click.option(
    "--fps", type=click.FloatRange(1, 60), default=15.0, show_default=True, help="Frames analysed per second."
)
@click.option("--realtime/--no-realtime", default=True, show_default=True, help="Play a file at its own pace.")
@click.option("--loop", is_flag=True, help="Play a file again from the start when it ends.")
@turn_options
@network_options
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object for every change of an event.")
def command(
    uri: str,
    transport: str,
    fps: float,
    realtime: bool,
    loop: bool,
    turn: Orientation,
    networks: WantedNetworks,
    as_json: bool,
) -> None:
    """Watch one source with the same stages as the service."""
    stopping = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopping.set())
    from service.commands.analyze import load_networks_of
    from service.settings import load_settings

    with reported():
        settings = load_settings()
        address = _address(uri)
        if address.startswith("file:") and not realtime:
            raise click.UsageError("to process a file as fast as possible, use `actogram analyze`")
        show = _Json() if as_json else _Table(address)
        how = _How(transport, fps, loop, turn)
        _run(address, how, load_networks_of(settings, networks), show, stopping)


def _run(
    address: str, how: _How, networks: "Networks",
    show: "_Json | _Table", stopping: threading.Event,
) -> None:  # fmt: skip
    from pipelines.addresses.redact import redact
    from pipelines.stream.buffer import FrameBuffer
    from pipelines.stream.build import build_pipeline
    from pipelines.stream.config import PipelineConfig
    from pipelines.stream.sources.health import SourceHealth
    from pipelines.stream.watch import watch

    show.use(networks)
    buffer = FrameBuffer(4, "drop_oldest")
    health = SourceHealth(how.fps, show.state)
    reader = _open_reader(address, how, buffer, health)
    pipeline = build_pipeline(networks, PipelineConfig(), redact(address))

    def on_result(result: "FrameResult", _: float) -> None:
        health.on_frame()
        show.frame(result)

    def on_tick() -> None:
        health.on_source(reader.status())
        show.tick()

    reader.start()
    try:
        with show:
            show.events(watch(buffer, pipeline, on_result, on_tick, stopping.is_set))
    finally:
        reader.stop()
        buffer.stop()
        reader.join()


def _open_reader(address: str, how: _How, buffer: "FrameBuffer", health: "SourceHealth") -> "LiveReader":
    from pipelines.addresses.policy import AddressPolicy
    from pipelines.addresses.schemes import CAMERA_SCHEMES
    from pipelines.stream.sources.live import ReaderHooks
    from pipelines.stream.sources.open import build_reader
    from pipelines.stream.sources.status import LiveOptions, Transport

    # Whoever starts this command may open what they may open anyway.
    policy = AddressPolicy(
        CAMERA_SCHEMES - {"push"}, frozenset({"public", "private", "loopback"}), folders=(Path("/"),)
    )
    transport: Transport = "udp" if how.transport == "udp" else "tcp"
    options = LiveOptions(transport=transport, rate_hz=how.fps, loops=how.loop, turn=how.turn)
    return build_reader(address, buffer, policy, options, hooks=ReaderHooks(on_state=health.on_source))


def _address(uri: str) -> str:
    """The file: address of a path; any other address unchanged."""
    path = Path(uri)
    return path.resolve().as_uri() if path.is_file() else uri


class _Json:
    """Prints every change of an event as one line, with the networks that saw it."""

    def __init__(self) -> None:
        self._networks: dict[str, dict[str, str]] = {}

    def use(self, networks: "Networks") -> None:
        from pipelines.results import networks_object

        self._networks = networks_object(networks.used)

    def __enter__(self) -> "_Json":
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()

    def state(self, state: str, code: str | None, message: str | None) -> None:
        click.echo(f"{state}: {code}: {message}" if code else state, err=True)

    def frame(self, result: "FrameResult") -> None:
        self.events(result.events)

    def events(self, events: "tuple[Event, ...]") -> None:
        import json

        from pipelines.event_json import FILE, event_object

        for event in events:
            click.echo(json.dumps({**event_object(event, FILE), "networks": self._networks}))

    def tick(self) -> None:
        """Nothing is drawn."""


class _Table:
    """Draws who is there, what they do, and the latest events."""

    def __init__(self, address: str) -> None:
        from rich.console import Console
        from rich.live import Live

        from pipelines.addresses.redact import redact

        self._shown = redact(address)
        self._live = Live(console=Console(), auto_refresh=False, transient=False)
        self._state = "connecting"
        self._result: FrameResult | None = None
        self._events: dict[str, Event] = {}
        self._drawn_s = self._seen_s = 0.0
        self._times_s: list[float] = []

    def use(self, networks: "Networks") -> None:
        """Which networks look is not drawn."""

    def __enter__(self) -> "_Table":
        self._live.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._live.update(self._draw(), refresh=True)
        self._live.stop()

    def state(self, state: str, code: str | None, message: str | None) -> None:
        self._state = f"{state} ({code}: {message})" if code else state

    def frame(self, result: "FrameResult") -> None:
        self._result = result
        self._seen_s = time.monotonic()
        self._times_s = [*self._times_s[-60:], self._seen_s]
        self.events(result.events)

    def events(self, events: "tuple[Event, ...]") -> None:
        for event in events:
            self._events.pop(event.event_id, None)
            if event.state != "retracted":
                self._events[event.event_id] = event
        for old in list(self._events)[:-_EVENTS_SHOWN]:
            del self._events[old]

    def tick(self) -> None:
        now_s = time.monotonic()
        if now_s - self._drawn_s >= _REFRESH_S:
            self._drawn_s = now_s
            self._live.update(self._draw(), refresh=True)

    def _draw(self) -> "RenderableType":
        from rich.console import Group
        from rich.text import Text

        return Group(Text(self._head(), style="bold"), self._people(), self._history())

    def _head(self) -> str:
        span_s = self._times_s[-1] - self._times_s[0] if len(self._times_s) > 1 else 0.0
        rate = f", {(len(self._times_s) - 1) / span_s:.1f} frames/s" if span_s > 0 else ""
        return f"{self._shown}  {self._state}{rate}"

    def _people(self) -> "RenderableType":
        from rich.table import Table

        table = Table("person", "action", "score", "status", expand=False)
        is_fresh = self._result is not None and time.monotonic() - self._seen_s < _SEEN_S
        for state in self._result.states if self._result is not None and is_fresh else ():
            status = f"{state.status} ({state.reason})" if state.reason else state.status
            table.add_row(str(state.track_id), state.action or "-", f"{state.score:.2f}", status)
        return table

    def _history(self) -> "RenderableType":
        from rich.table import Table

        table = Table("person", "event", "state", "from", "to", "score", expand=False)
        for event in self._events.values():
            row = (str(event.track_id), event.action, event.state, f"{event.start_s:.1f} s", f"{event.end_s:.1f} s")
            table.add_row(*row, f"{event.score:.2f}")
        return table
