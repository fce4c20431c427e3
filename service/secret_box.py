"""Seals what the database holds of other people's secrets: cameras' addresses with passwords, webhooks' URLs and keys.

The key lies in the home, in a file of its own, or comes from ACTOGRAM_SECRET_KEY: a copy of the database alone opens
nothing.
"""

import base64
import hashlib
import os
import re
from pathlib import Path

from cryptography.fernet import Fernet, InvalidToken

from service.errors import SecretKeyInvalid
from service.private_files import make_private_file
from service.settings import Settings

LOST = "lost:"
"""What stands where a secret was sealed with another key."""
_PREFIX = "sealed:v1:"
_FERNET_KEY = re.compile(rb"[A-Za-z0-9_-]{43}=")
_SALT = b"actogram secret key"
_CHECK = b"actogram check of a secret key"


class SecretBox:
    """Seals and opens texts with the key of one installation."""

    def __init__(self, key: bytes) -> None:
        self._fernet = Fernet(key)
        self.check = hashlib.sha256(_CHECK + key).hexdigest()
        """The same for the same key, and nothing that opens anything."""

    def seal(self, text: str) -> str:
        """The text as it is stored; one that is sealed, or lost, stays as it is."""
        if text.startswith((_PREFIX, LOST)):
            return text
        return _PREFIX + self._fernet.encrypt(text.encode("utf-8", "surrogatepass")).decode()

    def open(self, stored: str) -> str:
        """The text itself; `LOST` when it was sealed with another key. What was never sealed stays as it is."""
        if not stored.startswith(_PREFIX):
            return stored
        try:
            return self._fernet.decrypt(stored.removeprefix(_PREFIX).encode()).decode("utf-8", "surrogatepass")
        except (InvalidToken, ValueError):
            return LOST

    @staticmethod
    def is_sealed(stored: str) -> bool:
        """Whether a stored text needs no sealing."""
        return stored.startswith((_PREFIX, LOST))


def open_box(settings: Settings) -> SecretBox:
    """The installation's box; its key is made at the first start. Raises SecretKeyInvalid."""
    if settings.secret_key is not None:
        return SecretBox(_stretched(settings.secret_key.get_secret_value()))
    path = settings.home / "secret.key"
    make_private_file(path)
    text = path.read_bytes().strip()
    if not text:
        text = _write_new(path)
    if not _FERNET_KEY.fullmatch(text):
        raise SecretKeyInvalid(
            f"{path} holds no key: restore it from a back-up, or remove it; "
            "then cameras and webhooks whose secrets were sealed with it must be entered again"
        )
    return SecretBox(text)


def _write_new(path: Path) -> bytes:
    key = Fernet.generate_key()
    partial = path.with_name(f"{path.name}.{os.getpid()}.part")
    make_private_file(partial)
    partial.write_bytes(key + b"\n")
    partial.replace(path)
    return key


def _stretched(text: str) -> bytes:
    if _FERNET_KEY.fullmatch(text.encode()):
        return text.encode()
    return base64.urlsafe_b64encode(hashlib.scrypt(text.encode(), salt=_SALT, n=2**14, r=8, p=1, dklen=32))
