"""Messages in words, for people: on a phone, in a mail, in a chat."""

import datetime as dt
from collections.abc import Callable
from dataclasses import dataclass

from models.severity import Severity
from service.envelope import Envelope
from service.weekly import find_zone

TEST = "destination.test"
_SEVERITIES: dict[str, Severity] = {"warning": "warning", "alarm": "alarm"}
_SAID = {
    "not_got_up": "Somebody has not got up", "nobody_seen": "Nobody is seen", "lies_outside": "Somebody lies outside",
}  # fmt: skip
_OVER = {"action.ended": "over: ", "action.retracted": "taken back: "}
_TITLE_CHARS = 120
_BODY_CHARS = 500


@dataclass(frozen=True, slots=True)
class Told:
    """A message in words.

    path: of the page that shows more, below the service's own address.
    """

    title: str
    body: str
    severity: Severity = "info"
    path: str = "#/events"


@dataclass(frozen=True, slots=True)
class Wording:
    """Puts messages into words.

    name_of: how people call a stream.  time_zone: of the times in texts, None for UTC.
    page_url: where people look at the page; None where nobody said.
    """

    name_of: Callable[[str], str]
    time_zone: str | None = None
    page_url: str | None = None

    def tell(self, envelope: Envelope) -> Told:
        """A message in words."""
        if envelope.type == TEST:
            return Told("Actogram: a test", "Messages of Actogram arrive here.", path="#/setup")
        where = self.name_of(envelope.stream_id) if envelope.stream_id else str(envelope.job_id or "")
        told = self._action(envelope, where) if envelope.type.startswith("action.") else self._other(envelope, where)
        return Told(told.title[:_TITLE_CHARS], told.body[:_BODY_CHARS], told.severity, told.path)

    def as_text(self, told: Told) -> str:
        """The body, with the address of the page where there is one."""
        return told.body if self.page_url is None else f"{told.body}\n{self.page_url}/{told.path}"

    def _action(self, envelope: Envelope, where: str) -> Told:
        data = envelope.data
        action = str(data.get("action", ""))
        said = _SAID.get(action, action.replace("_", " "))
        rules, zones = _listed(data.get("rules")), _listed(data.get("zones"))
        person = data.get("track_id")
        lines = [
            self._clock(data.get("start_time"), envelope.time), f"person {person}" if person else "",
            f"in {zones}" if zones else "", f"rule {rules}" if rules else "",
        ]  # fmt: skip
        severity = _SEVERITIES.get(str(data.get("severity")), "info")
        mark = "" if severity == "info" else f"{severity.capitalize()}: "
        title = f"{_OVER.get(envelope.type, mark)}{said}" + (f" – {where}" if where else "")
        return Told(title[:1].upper() + title[1:], ", ".join(line for line in lines if line), severity)

    def _other(self, envelope: Envelope, where: str) -> Told:
        data = envelope.data
        state = data.get("state") or data.get("clip_state") or envelope.type.partition(".")[2]
        kind = envelope.type.partition(".")[0]
        reason = str(data.get("message") or data.get("reason") or "")
        body = f"{self._clock(None, envelope.time)}: {kind} {state}" + (f", {reason}" if reason else "")
        path = "#/live" if kind == "stream" else "#/"
        return Told(f"{where or kind}: {str(state).replace('_', ' ')}", body, "info", path)

    def _clock(self, text: object, otherwise: dt.datetime) -> str:
        try:
            time = dt.datetime.fromisoformat(str(text)) if text else otherwise
        except ValueError:
            time = otherwise
        zone = find_zone(self.time_zone or "UTC") or dt.UTC
        return f"{time.astimezone(zone):%Y-%m-%d %H:%M}" + ("" if self.time_zone else " UTC")


def _listed(value: object) -> str:
    return ", ".join(str(one) for one in value) if isinstance(value, list) else ""
