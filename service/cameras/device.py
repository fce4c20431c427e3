"""Asks one ONVIF camera who it is and which streams it offers, signed with the camera's own time."""

import datetime as dt
import os
import xml.etree.ElementTree as ET
from collections.abc import Callable
from urllib.parse import SplitResult, urlsplit, urlunsplit
from xml.sax.saxutils import escape

import httpx

from pipelines.addresses.client import fault_of
from pipelines.addresses.policy import Address, AddressPolicy
from pipelines.errors import SourceUnavailable
from service.cameras.offered import Described, OfferedStream, offered
from service.cameras.soap import (
    ANSWER_BYTES_MAX,
    DEVICE,
    MEDIA,
    MEDIA2,
    SCHEMA,
    Login,
    body_of,
    envelope,
    every,
    fault_words,
    parse,
    security,
    text_at,
)
from service.errors import NotOnvif

_STREAMS_MAX = 16
_REFUSALS = ("NotAuthorized", "FailedAuthentication", "Sender not Authorized", "InvalidSecurity")
_CONTENT_TYPE = "application/soap+xml; charset=utf-8"
_NONCE_BYTES = 16


class OnvifCamera:
    """One camera, asked within one deadline.

    address: of its device service. client: connects by the policy; its deadline bounds all questions together.
    policy: on the addresses of its streams.
    """

    def __init__(
        self, address: Address, login: Login | None, client: httpx.Client, policy: AddressPolicy,
        now: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
        nonce: Callable[[], bytes] = lambda: os.urandom(_NONCE_BYTES),
    ) -> None:  # fmt: skip
        if address.user is not None:
            raise NotOnvif(f"{address.shown}: expected the address of a camera's device service, without a login")
        self._address, self._shown = address.text, address.shown
        self._login = login
        self._client = client
        self._policy = policy
        self._now = now
        self._nonce = nonce
        self._offset: dt.timedelta | None = None

    def describe(self) -> Described:
        """Raises SourceForbidden, SourceUnavailable with one of its codes, NotOnvif."""
        self._offset = self._clock_offset()
        device = self._ask(self._address, f'<GetDeviceInformation xmlns="{DEVICE}"/>')
        information = next(every(device, "GetDeviceInformationResponse"), None)
        if information is None:
            raise NotOnvif(f"{self._shown}: does not answer as an ONVIF camera does")
        names = ("Manufacturer", "Model", "FirmwareVersion", "SerialNumber")
        manufacturer, model, firmware, serial = (text_at(information, name) for name in names)
        offset_s = None if self._offset is None else round(self._offset.total_seconds(), 1)
        return Described(manufacturer, model, firmware, serial, offset_s, self._streams())

    def _clock_offset(self) -> dt.timedelta | None:
        """Asked without a login, as the standard has it: who does not know the time could not sign."""
        body = self._post(self._address, f'<GetSystemDateAndTime xmlns="{DEVICE}"/>', None)
        told = next(every(body, "UTCDateTime"), None)
        if told is None:
            return None
        names = (
            ("Date", "Year"),
            ("Date", "Month"),
            ("Date", "Day"),
            ("Time", "Hour"),
            ("Time", "Minute"),
            ("Time", "Second"),
        )
        try:
            year, month, day, hour, minute, second = (int(text_at(told, *path)) for path in names)
            return dt.datetime(year, month, day, hour, minute, min(second, 59), tzinfo=dt.UTC) - self._now()
        except (ValueError, OverflowError):
            return None

    def _streams(self) -> tuple[OfferedStream, ...]:
        services = self._services()
        for namespace in (MEDIA2, MEDIA):
            if namespace in services:
                found = self._streams_of(services[namespace], namespace)
                if found:
                    return found
        return ()

    def _services(self) -> dict[str, str]:
        """Namespace → address of a service; older cameras know only GetCapabilities."""
        request = f'<GetServices xmlns="{DEVICE}"><IncludeCapability>false</IncludeCapability></GetServices>'
        try:
            body = self._ask(self._address, request)
            named = {text_at(one, "Namespace"): text_at(one, "XAddr") for one in every(body, "Service")}
        except NotOnvif:
            named = {}
        if MEDIA not in named and MEDIA2 not in named:
            body = self._ask(
                self._address, f'<GetCapabilities xmlns="{DEVICE}"><Category>All</Category></GetCapabilities>'
            )
            named = {MEDIA: next((text_at(one, "XAddr") for one in every(body, "Media")), "")}
        return {name: self._beside(address) for name, address in named.items() if address}

    def _beside(self, address: str) -> str:
        """A service's address at the host that was asked: a login goes to no other, and many name a wrong one."""
        own, parts = urlsplit(self._address), _split(address)
        if parts.hostname == own.hostname and parts.scheme in ("http", "https"):
            return address
        return urlunsplit((own.scheme, own.netloc, parts.path, parts.query, ""))

    def _streams_of(self, address: str, namespace: str) -> tuple[OfferedStream, ...]:
        kinds = "<Type>VideoEncoder</Type>" if namespace == MEDIA2 else ""
        body = self._ask(address, f'<GetProfiles xmlns="{namespace}">{kinds}</GetProfiles>')
        found: list[OfferedStream] = []
        for profile in list(every(body, "Profiles"))[:_STREAMS_MAX]:
            uri = self._uri(address, namespace, profile.get("token", ""))
            if uri:
                found.append(offered(profile, uri))
        return tuple(found)

    def _uri(self, address: str, namespace: str, token: str) -> str | None:
        """Where a profile's stream is; None where the camera does not say, or where it may not be opened."""
        profile = f"<ProfileToken>{escape(token)}</ProfileToken>"
        if namespace == MEDIA2:
            inner = f"<Protocol>RtspUnicast</Protocol>{profile}"
        else:
            setup = f'<Stream xmlns="{SCHEMA}">RTP-Unicast</Stream>'
            transport = f'<Transport xmlns="{SCHEMA}"><Protocol>RTSP</Protocol></Transport>'
            inner = f"<StreamSetup>{setup}{transport}</StreamSetup>{profile}"
        body = self._ask(address, f'<GetStreamUri xmlns="{namespace}">{inner}</GetStreamUri>')
        named = next((text_at(one) for one in every(body, "Uri")), "")
        for uri in (named, _at_host(named, urlsplit(self._address).hostname or "")):
            if uri and self._policy.allows(uri):
                return _without_login(uri)
        return None

    def _ask(self, address: str, request: str) -> ET.Element:
        return self._post(address, request, self._login)

    def _post(self, address: str, request: str, login: Login | None) -> ET.Element:
        """The body of the answer; raises SourceUnavailable, NotOnvif."""
        header = "" if login is None else security(login, self._nonce(), self._now() + (self._offset or dt.timedelta()))
        # Some cameras want HTTP's own digest instead; httpx answers with it where it is asked for.
        auth = None if login is None else httpx.DigestAuth(login.user, login.password)
        try:
            status, answer = self._exchange(address, envelope(request, header), auth)
        except httpx.TransportError as error:
            code, reason = fault_of(error)
            raise SourceUnavailable(f"{self._shown}: {reason}", code=code) from None
        except (httpx.InvalidURL, KeyError, NotImplementedError) as error:
            # What httpx raises for a challenge of a kind that it does not know.
            raise NotOnvif(f"{self._shown}: names an address or a way to sign in that makes no sense") from error
        if status in (httpx.codes.UNAUTHORIZED, httpx.codes.FORBIDDEN):
            raise SourceUnavailable(f"{self._shown}: the login was refused", code="auth_failed")
        return self._read(status, answer)

    def _exchange(self, address: str, content: bytes, auth: httpx.Auth | None) -> tuple[int, bytes]:
        headers = {"Content-Type": _CONTENT_TYPE, "Accept-Encoding": "identity"}
        with self._client.stream("POST", address, content=content, headers=headers, auth=auth) as response:
            received = b""
            for piece in response.iter_raw():
                received += piece
                if len(received) > ANSWER_BYTES_MAX:
                    raise NotOnvif(f"{self._shown}: the answer is larger than {ANSWER_BYTES_MAX >> 10} KiB")
            return response.status_code, received

    def _read(self, status: int, answer: bytes) -> ET.Element:
        if status == httpx.codes.NOT_FOUND:
            raise SourceUnavailable(f"{self._shown}: nothing there by this name", code="not_found")
        try:
            body = body_of(parse(answer))
        except NotOnvif as error:
            raise NotOnvif(f"{self._shown}: {error} (HTTP {status})") from error
        words = fault_words(body)
        if words is None:
            return body
        if any(refusal.lower() in words.lower() for refusal in _REFUSALS):
            raise SourceUnavailable(f"{self._shown}: the login was refused", code="auth_failed")
        raise NotOnvif(f"{self._shown}: it refuses: {words}")


def _split(address: str) -> SplitResult:
    """The parts of an address; empty ones for what is none."""
    try:
        return urlsplit(address)
    except ValueError:
        return urlsplit("")


def _at_host(uri: str, host: str) -> str:
    """The same address at another host: cameras that were set up elsewhere name one that leads nowhere."""
    try:
        parts = urlsplit(uri)
        port = parts.port
    except ValueError:
        return ""
    shown = f"[{host}]" if ":" in host else host
    return urlunsplit(parts._replace(netloc=f"{shown}:{port}" if port else shown)) if parts.scheme else ""


def _without_login(uri: str) -> str:
    parts = urlsplit(uri)
    return urlunsplit(parts._replace(netloc=parts.netloc.rpartition("@")[2]))
