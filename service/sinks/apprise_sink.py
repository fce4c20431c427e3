"""Sends messages through Apprise: e-mail, chats and other services, each named by an address of its own kind."""

import importlib.util
import json
import logging
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.addresses.networks import Network
from service.envelope import Envelope
from service.errors import ExtraMissing, InvalidRequest
from service.sinks.delivery import DeliveryFailed, Receipt
from service.sinks.wording import Wording

logger = logging.getLogger(__name__)

SCHEMES = frozenset({
    "apprise", "apprises", "bark", "barks", "discord", "form", "forms", "gchat", "gotify", "gotifys", "hassio",
    "hassios", "ifttt", "json", "jsons", "line", "mailgun", "mailto", "mailtos", "matrix", "matrixs", "mattermost",
    "mmost", "mmosts", "nctalk", "nctalks", "nexmo", "ntfy", "ntfys", "opsgenie", "pagerduty", "pbul", "pover", "prowl",
    "rocket", "rockets", "sendgrid", "signal", "signals", "simplepush", "slack", "spush", "synology", "synologys",
    "tgram", "threema", "twilio", "vonage", "webex", "whatsapp", "workflow", "workflows", "wxteams", "xml", "xmls",
    "zulip",
})  # fmt: skip
"""Those that make calls to hosts: nothing that stays on this machine, starts a program or reads a file."""
_TIMEOUT_S = 15.0
_EXCHANGE_S = 40.0
_DROPPED = ("ACTOGRAM_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "NETRC")


def require_apprise() -> None:
    """Raises ExtraMissing where Apprise is not installed."""
    if importlib.util.find_spec("apprise") is None:
        raise ExtraMissing("this needs the extra `notify`, which is not installed: pip install 'actogram[notify]'")


def scheme_of(url: str) -> str:
    """The scheme of an Apprise address; raises InvalidRequest for one that is not taken, and never shows the rest."""
    scheme, mark, rest = url.partition("://")
    if not mark or not rest or scheme.lower() not in SCHEMES:
        shown = scheme[:20] if mark else "no scheme"
        raise InvalidRequest(
            f"url: found {shown!r}, expected an Apprise address of one of: {', '.join(sorted(SCHEMES))}"
        )
    return scheme.lower()


def shown_address(url: str) -> str:
    """An Apprise address without all that could be a secret, which in some of them is all but the scheme."""
    return f"{url.partition('://')[0].lower()}://***"


@dataclass(frozen=True, slots=True)
class AppriseRunner:
    """Starts the process that speaks to a service, and ends it when it takes too long.

    networks: where services may be.
    """

    networks: frozenset[Network]
    exchange_s: float = _EXCHANGE_S

    def check(self, url: str) -> None:
        """Make sure that Apprise can read an address; raises InvalidRequest."""
        try:
            self.run({"url": url, "only_check": True})
        except DeliveryFailed as error:
            raise InvalidRequest(f"url: {error}") from error

    def run(self, wanted: Mapping[str, object]) -> None:
        """Hand one message over; raises DeliveryFailed."""
        task = json.dumps({**wanted, "networks": sorted(self.networks), "timeout_s": _TIMEOUT_S})
        command = [sys.executable, "-m", "service.sinks.apprise_process"]
        try:
            done = subprocess.run(
                command, input=task, capture_output=True, text=True, timeout=self.exchange_s, env=_environment(),
                check=False,
            )  # fmt: skip
        except subprocess.TimeoutExpired as error:
            raise DeliveryFailed(f"no answer within {self.exchange_s:g} s") from error
        except OSError as error:
            raise DeliveryFailed(f"cannot be tried: {error.strerror}") from error
        try:
            found = json.loads(done.stdout)
        except ValueError as error:
            # What it wrote may name the address.
            logger.warning("a message by Apprise failed with status %d", done.returncode)
            raise DeliveryFailed("it could not be sent; the process that tried ended early") from error
        if not found["delivered"]:
            raise DeliveryFailed(str(found["detail"]) or "it could not be sent", is_final=bool(found["is_final"]))


class AppriseSink:
    """Sends each message to one Apprise address."""

    def __init__(self, url: str, runner: AppriseRunner, wording: Wording) -> None:
        self._url = url
        self._runner = runner
        self._wording = wording

    def deliver(self, envelope: Envelope) -> Receipt:
        """Send one message; raises DeliveryFailed."""
        told = self._wording.tell(envelope)
        began_s = time.perf_counter()
        self._runner.run(
            {"url": self._url, "title": told.title, "body": self._wording.as_text(told), "severity": told.severity}
        )
        return Receipt((time.perf_counter() - began_s) * 1000)


def _environment() -> dict[str, str]:
    """Ours, without our own secrets, and without a proxy that would go around the address policy."""
    kept = {name: value for name, value in os.environ.items() if not name.upper().startswith(_DROPPED)}
    return {**kept, "PYTHONDONTWRITEBYTECODE": "1", "PYTHONPATH": os.pathsep.join(path for path in sys.path if path)}
