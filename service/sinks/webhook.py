"""Posts messages to a URL, signed as Standard Webhooks specifies, so that existing libraries can verify them.

Specification: Standard Webhooks 1.0 (standardwebhooks.com). Signed content: `{id}.{timestamp}.{body}`; headers
`webhook-id`, `webhook-timestamp`, `webhook-signature: v1,<base64 of HMAC-SHA256>`.
"""

import base64
import hashlib
import hmac
import logging
import secrets
import time
from collections.abc import Callable
from http import HTTPStatus

import httpx

from pipelines.errors import SourceForbidden, SourceUnavailable
from service.envelope import Envelope
from service.sinks.delivery import DeliveryFailed, Receipt

logger = logging.getLogger(__name__)

SECRET_PREFIX = "whsec_"  # noqa: S105 - the specification's prefix, not a secret
_MAY_PASS = frozenset({408, 409, 421, 423, 425, 429})
"""Refusals that say "not now"; every other one, and every redirect, is the same tomorrow."""
_CANNOT = frozenset({501, 505})
"""Failures of a receiver that will never understand a POST."""
_RETRY_AFTER_MAX_S = 60.0
UNREACHABLE = "unreachable: no HTTP answer; the server's log has the reason"


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

    client: with the policy and the deadline to use; redirects are never followed, a signature is for one address.
    clock: seconds since 1970.
    """

    def __init__(
        self, webhook_id: str, url: str, secret: str, client: httpx.Client, clock: Callable[[], float] = time.time
    ) -> None:
        self._webhook_id = webhook_id
        self._url = url
        self._secret = secret
        self._client = client
        self._clock = clock

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
            # A connection of its own: no answer of before may stand in it.
            "Connection": "close",
            "webhook-id": message_id,
            "webhook-timestamp": str(timestamp),
            "webhook-signature": sign(self._secret, message_id, timestamp, body),
        }
        began_s = time.perf_counter()
        try:
            # Only the status is read: a receiver's endless body must not hold the thread.
            with self._client.stream("POST", self._url, content=body, headers=headers) as response:
                status = response.status_code
                wait = response.headers.get("retry-after", "")
        except SourceForbidden as error:
            # Not final: what a name stands for may change, and so may the settings.
            raise DeliveryFailed(f"forbidden: {error}") from error
        except (httpx.HTTPError, SourceUnavailable) as error:
            # One answer for refused, closed, filtered, not HTTP and no such host: a test is no port scanner.
            logger.info("webhook %s cannot be reached: %s", self._webhook_id, error)
            raise DeliveryFailed(UNREACHABLE) from error
        except httpx.InvalidURL as error:
            raise DeliveryFailed("the address cannot be read", is_final=True) from error
        if status < HTTPStatus.OK or status >= HTTPStatus.MULTIPLE_CHOICES:
            raise DeliveryFailed(
                _words(status), is_final=is_final(status), status=status, retry_after_s=retry_after_s(wait)
            )
        return Receipt((time.perf_counter() - began_s) * 1000, status)


def is_final(status: int) -> bool:
    """Whether an answer that is no success will be the same whenever the message is sent again."""
    if status in _MAY_PASS:
        return False
    return HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.INTERNAL_SERVER_ERROR or status in _CANNOT


def _words(status: int) -> str:
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"answered {status}: redirects are not followed; give the webhook the address that it leads to"
    return f"answered {status}"


def retry_after_s(value: str) -> float:
    """Seconds that a `Retry-After` asks for, bounded; 0 for what is no number."""
    return min(float(value), _RETRY_AFTER_MAX_S) if value.isascii() and value.isdigit() else 0.0
