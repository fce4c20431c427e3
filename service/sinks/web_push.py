"""Sends messages to browsers by Web Push, encrypted for the one that subscribed.

RFC 8030 is the request, RFC 8291 the encryption of its body (aes128gcm), RFC 8292 (VAPID) the signature that says who
sends. The push service of the browser's maker stores a message until the browser comes; it cannot read it.
"""

import base64
import importlib.util
import json
import logging
import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Self
from urllib.parse import urlsplit

import httpx
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import AfterValidator, BaseModel, Field

from pipelines.addresses.policy import AddressPolicy
from pipelines.errors import SourceForbidden, SourceUnavailable
from service.envelope import Envelope
from service.errors import ExtraMissing
from service.sinks.delivery import DeliveryFailed, Receipt
from service.sinks.webhook import UNREACHABLE, is_final, retry_after_s
from service.sinks.wording import Wording

logger = logging.getLogger(__name__)

GONE = frozenset({HTTPStatus.NOT_FOUND, HTTPStatus.GONE})
"""What a push service answers about a subscription that it does not know any more."""
_WEB = AddressPolicy(frozenset({"http", "https"}))
_TTL_S = 4 * 3600
_TOKEN_S = 12 * 3600
_URGENCY = {"info": "normal", "warning": "normal", "alarm": "high"}
_POINT_BYTES = 65
_AUTH_BYTES = 16


def require_push() -> None:
    """Raises ExtraMissing where what encrypts is not installed."""
    if importlib.util.find_spec("pywebpush") is None:
        raise ExtraMissing("Web Push needs the extra `push`, which is not installed: pip install 'actogram[push]'")


def _web_address(url: str) -> str:
    try:
        _WEB.require(url)
    except SourceForbidden as error:
        raise ValueError(f"an endpoint is an https:// address: {error}") from error
    return url


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except ValueError as error:
        raise ValueError("expected base64url") from error


def _point(text: str) -> str:
    data = _decoded(text)
    if len(data) != _POINT_BYTES:
        raise ValueError(f"expected a point of {_POINT_BYTES} bytes on P-256, found {len(data)}")
    ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), data)
    return text


def _auth(text: str) -> str:
    data = _decoded(text)
    if len(data) != _AUTH_BYTES:
        raise ValueError(f"expected {_AUTH_BYTES} bytes, found {len(data)}")
    return text


class SubscriptionKeys(BaseModel):
    """What messages are encrypted with."""

    p256dh: Annotated[str, Field(max_length=128), AfterValidator(_point)]
    auth: Annotated[str, Field(max_length=64), AfterValidator(_auth)]


class Subscription(BaseModel):
    """What a browser's `PushSubscription.toJSON()` gives."""

    endpoint: Annotated[
        str, Field(max_length=2048, pattern="^[hH][tT][tT][pP][sS]?://[^/?#]"), AfterValidator(_web_address)
    ]
    keys: SubscriptionKeys


class PushKey:
    """The key pair by which push services know this installation."""

    def __init__(self, private: ec.EllipticCurvePrivateKey) -> None:
        self._private = private

    @classmethod
    def generate(cls) -> Self:
        """A new pair."""
        return cls(ec.generate_private_key(ec.SECP256R1()))

    @classmethod
    def load(cls, text: str) -> Self:
        """The pair that `text` gave."""
        private = serialization.load_der_private_key(base64.b64decode(text), password=None)
        assert isinstance(private, ec.EllipticCurvePrivateKey)
        return cls(private)

    @property
    def text(self) -> str:
        """The private key, to be sealed."""
        der = self._private.private_bytes(
            serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return base64.b64encode(der).decode()

    @property
    def public(self) -> str:
        """What browsers subscribe with: the uncompressed point, base64url."""
        point = self._private.public_key().public_bytes(
            serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint
        )
        return base64.urlsafe_b64encode(point).decode().rstrip("=")

    def sign(self, endpoint: str, contact: str, now_s: float) -> str:
        """The value of `Authorization` for one endpoint."""
        from py_vapid import Vapid02

        parts = urlsplit(endpoint)
        claims = {"aud": f"{parts.scheme}://{parts.netloc}", "exp": int(now_s) + _TOKEN_S, "sub": contact}
        return str(Vapid02(private_key=self._private).sign(claims)["Authorization"])


class PushSink:
    """Sends each message to one browser.

    on_gone: called when the push service does not know the subscription any more.
    contact: mailto: or https: address under which the push service's people find who sends.
    """

    def __init__(
        self, subscription: Subscription, key: PushKey, client: httpx.Client, wording: Wording,
        on_gone: Callable[[], None] = lambda: None, contact: str = "mailto:nobody@actogram.invalid",
    ) -> None:  # fmt: skip
        self._subscription = subscription
        self._key = key
        self._client = client
        self._wording = wording
        self._on_gone = on_gone
        self._contact = contact

    def deliver(self, envelope: Envelope) -> Receipt:
        """Send one message; raises DeliveryFailed."""
        told = self._wording.tell(envelope)
        shown = {
            "title": told.title, "body": told.body, "severity": told.severity, "path": told.path,
            "tag": str(envelope.data.get("event_id") or envelope.type),
        }  # fmt: skip
        began_s = time.perf_counter()
        status, wait = self._post(json.dumps(shown).encode(), _URGENCY[told.severity])
        if status in GONE:
            self._on_gone()
            raise DeliveryFailed("the browser has unsubscribed", is_final=True, status=status)
        if not HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
            raise DeliveryFailed(
                f"the push service answered {status}", is_final=is_final(status), status=status,
                retry_after_s=retry_after_s(wait),
            )  # fmt: skip
        return Receipt((time.perf_counter() - began_s) * 1000, status)

    def _post(self, content: bytes, urgency: str) -> tuple[int, str]:
        """Status and Retry-After of the push service."""
        endpoint = self._subscription.endpoint
        headers = {
            "Authorization": self._key.sign(endpoint, self._contact, time.time()), "Content-Encoding": "aes128gcm",
            "Content-Type": "application/octet-stream", "TTL": str(_TTL_S), "Urgency": urgency, "Connection": "close",
            "Accept-Encoding": "identity",
        }  # fmt: skip
        try:
            with self._client.stream("POST", endpoint, content=self._encrypt(content), headers=headers) as response:
                return response.status_code, response.headers.get("retry-after", "")
        except SourceForbidden as error:
            raise DeliveryFailed(f"forbidden: {error}") from error
        except (httpx.HTTPError, SourceUnavailable) as error:
            logger.info("a push service cannot be reached: %s", type(error).__name__)
            raise DeliveryFailed(UNREACHABLE) from error
        except httpx.InvalidURL as error:
            raise DeliveryFailed("the address cannot be read", is_final=True) from error

    def _encrypt(self, content: bytes) -> bytes:
        from pywebpush import WebPusher

        return bytes(WebPusher(self._subscription.model_dump()).encode(content)["body"])
