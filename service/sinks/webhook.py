"""Posts messages to a URL, signed as Standard Webhooks says, so that ready-made libraries verify them.

Specification: Standard Webhooks 1.0 (standardwebhooks.com). Signed content: `{id}.{timestamp}.{body}`; headers
`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64 of HMAC-SHA256>`.
"""

import base64
import hashlib
import hmac
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx

from service.deadline import Deadline
from service.envelope import Envelope
from service.sinks.delivery import DeliveryFailed, Receipt

SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's prefix, not a secret
_FINAL = frozenset({400, 401, 403, 404, 405, 406, 410, 413, 414, 415, 422})
"""A receiver that answers so will answer so again."""
_RETRY_AFTER_MAX_S = 60.0


def make_secret() -> str:
    """A new signing secret: 32 random bytes, base64, with the specification's prefix."""
    return SECRET_PREFIX + base64.b64encode(secrets.token_bytes(32)).decode()


def sign(secret: str, message_id: str, timestamp: int, body: bytes) -> str:
    """The value of `webhook-signature`.

    secret: `whsec_` and base64; any other text is taken as raw bytes.
    timestamp: seconds since 1970.
    """
    content = f"{message_id}.{timestamp}.".encode() + body
    digest = hmac.new(_key(secret), content, hashlib.sha256).digest()
    return "v1," + base64.b64encode(digest).decode()


def _key(secret: str) -> bytes:
    if secret.startswith(SECRET_PREFIX):
        return base64.b64decode(secret.removeprefix(SECRET_PREFIX))
    return secret.encode()


class WebhookSink:
    """Posts each message once per call.

    client: with the timeouts to use; redirects are never followed, a signature is for one address.
    clock: seconds since 1970.
    exchange_s: from the connection to the last header of the answer, however slowly it trickles.
    """

    def __init__(
        self, webhook_id: str, url: str, secret: str, client: httpx.Client, clock: Callable[[], float] = time.time,
        exchange_s: float = 20.0,
    ) -> None:  # fmt: skip
        self._webhook_id = webhook_id
        self._url = url
        self._secret = secret
        self._client = client
        self._clock = clock
        self._exchange_s = exchange_s

    def deliver(self, envelope: Envelope) -> Receipt:
        """Post one message; raises DeliveryFailed."""
        body = envelope.model_dump_json().encode()
        # Stable over retries and restarts: the receiver may drop what it has seen.
        message_id = f"{self._webhook_id}-{envelope.seq}-{envelope.type}"
        timestamp = int(self._clock())
        headers = {
            "Content-Type": "application/json",
            "User-Agent": "actogram-webhook",
            "Accept-Encoding": "identity",
            # A connection of its own: the deadline shuts it, and no answer of before may stand in it.
            "Connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id, timestamp, body),
        }
        began_s = time.perf_counter()
        deadline = Deadline(self._exchange_s)
        try:
            # Only the status is read: a receiver's endless body must not hold the thread.
            with (
                deadline,
                self._client.stream(
                    "POST", self._url, content=body, headers=headers, extensions={"trace": deadline.trace}
                ) as response,
            ):
                status = response.status_code
                wait = response.headers.get("retry-after", "")
        except httpx.HTTPError as error:
            if deadline.is_over:
                raise DeliveryFailed(f"no whole answer within {deadline.seconds:g} s") from error
            raise DeliveryFailed(f"{type(error).__name__}: {error}") from error
        except httpx.InvalidURL as error:
            raise DeliveryFailed(f"InvalidURL: {error}", is_final=True) from error
        if status < HTTPStatus.OK or status >= HTTPStatus.MULTIPLE_CHOICES:
            raise DeliveryFailed(
                f"answered {status}", is_final=status in _FINAL, status=status, retry_after_s=_retry_after(wait)
            )
        return Receipt((time.perf_counter() - began_s) * 1000, status)


def _retry_after(value: str) -> float:
    return min(float(value), _RETRY_AFTER_MAX_S) if value.isascii() and value.isdigit() else 0.0
